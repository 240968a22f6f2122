"""What one decision costs, stage by stage, and what a message costs that wakes nobody.

A thin BTT/USDT market with five levels a side and ten live orders; the engine and the venue are
those of the simulation in `tests/sim`. The stages are asked on one unchanging moment and take
turns, so that a busy machine is busy for all of them and no stage finds its own code still warm.
`bench_process` measures the same from outside, one kind of fact after the other.
"""

import time
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec

from adapters.codec.binance import BinanceCodec
from bench.harness import Ratio, Timing, arguments, finish, ratio, settle, timing
from engine.core import Engine
from engine.market.book import Book
from engine.trading.readings import reading_of
from engine.trading.reconcile import reconcile
from engine.values.events import BookDelta
from engine.values.step import Step
from tests.sim import builders
from tests.sim.calm import quoting
from tests.sim.venue import BTT, MARKET
from tests.sim.world import World

ROUNDS, ROUNDS_QUICK = 10_000, 1_500
LEVELS, ORDERS = 5, 10
DECISION_US_MAX, QUIET_RATIO_MAX = 60.0, 2.0
FAR = [(f"0.{10 + i:08d}", f"0.{400 + i:08d}") for i in range(20)]
"""Prices far from a market at some sixty ticks: changes there wake nobody."""

Stages = dict[str, Callable[[], Any]]


def quoting_ten() -> World:
    """A calm world with ten orders that all stand as wished."""
    strategy = builders.ladder(levels=LEVELS, lots=4_000_000, lots_growth=0.0)
    world = quoting(setups=[builders.setup(strategy=strategy)])
    live = world.keeper.orders.live(MARKET)
    while len(live) != ORDERS or not all(order.is_on_book for order in live):
        world.run(0.05)
        live = world.keeper.orders.live(MARKET)
    return world


def stages(world: World) -> Stages:
    """Each stage of a decision by itself, on what the stages before it found, and all together."""
    maker, keeper, quoter = world.maker, world.keeper, world.maker.quoter
    gate, now_ns = quoter.gate, world.engine.now_ns
    view = quoter.view(now_ns, keeper.position_lots(MARKET))
    reading = reading_of(keeper, quoter, view)
    wish = quoter.wish(view)
    approved, sums = gate.approve(wish, reading), keeper.orders.sums(MARKET)
    params = maker.reconcile_params
    assert reconcile(approved, sums, lambda: "never", now_ns, params) == []

    def decide() -> None:
        maker._decide("bench", now_ns, Step(commands=[], records=[], alerts=[]))

    return {
        "view": lambda: quoter.view(now_ns, view.position_lots),
        "reading": lambda: reading_of(keeper, quoter, view),
        "observe": lambda: gate.observe(reading),
        "quote": lambda: quoter.wish(view),
        "approve, observed before": lambda: gate.approve(wish, reading),
        "reconcile, ten orders as wished": lambda: reconcile(
            approved, sums, lambda: "never", now_ns, params
        ),
        "decision, whole": decide,
    }


def measured(acts: Stages, rounds: int, prepare: Callable[[], Any] = lambda: None) -> list[Timing]:
    """One of each in turn, `rounds` times, forth and back. `prepare` runs first, unmeasured."""
    spans: dict[str, list[int]] = {name: [] for name in acts}
    clock = time.perf_counter_ns
    settle()
    for turn in range(rounds):
        prepare()
        for name, act in reversed(acts.items()) if turn % 2 else acts.items():
            began_ns = clock()
            act()
            spans[name].append(clock() - began_ns)
    return [timing(name, each) for name, each in spans.items()]


def frames() -> Callable[[], bytes]:
    """Depth frames of twenty changed levels a side, far from the touch."""
    number = count(11)

    def next_frame() -> bytes:
        n = next(number)
        rows = {"b": [[bid, f"{1000 + n % 7}"] for bid, _ in FAR]}
        rows["a"] = [[ask, f"{1000 + n % 7}"] for _, ask in FAR]
        data = {"e": "depthUpdate", "E": n, "s": BTT.venue_symbol, "U": n, "u": n} | rows
        return msgspec.json.encode({"stream": "bttusdt@depth@100ms", "data": data})

    return next_frame


class Quiet:
    """The same frames twice: decoded into a bare book, and into the whole engine."""

    def __init__(self, world: World) -> None:
        self.engine: Engine = world.engine
        self.now_ns = world.engine.now_ns
        self.book = Book()
        self.codecs = BinanceCodec([BTT]), BinanceCodec([BTT])
        self._next_frame = frames()
        self.prepare()
        for codec in self.codecs:
            codec.decode(self.frame, self.now_ns)
            codec.snapshot(MARKET, b'{"lastUpdateId":10,"bids":[],"asks":[]}', self.now_ns)

    def prepare(self) -> None:
        self.frame = self._next_frame()

    def decode_and_apply(self) -> None:
        for fact in self._decoded(self.codecs[0]):
            self.book.apply_delta(fact.bids, fact.asks)

    def process(self) -> None:
        for fact in self._decoded(self.codecs[1]):
            step = self.engine.process(fact)
            assert not step.decided, "a frame that should wake nobody did"

    def _decoded(self, codec: BinanceCodec) -> list[BookDelta]:
        found = [fact for fact in codec.decode(self.frame, self.now_ns) if type(fact) is BookDelta]
        assert len(found) == 1, "a frame that holds no delta measures nothing"
        return found


def main() -> None:
    chosen = arguments(__doc__ or "")
    rounds = ROUNDS_QUICK if chosen.quick else ROUNDS
    timings = measured(stages(quoting_ten()), rounds)
    decision = timings[-1]
    quiet = Quiet(quoting_ten())
    acts: Stages = {
        "20 levels: decode, apply": quiet.decode_and_apply,
        "20 levels: decode, process": quiet.process,
    }
    timings += measured(acts, rounds, quiet.prepare)
    ratios: list[Ratio] = [
        ratio("quiet message / decode and apply", timings[-1], timings[-2], QUIET_RATIO_MAX)
    ]
    facts: dict[str, object] = {"decision, times the wanted 60 us": decision.p50 / DECISION_US_MAX}
    finish(timings, facts, as_json=chosen.json, ratios=ratios)


if __name__ == "__main__":
    main()
