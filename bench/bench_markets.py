"""Many markets in one process: cost of a message, of the timer, and memory, from 1 to 200.

All the engines live at once and take turns in blocks, so that a busy moment is everybody's. The
messages of a block go round all markets of its engine. Memory is measured in a process for each
count, as the difference of the resident set, so that no other engine is in it.
"""

import argparse
import gc
import subprocess
import sys
import time
from itertools import count, cycle
from pathlib import Path

from bench.harness import Ratio, Timing, finish, ratio, settle, timing
from bench.obliging import LEVELS, MIDDLE, SIZE, Stage
from engine.values.events import BookDelta
from engine.values.step import Step
from engine.values.units import NS_PER_MS

COUNTS = (1, 10, 50, 200)
BLOCK = 400
ROUNDS, ROUNDS_QUICK = 60, 3
COST_MAX, MEMORY_MB_MAX = 1.3, 2.0
DEEP = 2_000
"""Levels of each book while memory is measured: as many as Binance's snapshot has on both sides."""
CHANGED = 10
"""Levels that one delta changes, of both sides together: what Binance sends for a busy market."""


class Spans:
    """What one engine was measured at, in ns."""

    def __init__(self, how_many: int) -> None:
        self.stage = Stage(how_many)
        self.markets = cycle(self.stage.markets)
        self.quiet: list[int] = []
        self.deciding: list[int] = []
        self.timer: list[int] = []
        self.shared: list[int] = []
        self._since_tick: list[int] = []
        self._numbers = count()

    def forget(self) -> None:
        for kept in (self.quiet, self.deciding, self.timer, self.shared):
            kept.clear()

    def block(self, size: int) -> None:
        """`size` deltas round the markets, and the timers that fall due meanwhile.

        A market sends ten messages a second and there are twenty timers a second, whatever the
        number of markets: two timers to a message of one market, one to a hundred of 200.
        """
        due, spent_ns = 0.0, 0
        for number in range(size):
            spent_ns += self._message(deciding=number % 16 == 0)
            due += 2 / len(self.stage.markets)
            while due >= 1:
                due -= 1
                spent_ns += self._tick()
        self.shared.append(spent_ns // size)

    def _message(self, *, deciding: bool) -> int:
        stage, number = self.stage, next(self._numbers)
        stage.now_ns += NS_PER_MS // len(stage.markets) // 10
        fact = self._touch(number) if deciding else self._deep(number)
        began_ns = time.perf_counter_ns()
        step = stage.engine.process(fact)
        spent_ns = time.perf_counter_ns() - began_ns
        (self.deciding if step.decided else self.quiet).append(spent_ns)
        self._answer(step)
        return spent_ns

    def _tick(self) -> int:
        stage = self.stage
        stage.alive()
        fact = stage.timer()
        began_ns = time.perf_counter_ns()
        step = stage.engine.process(fact)
        spent_ns = time.perf_counter_ns() - began_ns
        self.timer.append(spent_ns)
        self._answer(step)
        return spent_ns

    def _answer(self, step: Step) -> None:
        for command in step.commands:
            for fact in self.stage.venue.answers(command, self.stage.now_ns):
                self.stage.feed(fact)

    def _deep(self, number: int) -> BookDelta:
        """Sizes away from the touch: the microprice stays, nobody is woken."""
        at = [2 + (number + n * 3) % (LEVELS - 2) for n in range(CHANGED // 2)]
        lots = SIZE + number % 977
        bids, asks = ([(MIDDLE - n, lots) for n in at], [(MIDDLE + 1 + n, lots) for n in at])
        return self.stage.delta(next(self.markets), bids, asks)

    def _touch(self, number: int) -> BookDelta:
        """The size at the touch swings: the microprice moves and the strategy is asked."""
        market = next(self.markets)
        book = self.stage.engine.makers[market].quoter.book
        lots = SIZE * 4 if book.bid_lots < SIZE * 2 else SIZE
        return self.stage.delta(market, [(book.bid_tick, lots)], [])


def resident_kb() -> int:
    """Resident set of this process, after what is dead is gone."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def memory_kb(how_many: int) -> int:
    """What `how_many` markets with deep books take in a process of their own."""
    command = [sys.executable, "-m", "bench.bench_markets", "--memory", str(how_many)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True)
    return int(done.stdout)


def print_memory(how_many: int) -> None:
    begun = resident_kb()
    spans = Spans(how_many)
    stage = spans.stage
    for market in stage.markets:
        stage.feed(stage.delta(market, [], [(MIDDLE + n, SIZE) for n in range(1, DEEP)]))
    for _ in range(how_many):
        spans.block(100)
    spans.forget()
    print(resident_kb() - begun)


def measured(rounds: int) -> dict[int, Spans]:
    counts = COUNTS if rounds > ROUNDS_QUICK else (COUNTS[0], COUNTS[-1])
    found = {how_many: Spans(how_many) for how_many in counts}
    order = list(found.values())
    for spans in order:
        spans.block(BLOCK)
        spans.forget()
    for _ in range(rounds):
        for spans in order:
            settle()
            spans.block(BLOCK)
        order.reverse()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--memory", type=int, metavar="MARKETS", help="only print the KB of these")
    chosen = parser.parse_args()
    if chosen.memory:
        print_memory(chosen.memory)
        return
    found = measured(ROUNDS_QUICK if chosen.quick else ROUNDS)
    rows: dict[str, dict[int, Timing]] = {}
    for name in ("quiet", "deciding", "timer", "shared"):
        rows[name] = {n: timing(_title(name, n), getattr(s, name)) for n, s in found.items()}
    ratios = [
        ratio(f"{name}: {most} markets / 1", rows[name][most], rows[name][1], COST_MAX)
        for name in ("quiet", "deciding", "shared")
        for most in list(found)[1:]
    ]
    few, many = (1, 200) if not chosen.quick else (1, 40)
    each_mb = (memory_kb(many) - memory_kb(few)) / (many - few) / 1024
    per_market = Ratio(name="memory: MB a market / 1 MB", value=each_mb, at_most=MEMORY_MB_MAX)
    facts: dict[str, object] = {
        "timer, share of a core at 200 markets and 20 timers a second": round(
            20 * rows["timer"][200].p50 / 1e6, 3
        )
    }
    timings = [row for each in rows.values() for row in each.values()]
    finish(timings, facts, as_json=chosen.json, ratios=[*ratios, per_market])


def _title(name: str, how_many: int) -> str:
    words = {
        "quiet": "delta, wakes nobody",
        "deciding": "delta, asks the strategy",
        "timer": "one timer, all markets",
        "shared": "message with its share of timers",
    }
    return f"{words[name]}, {how_many} market{'s' if how_many > 1 else ''}"


if __name__ == "__main__":
    main()
