"""`ballast watchdog`: a second process that cancels everything when the engine stops deciding."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from engine.cli.adapters import OpenVenue, adapter_of
from engine.cli.assemble import keys_of, quiet_logging, read_instruments
from engine.cli.loading import venue_options
from engine.cli.show import as_json
from engine.runtime.beat import Pulse, pulse
from engine.runtime.clock import MonotonicClock
from engine.runtime.config import Config, load_config
from engine.runtime.redaction import Redactor
from engine.values.commands import CancelAll, Reconcile
from engine.values.events import VenueState
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

LOOK_S = 0.1
AGAIN_S = 0.5


def watchdog(
    config: Annotated[Path, typer.Argument(help="The engine's config: same markets, same key.")],
    silence_ms: Annotated[int, typer.Option(min=200, help="So long without a beat.")] = 1000,
    once: Annotated[bool, typer.Option("--once", help="Leave after cancelling once.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One object for each change.")] = False,
) -> None:
    """Cancel all orders of CONFIG's markets when its engine stops beating, and verify it.

    It watches the decision loop, not the process: a hung engine is as dead as a killed one. Start
    it beside every live engine; it is quiet while all is well.
    """
    loaded = load_config(config)
    redactor = Redactor()
    quiet_logging(redactor)
    dog = Watchdog(loaded, str(config), redactor, is_json=json)
    uvloop.run(dog.run(silence_ms * NS_PER_MS, is_once=once))


class Watchdog:
    def __init__(self, config: Config, name: str, redactor: Redactor, *, is_json: bool) -> None:
        self._config = config
        self._name = name
        self._redactor = redactor
        self._is_json = is_json
        self._clock = MonotonicClock()
        self._seen: Pulse | None = None

    async def run(self, silence_ns_max: Ns, *, is_once: bool) -> None:
        """Watch until a signal. The venues are opened first, so that cancelling starts at once."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with AsyncExitStack() as stack:
            opened = self._opened(stack)
            await read_instruments(self._config, opened)
            is_done = False
            while not stop.is_set():
                found, silent_ns = pulse(self._config.data_path, silence_ns_max)
                self._note(found, silent_ns)
                if found is not Pulse.STOPPED:
                    is_done = False
                elif not is_done:
                    is_done = await self._cancel(opened)
                if is_done and is_once:
                    return
                await asyncio.sleep(LOOK_S)

    def _opened(self, stack: AsyncExitStack) -> dict[str, OpenVenue]:
        options = venue_options(self._config, self._name)
        opened: dict[str, OpenVenue] = {}
        for venue in self._config.venues:
            keys, adapter = keys_of(venue, self._redactor), adapter_of(venue)
            opened[venue.name] = adapter.open_venue(options[venue.name], self._clock, keys)
            stack.push_async_callback(opened[venue.name].gateway.close)
        return opened

    async def _cancel(self, opened: dict[str, OpenVenue]) -> bool:
        """Cancel every market once and ask what is left. True when the venues say: nothing."""
        began_ns, left = self._clock.now_ns(), 0
        for market in self._config.markets:
            gateway, name = opened[market.venue].gateway, market.market
            await gateway.execute(CancelAll(market=name, at_ns=began_ns))
            facts = await gateway.execute(Reconcile(market=name, trade_id_from=0, at_ns=began_ns))
            states = [fact for fact in facts if isinstance(fact, VenueState)]
            left += len(states[0].open_orders) if states else 1
        took_s = (self._clock.now_ns() - began_ns) / NS_PER_S
        self._say("cancelled" if not left else "not yet cancelled", {"left": left, "s": took_s})
        if left:
            await asyncio.sleep(AGAIN_S)
        return not left

    def _note(self, found: Pulse, silent_ns: Ns) -> None:
        if found is not self._seen:
            self._seen = found
            self._say(found.value, {"silent_s": silent_ns / NS_PER_S})

    def _say(self, what: str, numbers: dict[str, float]) -> None:
        if self._is_json:
            as_json({"watchdog": what, **numbers})
        else:
            shown = ", ".join(f"{name} {number:.2f}" for name, number in numbers.items())
            typer.echo(f"watchdog: {what} ({shown})")
