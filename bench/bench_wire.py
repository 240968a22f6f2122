"""Wire to wire: from a depth frame sent by a venue to the order that it caused, back at the venue.

The venue runs in this process and its clock measures both ends; each client is a process of its
own, in turn, in interleaved rounds. Ballast runs as `ballast run` does: book, features, both
quotes moved by every frame (two orders placed, two cancelled), risk gate, intents in the journal
before bytes leave. Its first order to buy is measured. The floor places one order and does nothing
else. Frames leave on a fixed beat, so a slow client delays none of them (no coordinated omission in
the load); a frame that caused no order has no latency, and is counted as superseded.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import tomlkit
import uvloop

from adapters.loopback.keys import new_ed25519
from bench.bench_startup import adapters
from bench.harness import arguments, finish, ratio, timing
from bench.wire_venue import WireVenue
from engine.cli.venue import write_key

ROOT = Path(__file__).resolve().parent.parent
RATE = 200
WARM_UP_S, MEASURED_S, ROUNDS = 2.0, 8.0, 4
WARM_UP_QUICK_S, MEASURED_QUICK_S, ROUNDS_QUICK = 0.3, 1.0, 1
START_S_MAX = 20.0
END_S = 5.0
LATE_S = 0.2
ENOUGH, TURNS_MAX = 50, 4
"""A busy host makes an engine pull its quotes for a while: then the turn is prolonged."""
FLOOR = "floor"
OURS_MAX = 1.5
COUNTS = dict.fromkeys(("message rate", "open orders"), 1e6)
MONEY = dict.fromkeys(("order size", "order value", "worst value", "turnover", "loss"), 1e12)
SHAPE = dict.fromkeys(("volatility", "spread wide", "book delay"), 1e6)
WIDE = COUNTS | MONEY | SHAPE
"""Rows whose thresholds are about money or rates that this market has not got."""


def write_config(folder: Path, urls: dict[str, str], adapter: str) -> Path:
    """The demo's config with another market in it, and every check of its risk gate still made."""
    table = tomlkit.parse((ROOT / "configs" / "demo.toml").read_text()).unwrap()
    table |= {"data_dir": str(folder / "data"), "name": "wire"}
    table["venues"][0] |= {
        "adapter": adapter, "urls": urls, "key": "bench", "key_file": str(folder / "key.json"),
    }  # fmt: skip
    market = table["markets"][0]
    market["symbol"], market["strategy"], market["own_orders_show"] = "BTC/USDT", "fixed", False
    market["params"] = {"half_spread_ticks": 3.0, "step_ticks": 0.0, "lots": 10}
    market["features"] = {"volatility_warm_up_s": 1e-6}
    market["bands"] = {
        "floor": "1", "lower": "400", "target": "500", "upper": "600", "cap": "1000",
    }  # fmt: skip
    for row in market["risk"]:
        row["cool_down_s"] = 0
        if row["check"] in WIDE:
            row["threshold"] = row["release"] = WIDE[row["check"]]
    path = folder / "wire.toml"
    path.write_text(tomlkit.dumps(table))
    return path


def command_of(name: str, folder: Path, venue: WireVenue) -> list[str]:
    if name == FLOOR:
        urls = venue.urls["ws.spot"], venue.urls["ws.ws-api.spot"]
        return [sys.executable, "-m", "bench.wire_floor", *urls]
    write_key(folder / "key.json", new_ed25519("main"))
    config = write_config(folder, venue.urls, name.removeprefix("ballast "))
    return [sys.executable, "-m", "engine.cli", "run", str(config)]


async def one_turn(venue: WireVenue, name: str, warm_up_s: float, measured_s: float) -> list[int]:
    """Spans of one client's orders, from its start to its end. RuntimeError where none comes."""
    venue.begin()
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as log:
        child = await asyncio.create_subprocess_exec(
            *command_of(name, Path(directory), venue),
            cwd=ROOT, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await _until_it_trades(venue, child)
            await venue.beat(RATE, warm_up_s)
            venue.sent_ns.clear()
            venue.arrived_ns.clear()
            for _ in range(TURNS_MAX):
                await venue.beat(RATE, measured_s)
                await asyncio.sleep(LATE_S)
                if len(venue.arrived_ns) > ENOUGH:
                    break
            else:
                raise TimeoutError
        except TimeoutError as error:
            log.seek(0)
            raise RuntimeError(f"{name}: too few orders\n{log.read().decode()}") from error
        finally:
            await _end(child)
    sent = venue.sent_ns
    return [at_ns - sent[number] for number, at_ns in venue.arrived_ns.items() if number in sent]


async def _until_it_trades(venue: WireVenue, child: asyncio.subprocess.Process) -> None:
    for _ in range(int(START_S_MAX / 0.1)):
        await venue.beat(RATE, 0.1)
        if venue.arrived_ns:
            return
        if child.returncode is not None:
            break
    raise TimeoutError


async def _end(child: asyncio.subprocess.Process) -> None:
    """Only what happens on the wire is measured: nobody is asked to leave in order."""
    if child.returncode is None:
        child.kill()
    await asyncio.wait_for(child.wait(), END_S)


async def measured(names: list[str], *, quick: bool) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Spans by client, and how many frames each was sent while it was measured."""
    warm_up_s, measured_s, rounds = WARM_UP_S, MEASURED_S, ROUNDS
    if quick:
        warm_up_s, measured_s, rounds = WARM_UP_QUICK_S, MEASURED_QUICK_S, ROUNDS_QUICK
    venue = WireVenue()
    await venue.start()
    spans: dict[str, list[int]] = {name: [] for name in names}
    frames = dict.fromkeys(names, 0)
    order = list(names)
    for _ in range(rounds):
        for name in order:
            spans[name] += await one_turn(venue, name, warm_up_s, measured_s)
            frames[name] += len(venue.sent_ns)
        order.reverse()
    await venue.stop()
    return spans, frames


def main() -> None:
    chosen = arguments(__doc__ or "")
    names = [FLOOR, *(f"ballast {adapter}" for adapter in reversed(adapters()))]
    spans, frames = uvloop.run(measured(names, quick=chosen.quick))
    rows = {name: timing(f"wire to wire: {name}", spans[name]) for name in names}
    ratios = [
        ratio(f"wire: {name} / {FLOOR}", rows[name], rows[FLOOR],
              OURS_MAX if name == "ballast native" else 0.0)
        for name in names[1:]
    ]  # fmt: skip
    ratios.append(
        ratio("wire: ballast native / ballast ccxt", rows["ballast native"], rows["ballast ccxt"])
    )
    facts: dict[str, Any] = {
        f"frames superseded: {name}, share": round(1 - len(spans[name]) / frames[name], 4)
        for name in names
    }
    finish(list(rows.values()), facts, as_json=chosen.json, ratios=ratios)


if __name__ == "__main__":
    main()
