"""Process start to the first order at the venue: ballast beside a minimal client and ccxt.pro.

A loopback venue runs in this process and stamps the order; the clock starts before the client's
process does. They take turns: one start of each, then the next round in the other order. Ballast
starts as `ballast run` with an empty journal, reconciles, and quotes only when its book, its
account and every row of its risk gate agree; its only concessions are a volatility that counts
as known after a microsecond, no cool-downs, and a timer of 20 ms. The others check nothing.
"""

import asyncio
import sys
import tempfile
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import tomlkit
import uvloop

from adapters.loopback.config import VenueConfig as LoopbackConfig
from adapters.loopback.config import atoms, btt_usdt
from adapters.loopback.keys import KeyPair, new_ed25519
from adapters.loopback.venue import LoopbackVenue
from bench.harness import MISSED, Missed, arguments, finish, ratio, timing
from bench.peers import VENUE_SYMBOL, installed
from bench.wire_clients import plain_demo
from engine.cli.demo_venue import flat
from engine.cli.venue import write_key
from engine.runtime.config import VenueConfig
from engine.sim.matching.terms import NewOrder
from engine.values.units import NS_PER_S, Side

ROOT = Path(__file__).resolve().parent.parent
ROUNDS, ROUNDS_QUICK = 20, 1
PATIENCE_S = 20.0
ACCOUNT = "main"
OURS_S_MAX = 0.6


class Restless:
    """A market that opens two ticks wide and changes a deep level fifty times a second."""

    def __init__(self, ids: Any) -> None:
        self._ids = ids

    def opening(self) -> list[NewOrder]:
        sides = ((Side.BUY, 61), (Side.BUY, 60), (Side.SELL, 63), (Side.SELL, 64))
        return [self._order(side, tick, 50_000_000) for side, tick in sides]

    def step(self, now_ns: int, book: object) -> list[NewOrder]:
        return [self._order(Side.BUY, 40, 1_000)]

    def next_ns(self, now_ns: int) -> int:
        return now_ns + NS_PER_S // 50

    def _order(self, side: Side, tick: int, lots: int) -> NewOrder:
        return NewOrder(order_id=self._ids(), owner="~other", side=side, tick=tick, lots=lots)


def adapters() -> list[str]:
    """The words that `adapter = ` takes in a config."""
    return list(get_args(get_type_hints(VenueConfig)["adapter"]))


def write_config(folder: Path, venue: LoopbackVenue, adapter: str) -> Path:
    """The demo's config aimed at this venue; what is not asked for is left as it stands there."""
    table = plain_demo()
    table |= {"data_dir": str(folder / "data"), "name": "startup"}
    table["runtime"] = {"timer_ms": 20}
    table["venues"][0] |= {
        "adapter": adapter, "urls": flat(venue.urls()), "key": "bench",
        "key_file": str(folder / "key.json"),
    }  # fmt: skip
    market = table["markets"][0]
    market["strategy"] = "fixed"
    market["params"] = {"half_spread_ticks": 1.0, "step_ticks": 0.0, "lots": 4_000_000}
    market["features"] = {"volatility_warm_up_s": 1e-6}
    for row in market["risk"]:
        row["cool_down_s"] = 0
    path = folder / "startup.toml"
    path.write_text(tomlkit.dumps(table))
    return path


def command_of(name: str, folder: Path, venue: LoopbackVenue, pair: KeyPair) -> list[str]:
    """What to start, with whatever files it needs written for it."""
    if name in ("minimal", "ccxt"):
        told = {
            "urls": venue.urls(),
            "api_key": pair.key.api_key,
            "secret": pair.secret,
            "ws": f"ws://127.0.0.1:{venue.port}/ws",
            "ws_api": f"ws://127.0.0.1:{venue.port}/ws-api/v3",
        }
        (folder / "told.json").write_bytes(msgspec.json.encode(told))
        return [sys.executable, "-m", "bench.peers", name, str(folder / "told.json")]
    write_key(folder / "key.json", pair)
    config = write_config(folder, venue, name.removeprefix("ballast "))
    return [sys.executable, "-m", "engine.cli", "run", str(config)]


async def first_order_ns(name: str) -> int:
    """One start on a venue of its own. Missed where no order comes in time, RuntimeError where the
    client died."""
    pair, ids = new_ed25519(ACCOUNT), count(1).__next__
    config = LoopbackConfig(
        symbols=[btt_usdt()],
        keys=[pair.key],
        balances={ACCOUNT: {"BTT": atoms("200000000"), "USDT": atoms("1000")}},
    )
    venue = LoopbackVenue(config, {VENUE_SYMBOL: Restless(ids)}, ids=ids)
    await venue.start()
    with tempfile.TemporaryDirectory() as directory:
        command = command_of(name, Path(directory), venue, pair)
        with (Path(directory) / "log").open("w+b") as log:
            began_ns = time.time_ns()
            child = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL
            )
            try:
                created_ns = await _first_order(venue, child)
            except TimeoutError as error:
                if child.returncode is None:
                    raise Missed(f"{name}: no order in time") from error
                log.seek(0)
                raise RuntimeError(f"{name}: no order\n{log.read().decode()}") from error
            finally:
                await _end(child)
                await venue.stop()
    return created_ns - began_ns


async def _first_order(venue: LoopbackVenue, child: asyncio.subprocess.Process) -> int:
    """The venue's own stamp, in ns."""
    deadline = time.monotonic() + PATIENCE_S
    store = venue.exchange.store
    while not store.by_id:
        if time.monotonic() > deadline or child.returncode is not None:
            raise TimeoutError
        await asyncio.sleep(0.002)
    return min(order.created_ns for order in store.by_id.values())


async def _end(child: asyncio.subprocess.Process) -> None:
    """A second word leaves at once: only the start is measured here."""
    if child.returncode is None:
        child.kill()
    await child.wait()


async def measured(names: list[str], rounds: int, missed: list[str]) -> dict[str, list[int]]:
    """Spans of those that could be measured; what could not goes into `missed`."""
    found: dict[str, list[int]] = {name: [] for name in names}
    order = list(names)
    if rounds > ROUNDS_QUICK:
        for name in order:  # a start from a cold disk is nobody's fault
            with suppress(Missed):
                await first_order_ns(name)
    for _ in range(rounds):
        for name in order:
            try:
                found[name].append(await first_order_ns(name))
            except Missed as miss:
                missed.append(str(miss))
        order.reverse()
    return {name: spans for name, spans in found.items() if spans}


def main() -> None:
    chosen = arguments(__doc__ or "")
    ours = [f"ballast {adapter}" for adapter in adapters()]
    rounds, missed = ROUNDS_QUICK if chosen.quick else ROUNDS, list[str]()
    found = uvloop.run(measured([*ours, *installed()], rounds, missed))
    rows = {name: timing(f"start to first order: {name}", spans) for name, spans in found.items()}
    ratios = [
        ratio(f"start: {name} / {peer}", rows[name], rows[peer])
        for name in ours
        for peer in installed()
        if name in rows and peer in rows
    ]
    facts: dict[str, object] = {MISSED: "; ".join(missed)} if missed else {}
    best = "ballast native" if "ballast native" in ours else ours[0]
    if best in rows:
        median = f"{best}, median in s (wanted at most {OURS_S_MAX:g})"
        facts[median] = round(rows[best].p50 / 1e6, 3)
    finish(list(rows.values()), facts, as_json=chosen.json, ratios=ratios)


if __name__ == "__main__":
    main()
