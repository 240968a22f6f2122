"""Wire to wire: from a depth frame sent by a venue to the order that it caused, back at the venue.

The venue runs in this process and its clock measures both ends; each client is a process of its
own, in turn, in interleaved rounds. Ballast runs as `ballast run` does: book, features, a ladder of
five levels a side that every frame moves, risk gate, intents in the journal before bytes leave. Its
new best bid is measured. By default a frame moves the ladder by one of its steps, so that two
orders are placed and two cancelled; in "whole ladder" no price of it stays, and ten are. The floor
and the ccxt.pro loop place one order and do nothing else. Frames leave on a fixed beat, so a slow
client delays none of them (no coordinated omission in the load); a frame that caused no order has
no latency, and is counted as superseded, and by whom. nautilus_trader has no place here: its
Binance client wants the listen keys that the venue no longer has (see bench_nautilus).
"""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.harness import MISSED, Missed, Ratio, Timing, arguments, finish, ratio, timing
from bench.wire_clients import (
    BARE,
    BUSY,
    BUSY_FLOOD,
    CCXT,
    FLOOD,
    FLOOR,
    NATIVE,
    ROOT,
    WHOLE,
    Client,
    command_of,
    merged,
)
from bench.wire_venue import WireVenue

WARM_UP_S, MEASURED_S, ROUNDS = 3.0, 8.0, 2
WARM_UP_QUICK_S, MEASURED_QUICK_S, ROUNDS_QUICK = 0.3, 1.0, 1
ALL = (FLOOR, NATIVE, BARE, CCXT, WHOLE, BUSY, FLOOD, BUSY_FLOOD)
QUICK = (FLOOR, NATIVE, BARE)
START_S_MAX = 20.0
END_S = 5.0
LATE_S = 0.2
ENOUGH, TURNS_MAX = 50, 4
"""A busy host makes an engine pull its quotes for a while: then the turn is prolonged."""
WANTED = {
    (NATIVE, FLOOR): 1.5,
    (NATIVE, BARE): 0.5,
    (NATIVE, CCXT): 0.0,
    (CCXT, FLOOR): 0.0,
    (WHOLE, FLOOR): 0.0,
    (BUSY, FLOOR): 1.0,
}
"""Medians, ours over theirs."""
BUSY_TAIL_MAX = 3.0
FLOOD_MS_MAX = 5.0


class Found(msgspec.Struct, kw_only=True):
    """One client's spans in ns, how many frames it was sent, how many it folded into newer ones."""

    spans: list[int] = []
    frames: int = 0
    merged: int = 0

    def add(self, other: "Found") -> None:
        self.spans += other.spans
        self.frames += other.frames
        self.merged += other.merged


async def one_turn(venue: WireVenue, client: Client, warm_up_s: float, measured_s: float) -> Found:
    """One client, from its start to its end.

    Missed where too few orders come for a measurement, RuntimeError where the client died.
    """
    venue.begin()
    free = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as log:
        folder = Path(directory)
        child = await asyncio.create_subprocess_exec(
            *command_of(client, folder, venue),
            cwd=ROOT, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            if client.cpus is not None:
                os.sched_setaffinity(0, {client.cpus[0]})
            await _until_it_trades(venue, child)
            return await _measure(venue, client, folder, (warm_up_s, measured_s))
        except TimeoutError as error:
            if child.returncode is None:
                raise Missed(f"{client.name}: too few orders") from error
            log.seek(0)
            raise RuntimeError(f"{client.name}: it died\n{log.read().decode()}") from error
        finally:
            os.sched_setaffinity(0, free)
            await _end(child)


async def _measure(
    venue: WireVenue, client: Client, folder: Path, seconds: tuple[float, float]
) -> Found:
    warm_up_s, measured_s = seconds
    await venue.beat(client.rate, warm_up_s)
    await asyncio.sleep(LATE_S)
    before = await asyncio.to_thread(merged, client, folder)
    venue.sent_ns.clear()
    venue.arrived_ns.clear()
    for _ in range(TURNS_MAX):
        await venue.beat(client.rate, measured_s)
        await asyncio.sleep(LATE_S)
        if len(venue.arrived_ns) > ENOUGH:
            break
    else:
        raise TimeoutError
    folded = await asyncio.to_thread(merged, client, folder) - before
    sent = venue.sent_ns
    spans = [at_ns - sent[n] for n, at_ns in venue.arrived_ns.items() if n in sent]
    return Found(spans=spans, frames=len(sent), merged=folded)


async def _until_it_trades(venue: WireVenue, child: asyncio.subprocess.Process) -> None:
    for _ in range(int(START_S_MAX / 0.1)):
        await venue.beat(FLOOR.rate, 0.1)
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


async def measured(
    clients: tuple[Client, ...], missed: list[str], *, quick: bool
) -> dict[Client, Found]:
    """Those of `clients` that could be measured; what could not goes into `missed`."""
    warm_up_s, measured_s, rounds = WARM_UP_S, MEASURED_S, ROUNDS
    if quick:
        warm_up_s, measured_s, rounds = WARM_UP_QUICK_S, MEASURED_QUICK_S, ROUNDS_QUICK
    found = {client: Found() for client in clients}
    venue = WireVenue()
    await venue.start()
    try:
        for turn in range(rounds):
            for client in clients[:: -1 if turn % 2 else 1]:
                try:
                    each = await one_turn(venue, client, warm_up_s, measured_s)
                except Missed as miss:
                    missed.append(str(miss))
                else:
                    found[client].add(each)
    finally:
        await venue.stop()
    return {client: each for client, each in found.items() if each.spans}


def ratios(rows: dict[Client, Timing]) -> list[Ratio]:
    found = [
        ratio(f"wire: {ours.name} / {theirs.name}", rows[ours], rows[theirs], wanted)
        for (ours, theirs), wanted in WANTED.items()
        if ours in rows and theirs in rows
    ]
    if BUSY in rows:
        tail = round(rows[BUSY].p99 / rows[BUSY].p50, 3)
        name = f"wire: {BUSY.name}, p99 / p50"
        found.append(Ratio(name=name, value=tail, at_most=BUSY_TAIL_MAX))
    return found


def facts(rows: dict[Client, Timing], found: dict[Client, Found]) -> dict[str, Any]:
    """What became of every frame: acted on, folded into a newer one by the engine, or neither."""
    told: dict[str, Any] = {}
    for client, each in found.items():
        share = 1 - len(each.spans) / each.frames
        told[f"frames superseded: {client.name}, share"] = round(share, 4)
    for client in (FLOOD, BUSY_FLOOD):
        if client in found:
            each = found[client]
            missing = each.frames - len(each.spans) - each.merged
            told[f"{client.name}: frames sent, acted on, merged into a newer one, neither"] = (
                f"{each.frames:,}, {len(each.spans):,}, {each.merged:,}, {missing:,}"
            )
            told[f"{client.name}: p99 in ms (wanted below {FLOOD_MS_MAX:g})"] = round(
                rows[client].p99 / 1e3, 2
            )
    return told


def main() -> None:
    chosen = arguments(__doc__ or "")
    missed: list[str] = []
    found = uvloop.run(measured(QUICK if chosen.quick else ALL, missed, quick=chosen.quick))
    rows = {
        client: timing(f"wire to wire: {client.name}", each.spans) for client, each in found.items()
    }
    told = facts(rows, found) | ({MISSED: "; ".join(missed)} if missed else {})
    finish(list(rows.values()), told, as_json=chosen.json, ratios=ratios(rows))


if __name__ == "__main__":
    main()
