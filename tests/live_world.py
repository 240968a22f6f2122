"""A whole live engine on a loopback venue, in one event loop, with a truth to be held against.

`live_world` starts a thin BTT/USDT market and the engine as `ballast run` assembles it, and at its
end heals the venue, stops the engine and proves that engine, journal and venue agree to the atom.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count, cycle
from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from adapters.loopback.config import VenueConfig, atoms, btt_usdt
from adapters.loopback.keys import KeyPair, new_hmac
from adapters.loopback.orders import Order
from adapters.loopback.venue import LoopbackVenue, Truth
from engine.cli.assemble import running
from engine.cli.demo_venue import flat
from engine.cli.venue import write_key
from engine.runtime.config import Config, load_config
from engine.runtime.journal_reader import read, verify
from engine.runtime.live import Ending, Live
from engine.runtime.redaction import Redactor
from engine.sim.market import SyntheticMarket
from engine.sim.market_presets import PRESETS
from engine.trading.disturbances import DisturbanceParams, Disturbances
from engine.trading.maker import Maker
from engine.trading.standing import MarketState
from engine.values.commands import Command, Place
from engine.values.errors import Failure
from engine.values.events import (
    CancelFailed,
    Event,
    Fill,
    OrderFailed,
    QueryFailed,
    RatingLabel,
    RatingSet,
    Resume,
)
from engine.values.records import Alert, Opening, StateChanged
from engine.values.step import Step
from engine.values.units import NS_PER_S
from tests import patience
from tests.patience import PATIENCE_S, Bystander, RanOut
from tests.plain_demo import plain_demo
from tests.tcp_proxy import TcpProxy

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = "main"
SYMBOL = "BTTUSDT"
MARKET = "BTT/USDT@loopback"
OPENING = {"BTT": atoms("200000000"), "USDT": atoms("1000")}
STIR_S = 0.5
FAILURES = (OrderFailed, CancelFailed, QueryFailed)
PATIENT = DisturbanceParams(lag_ns_max=NS_PER_S, journal_age_ns_max=NS_PER_S)


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Our word and the venue's from one monotonic moment on, in s, until the next moment.

    `is_blind`: the engine knew that it did not see.
    """

    at_s: float
    state: MarketState
    reason: str
    is_blind: bool
    open_orders: int


def is_no_quoting(moment: Moment) -> bool:
    return moment.state is not MarketState.QUOTING


class Acted(msgspec.Struct, frozen=True, kw_only=True):
    """One fact and what the engine made of it, with the monotonic moment in s.

    `counted` are the orders that count in the worst case from then on, by client id.
    """

    at_s: float
    event: Event
    step: Step
    counted: dict[str, str]


class LiveWorld:
    """A venue and the engine on it. `proxies` stand before the venue by the name of a url."""

    def __init__(
        self, venue: LoopbackVenue, live: Live, config: Config, bystander: Bystander
    ) -> None:
        self.venue = venue
        self.live = live
        self.config = config
        self.bystander = bystander
        self.proxies: dict[str, TcpProxy] = {}
        self.alerts: list[Alert] = []
        self.acted: list[Acted] = []
        self.moments: list[Moment] = []
        self.on_seen: Callable[[], None] = lambda: None
        live.on_alert(self.alerts.append)
        # A busy machine must not pull the quotes of a test about something else.
        live.engine.disturbances = Disturbances(PATIENT)
        self._process = live.engine.process
        live.engine.process = self._seen  # type: ignore[method-assign]
        self._open = 0
        store = venue.exchange.store
        store.add = self._and_note(store.add)  # type: ignore[method-assign]
        store.close = self._and_note(store.close)  # type: ignore[method-assign]
        self._note(*self.maker.state)

    @property
    def maker(self) -> Maker:
        return self.live.engine.makers[MARKET]

    @property
    def state(self) -> MarketState:
        return self.maker.state[0]

    @property
    def reason(self) -> str:
        return self.maker.state[1]

    def truth(self) -> Truth:
        return self.venue.state()

    def calls(self, name: str) -> int:
        """How many requests of a kind the venue has taken."""
        return self.truth().counters.get(f"call {name}", 0)

    def commands(self, kind: type[Command] | None = None, since_s: float = 0.0) -> list[Command]:
        return [
            command
            for acted in self.acted
            for command in acted.step.commands
            if acted.at_s >= since_s and (kind is None or isinstance(command, kind))
        ]

    def facts(self, kind: type[Any], since_s: float = 0.0) -> list[Any]:
        found = [acted.event for acted in self.acted if acted.at_s >= since_s]
        return [event for event in found if isinstance(event, kind)]

    def failures(self, failure: Failure, since_s: float = 0.0) -> list[Acted]:
        """Orders of which the venue's word was this, with what then counted."""
        return [
            acted
            for acted in self.acted
            if acted.at_s >= since_s
            and isinstance(acted.event, OrderFailed)
            and acted.event.failure is failure
        ]

    # --- acting ---------------------------------------------------------------------------------

    def take(self, count: int = 1) -> list[str]:
        """Somebody takes whole orders of ours; returns their client ids."""
        now_ns = time.time_ns()
        taken = self.venue.exchange.store.open_orders(ACCOUNT)[:count]
        for order in taken:
            self.venue.exchange.force_fill(order, order.lots_left, now_ns)
        self.venue.delivery.deliver()
        return [order.client_id for order in taken]

    async def rate(self, label: RatingLabel) -> None:
        """A word that moves the ladder."""
        now_ns = self.live.clock.now_ns()
        expires_ns = now_ns + 3600 * NS_PER_S
        await self.live.tell(
            RatingSet(
                market=MARKET, at_ns=now_ns, label=label, expires_ns=expires_ns, source="test"
            )
        )

    async def resume(self) -> None:
        now_ns = self.live.clock.now_ns()
        await self.live.tell(Resume(market=MARKET, at_ns=now_ns, who="test", reason="seen"))

    async def stir_until(self, is_so: Callable[[], Any], what: str = "") -> None:
        """Move the ladder to and fro until it has happened. For what stays, once it has come."""
        deadline = time.monotonic() + PATIENCE_S
        for label in cycle((RatingLabel.STRONG_SELL, RatingLabel.STRONG_BUY)):
            await self.rate(label)
            with suppress(RanOut):
                await self.until(is_so, what, STIR_S)
                return
            if time.monotonic() > deadline:
                raise patience.ran_out(what, PATIENCE_S, self._instead())

    # --- waiting --------------------------------------------------------------------------------

    async def until(self, is_so: Callable[[], Any], what: str = "", s: float = PATIENCE_S) -> Any:
        """Wait for something that is sure to come, however slow the machine is, and that stays.

        What may be over between two looks is waited for in `moments` and `acted`, which miss none.
        """
        return await patience.until(is_so, what, s, self._instead)

    async def quoting(self) -> None:
        """Both sides stand at the venue and the engine says that it quotes."""
        await self.until(self.quotes_both_sides, "quoting")

    async def calm(self) -> None:
        """Quoting, and nothing is under way: no request, no order whose state is open."""
        await self.until(lambda: self.quotes_both_sides() and self.is_calm(), "calm")

    async def moment(self, since_s: float, is_it: Callable[[Moment], bool], what: str) -> Moment:
        """The first moment of a kind that began at `since_s` or later, though it may be over."""
        found = await self.until(lambda: self._first(since_s, is_it), what)
        assert isinstance(found, Moment)
        return found

    async def pulled(self, since_s: float) -> Moment:
        """Since then the engine has said that it does not quote, and afterwards the venue held
        nothing of ours: that moment. Both may be over by now."""
        left = await self.moment(since_s, is_no_quoting, "the pull")
        return await self.moment(left.at_s, lambda m: not m.open_orders, "the last cancel")

    def quotes_both_sides(self) -> bool:
        sides = {order.side for order in self.venue.exchange.store.open_orders(ACCOUNT)}
        return self.state is MarketState.QUOTING and len(sides) == 2

    def is_calm(self) -> bool:
        senders = self.live._senders.values()
        return not self.live.inbox and all(sender.is_idle for sender in senders)

    def _instead(self) -> str:
        return f"{self.state} {self.reason}; {self.moments[-3:]}"

    def _first(self, since_s: float, is_it: Callable[[Moment], bool]) -> Moment | None:
        """What held at `since_s` counts as begun then."""
        later = [m for m in self.moments if m.at_s >= since_s]
        before = self.moments[: len(self.moments) - len(later)][-1:]
        return next((m for m in [*before, *later] if is_it(m)), None)

    # --- watching -------------------------------------------------------------------------------

    def _seen(self, event: Event) -> Step:
        step = self._process(event)
        live = self.maker.keeper.orders.live(MARKET) if isinstance(event, FAILURES) else []
        counted = {order.client_id: str(order.status) for order in live}
        self.acted.append(Acted(at_s=time.monotonic(), event=event, step=step, counted=counted))
        for record in step.records:
            if isinstance(record, StateChanged) and record.market == MARKET:
                self._note(MarketState(record.after), record.reason)
        self._note(*self.maker.state)
        self.on_seen()
        return step

    def _and_note(self, act: Callable[[Order], None]) -> Callable[[Order], None]:
        """What the venue's store does, and the number of open orders after it."""

        def noted(order: Order) -> None:
            act(order)
            self._open = len(self.venue.exchange.store.open_orders(ACCOUNT))
            self._note(*self.maker.state)

        return noted

    def _note(self, state: MarketState, reason: str) -> None:
        last = self.moments[-1] if self.moments else None
        made = Moment(
            at_s=time.monotonic(),
            state=state,
            reason=reason,
            is_blind=self.blind(),
            open_orders=self._open,
        )
        if last is None or msgspec.structs.replace(last, at_s=made.at_s) != made:
            self.moments.append(made)

    def blind(self) -> bool:
        """Whether the engine knows that it does not see: a doubt about book or wires."""
        standing = self.maker.standing
        sources = {"public link", "stalled", "book", "second stream"}
        return bool(standing.private_down or sources & standing.doubts.keys())

    # --- the truth ------------------------------------------------------------------------------

    def check_engine(self) -> None:
        """Money, position and fills of the stopped engine are the venue's, to the atom."""
        truth = self.truth()
        assert truth.open_orders == []
        assert truth.self_trades == 0
        held = truth.balances[ACCOUNT]
        keeper = self.maker.keeper
        for asset in OPENING:
            ours = keeper.portfolio.balance(asset)
            assert ours == sum(held[asset]) * 10 ** (keeper.portfolio.exponent(asset) - 8), asset
        assert self.maker.keeper.position_lots(MARKET) == sum(held["BTT"]) // 10**8
        traded = sum(fill.side.sign * fill.lots for fill in truth.fills)
        assert keeper.portfolio.traded_lots(MARKET) == traded
        keeper.portfolio.check()
        self.venue.exchange.check()

    def check_orders(self) -> None:
        """Every order at the venue was intended once and sent once, as it was intended."""
        truth = self.truth()
        names = [order.client_id for order in truth.orders]
        assert len(names) == len(set(names)), "an order was sent twice"
        places = {c.client_id: c for c in self.commands(Place) if isinstance(c, Place)}
        for order in truth.orders:
            place = places[order.client_id]
            assert (order.side, order.tick, order.lots) == (place.side, place.tick, place.lots)

    def check_journal(self) -> None:
        """The journal on the disk is whole, and holds each fill of the venue exactly once."""
        path = self.config.journal_path
        assert verify(path).problem == ""
        records = [row.record for row in read(path, kinds=("Opening", "Fill"))]
        settled = next(row.trade_id for row in records if isinstance(row, Opening))
        fills = [row.trade_id for row in records if isinstance(row, Fill)]
        theirs = [fill.trade_id for fill in self.truth().fills if fill.trade_id > settled]
        assert sorted(fills) == sorted(theirs)


def demo_table(data_dir: Path, key_file: Path, urls: dict[str, str], **runtime: float) -> Any:
    """The plain demo with a home of its own and short memories."""
    table = plain_demo().unwrap()
    table["data_dir"] = str(data_dir)
    table["runtime"] |= {"timer_ms": 20, "reconcile_s": 1.0, "quote_budget_ms": 500} | runtime
    table["venues"][0] |= {
        "key_file": str(key_file),
        "urls": urls,
        "options": {"request_timeout_ms": 1500, "recv_window_ms": 1000},
    }
    table["markets"][0]["features"] |= {"volatility_sample_s": 0.1, "volatility_warm_up_s": 0.3}
    return table


def thin_venue(pair: KeyPair, seed: int = 7) -> LoopbackVenue:
    ids = count(1).__next__
    config = VenueConfig(
        symbols=[btt_usdt()],
        keys=[pair.key],
        balances={ACCOUNT: dict(OPENING)},
    )
    return LoopbackVenue(config, {SYMBOL: SyntheticMarket(PRESETS["btt-thin"], seed, ids)}, ids=ids)


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Another venue than the thin one, another config of it, and when a test may begin."""

    venue: Callable[[KeyPair], LoopbackVenue] = thin_venue
    change: Callable[[Any], None] = lambda table: None
    is_ready: Callable[[LiveWorld], bool] = LiveWorld.quotes_both_sides


@asynccontextmanager
async def live_world(
    tmp_path: Path,
    *,
    proxied: tuple[str, ...] = (),
    reconcile_s: float = 1.0,
    setting: Setting | None = None,
) -> AsyncIterator[LiveWorld]:
    """An engine that quotes. `proxied` urls, by their names in a config, lead through a proxy."""
    pair, setting = new_hmac(ACCOUNT), setting or Setting()
    key_file = tmp_path / "key.json"
    write_key(key_file, pair)
    venue = setting.venue(pair)
    async with AsyncExitStack() as stack:
        bystander = stack.enter_context(Bystander())
        await venue.start()
        stack.push_async_callback(venue.stop)
        urls = flat(venue.urls())
        proxies: dict[str, TcpProxy] = {}
        for name in proxied:
            proxies[name] = await stack.enter_async_context(TcpProxy(venue.port))
            urls[name] = urls[name].replace(f":{venue.port}", f":{proxies[name].port}")
        table = demo_table(tmp_path / "data", key_file, urls, reconcile_s=reconcile_s)
        setting.change(table)
        path = tmp_path / "config.toml"
        path.write_text(tomlkit.dumps(table))
        config = load_config(path)
        async with running(config, "a test's config", Redactor()) as live:
            world = LiveWorld(venue, live, config, bystander)
            world.proxies = proxies
            async with _driven(world):
                await world.until(lambda: setting.is_ready(world), "the beginning")
                yield world
            world.check_engine()
            world.check_orders()
        world.check_journal()


@asynccontextmanager
async def _driven(world: LiveWorld) -> AsyncIterator[None]:
    """The engine runs while this lasts; then the venue heals and the engine ends in order."""
    run = asyncio.create_task(world.live.run())
    try:
        yield
    except BaseException:
        await _stopped(world, run)
        raise
    ending = await _stopped(world, run)
    assert ending.open_orders == 0, ending


async def _stopped(world: LiveWorld, run: asyncio.Task[Ending]) -> Ending:
    world.venue.faults.heal()
    for proxy in world.proxies.values():
        proxy.let_through()
    world.live.stop("the test")
    async with patience.in_time("the end of the engine"):
        return await run
