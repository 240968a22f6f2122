"""What one fact costs `Engine.process`, by kind: a thin BTT/USDT market that is being quoted.

The engine and the venue are those of the simulation in `tests/sim`; the facts are made here, so
that each kind is the same act many times over.
"""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

from bench.harness import Timing, arguments, finish, settle, timing
from engine.values.events import BookDelta, Event, Fill, Side, Timer
from engine.values.step import Step
from engine.values.units import NS_PER_MS
from tests.sim.calm import quoting
from tests.sim.venue import MARKET
from tests.sim.world import World

ROUNDS, ROUNDS_QUICK = 20_000, 2_000
SEQUENCES = count(10**9)


def delta(world: World, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> BookDelta:
    return BookDelta(market=MARKET, at_ns=world.now, sequence=next(SEQUENCES), bids=bids, asks=asks)


def measured(
    name: str, world: World, facts: Iterator[Event], is_wanted: Callable[[Step], bool], rounds: int
) -> tuple[Timing, float]:
    """Spans of the facts that did what is measured, and the share of those that did."""
    process, clock = world.engine.process, time.perf_counter_ns
    spans: list[int] = []
    settle()
    for _ in range(rounds):
        fact = next(facts)
        world.checks.told(fact)
        began_ns = clock()
        step = process(fact)
        spent_ns = clock() - began_ns
        if is_wanted(step):
            spans.append(spent_ns)
        world.records += step.records
        for command in step.commands:
            world._send(command)
    return timing(name, spans), len(spans) / rounds


def deep(world: World) -> Iterator[Event]:
    """A level far from the touch: the top stays, nobody wakes."""
    for n in count():
        world.now += 10_000
        yield delta(world, [(40, 1_000_000 + n % 7)], [])


def touching(world: World) -> Iterator[Event]:
    """The size at the touch swings far enough to move the microprice, not the ladder."""
    book = world.maker.quoter.book
    bid, ask = book.bid_tick, book.ask_tick
    for n in count():
        world.now += NS_PER_MS
        small, large = 40_000_000, 90_000_000
        sizes = (large, small) if n % 2 else (small, large)
        yield delta(world, [(bid, sizes[0])], [(ask, sizes[1])])


def moving(world: World) -> Iterator[Event]:
    """The whole market goes up and down by three ticks; acks come in between, unmeasured."""
    world._feed = "ours alone"
    for n in count():
        world.run(0.3)
        low = 57 if n % 2 else 60
        gone = [(tick, 0) for tick in range(40, 80)]
        bids = [(low - i, 30_000_000) for i in range(5)]
        asks = [(low + 2 + i, 30_000_000) for i in range(5)]
        yield delta(world, [*gone, *bids], [*gone, *asks])


def fills(world: World) -> Iterator[Event]:
    """Our best bid is filled by one lot again and again."""
    for n in count(10**9):
        world.now += NS_PER_MS
        order = next(o for o in world.keeper.orders.live(MARKET) if o.side is Side.BUY)
        yield Fill(
            market=MARKET, client_id=order.client_id, venue_id=order.venue_id, trade_id=n,
            at_ns=world.now, venue_ns=world.now, side=order.side, tick=order.tick, lots=1,
            fee_atoms=0, fee_asset="USDT", is_maker=True,
        )  # fmt: skip


def timers(world: World) -> Iterator[Event]:
    for _ in count():
        world.now += 50 * NS_PER_MS
        for links in world.engine.links.values():
            for link in links.by_stream.values():
                link.alive(world.now)
        yield Timer(at_ns=world.now)


def is_nothing(step: Step) -> bool:
    return not step.decided and not step.commands


def is_idle_decision(step: Step) -> bool:
    return bool(step.decided) and not step.commands


def is_ladder_moved(step: Step) -> bool:
    return bool(step.decided) and len(step.commands) >= 2


def any_of(step: Step) -> bool:
    return True


def main() -> None:
    chosen = arguments(__doc__ or "")
    rounds = ROUNDS_QUICK if chosen.quick else ROUNDS
    plan: list[tuple[str, Callable[[World], Iterator[Event]], Callable[[Step], bool], int]] = [
        ("delta, wakes nobody", deep, is_nothing, rounds),
        ("delta, wakes, changes nothing", touching, is_idle_decision, rounds // 4),
        ("delta, moves the ladder", moving, is_ladder_moved, rounds // 40),
        ("fill", fills, any_of, rounds // 20),
        ("timer", timers, any_of, rounds // 4),
    ]
    timings: list[Timing] = []
    facts: dict[str, object] = {}
    for name, make, is_wanted, times in plan:
        world = quoting()
        found, share = measured(name, world, make(world), is_wanted, times)
        timings.append(found)
        facts[f"share as named: {name}"] = share
    finish(timings, facts, as_json=chosen.json)


if __name__ == "__main__":
    sys.exit(main())
