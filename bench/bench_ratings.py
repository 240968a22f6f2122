"""One closed bar through all 26 votes for each of fifty markets, the stream beside the batch.

Each market has a thousand bars behind it (250 in a quick run); then bars close for all fifty at
once, as they do on the hour. `stream` is what the engine pays: the bar joined, rated and told as a
fact. `batch` rates the same bars from their whole history: what a provisional rating costs.
"""

import random
import time

from bench.harness import Ratio, Timing, arguments, finish, ratio, settle, timing
from engine.signals.bars import candle_of
from engine.signals.rating import Rated
from engine.signals.rating_batch import rate_last
from engine.signals.ratings import Ratings, RatingsParams
from engine.signals.spans import SPANS
from engine.signals.votes import Rules
from engine.values.facts import Bar, BarsClosed

MARKETS = 50
HISTORY, HISTORY_QUICK = 1_000, 250
ROUNDS, ROUNDS_QUICK = 40, 6
HOUR = SPANS["1h"]
CLOSED_US_MAX = 1_000.0
PARAMS = RatingsParams(
    spans_ns=(HOUR,), policy_span_ns=HOUR, rules=Rules.R2024, votes_min=20, bars_min=250,
    stale_bars=2, bars_kept=2 * HISTORY, bars_per_step=HISTORY,
)  # fmt: skip


def bars(seed: int, count: int) -> list[Bar]:
    """A token at some six hundred ticks that wanders; one hour in five nothing trades."""
    rng, close, made = random.Random(seed), 620, []
    for number in range(count):
        first, close = close, max(50, close + rng.randint(-6, 6))
        high, low = max(first, close) + rng.randint(0, 3), min(first, close) - rng.randint(0, 3)
        lots = rng.choice((0, 1, 2, 3, 4)) * 1_000_000
        made.append(Bar(number * HOUR, first, high, low, close, lots))
    return made


def closed(market: str, told: list[Bar]) -> BarsClosed:
    return BarsClosed(market=market, at_ns=told[-1].open_ns + HOUR, span_ns=HOUR, bars=told)


def streamed(made: Ratings, fact: BarsClosed) -> tuple[int, int]:
    """By the wall clock, and on the processor: on a busy host the first counts other people."""
    ran_ns, began_ns = time.thread_time_ns(), time.perf_counter_ns()
    made.on_closed(fact)
    told = made.news(fact.at_ns)
    spent_ns, used_ns = time.perf_counter_ns() - began_ns, time.thread_time_ns() - ran_ns
    assert len(told) == 1
    assert told[0].voted is not None
    return spent_ns, used_ns


def batched(history: list[Bar]) -> tuple[int, Rated]:
    began_ns = time.perf_counter_ns()
    rated = rate_last([candle_of(bar) for bar in history], Rules.R2024)
    return time.perf_counter_ns() - began_ns, rated


def measured(rounds: int, bars_before: int) -> tuple[list[Timing], int]:
    """Spans of both, and how often they disagreed: never."""
    tapes = {f"T{n}/USDT@bench": bars(n, bars_before + rounds) for n in range(MARKETS)}
    ratings = {market: Ratings(market, PARAMS) for market in tapes}
    for market, tape in tapes.items():
        ratings[market].on_closed(closed(market, tape[:bars_before]))
        ratings[market].news(0)
    stream_ns: list[tuple[int, int]] = []
    batch_ns: list[int] = []
    differences = 0
    settle()
    for number in range(rounds):
        at = bars_before + number
        for market, tape in tapes.items():
            stream_ns.append(streamed(ratings[market], closed(market, [tape[at]])))
        for market, tape in tapes.items():
            spent_ns, rated = batched(tape[: at + 1])
            batch_ns.append(spent_ns)
            differences += rated != ratings[market].rated(HOUR)
    timings = [
        timing("stream", (spent_ns for spent_ns, _ in stream_ns)),
        timing("stream, on the processor", (used_ns for _, used_ns in stream_ns)),
        timing("batch over the same bars", batch_ns),
    ]
    return timings, differences


def main() -> None:
    chosen = arguments(__doc__ or "")
    timings, differences = measured(
        *((ROUNDS_QUICK, HISTORY_QUICK) if chosen.quick else (ROUNDS, HISTORY))
    )
    stream, used, batch = timings
    used_share = round(used.p99 / CLOSED_US_MAX, 3)
    ratios = [
        Ratio(name="stream p99 on the processor / 1 ms", value=used_share, at_most=1.0),
        ratio("stream / batch over the same bars", stream, batch, at_most=1.0),
    ]
    facts: dict[str, object] = {
        "markets": MARKETS,
        "bars on which the twins differ": differences,
        "fifty markets on the hour, ms": MARKETS * stream.p50 / 1_000,
    }
    finish(timings, facts, as_json=chosen.json, ratios=ratios)


if __name__ == "__main__":
    main()
