"""Back-test of a busy made-up hour: the kernel alone, idle and quoting, beside hftbacktest.

Rows are levels and trades, 5 ms of latency each way, the queue model power:1. `kernel` is the time
within the compiled pass over rows that wake nobody; `idle` is the whole run around it with its
timers; `quoting` has a Python strategy that looks at two orders every 100 ms, through risk gate and
reconciliation. hftbacktest runs compiled strategies that do the same, where BENCH_PEERS names the
site-packages of an environment of the same Python that has it. Whole runs take turns, and a span is
one twentieth of the feed, per 1,000 rows, in time of the thread: other work on the machine does not
count.
"""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from bench.backtest_world import AWAY, DELAY_NS, EVERY_NS, MARKET, back_test
from bench.feed_block import blocks
from bench.feeds import Rows, busy_hour
from bench.harness import arguments, finish, ratio, settle, timing
from bench.kernel_forms import are_compiled
from engine.sim.backtest import Result
from engine.sim.kernel_block import Block

PEER = "hftbacktest"
ROWS, ROWS_QUICK, ROUNDS, ROUNDS_QUICK, STRETCHES = 2_000_000, 100_000, 3, 2, 20
KERNEL_AT_MOST, ROWS_PER_S_WANTED = 2.0, 600_000
Spans = dict[str, list[int]]


class Timed:
    """A kernel, and the time that passes are within it."""

    def __init__(self, kernel: object) -> None:
        self.__dict__.update(kernel=kernel, spent_ns=0)

    def __getattr__(self, name: str) -> object:
        return getattr(self.kernel, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.kernel, name, value)

    def advance(self, due_ns: int, due_turn: int) -> int:
        began_ns = time.thread_time_ns()
        stop: int = self.kernel.advance(due_ns, due_turn)
        self.__dict__["spent_ns"] += time.thread_time_ns() - began_ns
        return stop


def ours(made: list[Block], spans: Spans, is_quoting: bool) -> Result:
    """One whole run; the opening book is no stretch."""
    run, name = back_test(is_quoting), "quoting: ours" if is_quoting else "idle: ours"
    timed: list[Timed] = []

    def stretches() -> Iterator[Block]:
        yield made[0]
        for block in made[1:]:
            began_ns = time.thread_time_ns()
            spent_ns = timed[0].spent_ns if timed else 0
            yield block
            spans[name].append(per_thousand(time.thread_time_ns() - began_ns, len(block)))
            if timed:
                spans["kernel: ours"].append(per_thousand(timed[0].spent_ns - spent_ns, len(block)))

    if not is_quoting:
        make = run.kernel_of

        def watched() -> object:
            timed.append(Timed(make()))
            return timed[0]

        run.kernel_of = watched
    return run.run_blocks(stretches())


def per_thousand(span_ns: int, rows: int) -> int:
    return span_ns * 1_000 // rows


def peer_paths(rows: Rows, made: list[Block], spans: Spans) -> list[Callable[[], object]]:
    """hftbacktest's two runs, compiled before the first is measured."""
    if os.environ.get("BENCH_PEERS"):
        sys.path.append(os.environ["BENCH_PEERS"])
    if find_spec(PEER) is None:
        return []
    from bench import peer_hftbacktest as peer

    peer.warm_up(rows)
    ends_ns = [block.columns.at_ns[len(block) - 1] for block in made]

    def theirs(name: str, every_ns: int) -> None:
        taken = list(peer.spans(rows, ends_ns, "power", (DELAY_NS, every_ns, AWAY)))
        pairs = zip(taken[1:], made[1:], strict=True)
        spans[f"{name}: {PEER}"] += [per_thousand(span, len(block)) for span, block in pairs]

    return [lambda: theirs("kernel", 0), lambda: theirs("quoting", EVERY_NS)]


def main() -> None:
    chosen = arguments(__doc__ or "")
    count, rounds = (ROWS_QUICK, ROUNDS_QUICK) if chosen.quick else (ROWS, ROUNDS)
    rows = busy_hour(count, hours=count / ROWS)
    made, spans = blocks(rows, MARKET.market, STRETCHES), defaultdict[str, list[int]](list)
    results: list[Result] = []
    paths: list[Callable[[], object]] = [
        lambda: results.append(ours(made, spans, is_quoting=False)),
        lambda: results.append(ours(made, spans, is_quoting=True)),
    ]
    paths += peer_paths(rows, made, spans)
    for _ in range(rounds):
        for path in paths:
            settle()
            path()
        paths.reverse()
    timings = {name: timing(name, taken) for name, taken in sorted(spans.items())}
    ratios = [
        ratio(f"{what}: ours / {PEER}", timings[f"{what}: ours"], timings[f"{what}: {PEER}"], most)
        for what, most in (("kernel", KERNEL_AT_MOST), ("quoting", 0.0))
        if f"{what}: {PEER}" in timings
    ]
    digests = {(result.decided > 1, result.digest) for result in results}
    if len(digests) != 2:
        raise SystemExit(f"runs of the same inputs differ: {digests}")
    quoted = max(results, key=lambda result: result.decided)
    facts: dict[str, object] = {
        "rows": count,
        "form": "compiled" if are_compiled() else "interpreted",
        "decisions that were kept, a run": quoted.decided,
        "orders, a run": quoted.markets[MARKET.market].placed,
        "fills, a run": len(quoted.markets[MARKET.market].fills),
        "rows a second wanted, quoting": ROWS_PER_S_WANTED,
        **{f"rows a second, {name}": int(1e9 / (t.p50 or 1e-3)) for name, t in timings.items()},
    }
    finish(list(timings.values()), facts, as_json=chosen.json, ratios=ratios)


if __name__ == "__main__":
    main()
