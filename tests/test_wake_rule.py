"""The wake rule: what changes nothing that the strategy watches ends at the book."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from bench.kernel_forms import is_compiled, kernels
from engine.trading.order_table import Order
from engine.trading.standing import MarketState
from engine.values.commands import Place
from engine.values.events import BookDelta, Event, OrderReport, OrderState
from engine.values.step import Step
from engine.values.units import Side
from tests.sim.calm import quoting
from tests.sim.venue import MARKET
from tests.sim.world import World

BOOK_AND_FEATURES = ("engine.market.book", "engine.market.depth", "engine.market.features")
OF_A_QUIET_DELTA = {
    "engine.core": {"Engine.process", "Engine._on_market"},
    "engine.trading.links": {"Link.alive"},
    "engine.trading.quoter": {
        "Quoter.on_delta",
        "Quoter._after_book",
        "Quoter._feel",
        "Quoter.wake_cause",
    },
    "engine.market.delay": {"DelayMeter.observe"},
    "engine.market.second_stream": {"SecondStream.on_book"},
    "engine.trading.maker": {"Maker.see"},
    "engine.trading.standing": {"Standing.may_quote"},
}
"""Perception, the question whether to wake, and whether we may quote at all: nothing else."""


def entered(act: Callable[[], Any]) -> dict[str, set[str]]:
    """The Python functions of the engine and the strategies that run during `act`, by module."""
    found: dict[str, set[str]] = {}

    def note(frame: FrameType, event: str, arg: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith(("engine.", "strategies.")):
            found.setdefault(module, set()).add(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return found


def is_told(module: str) -> bool:
    """A compiled module runs no Python, and shows in no profile."""
    return module not in BOOK_AND_FEATURES and not (module in kernels() and is_compiled(module))


def quiet() -> dict[str, set[str]]:
    return {module: names for module, names in OF_A_QUIET_DELTA.items() if is_told(module)}


def above_the_book(world: World, event: Event) -> dict[str, set[str]]:
    found = entered(lambda: world.engine.process(event))
    return {module: names for module, names in found.items() if is_told(module)}


def delta(world: World, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> BookDelta:
    sequence = world.maker.quoter.sequence + 1
    return BookDelta(market=MARKET, at_ns=world.now, sequence=sequence, bids=bids, asks=asks)


def joined(world: World) -> World:
    """Others stand at every best price, so that it is never we who make the top."""
    book = world.maker.quoter.book
    bid, ask = (book.bid_tick, book.bid_lots + 10**9), (book.ask_tick, book.ask_lots + 10**9)
    world.engine.process(delta(world, [bid], [ask]))
    world.engine.process(delta(world, [bid], [ask]))  # the first may have moved our own orders
    return world


@pytest.fixture
def world() -> World:
    quoted = quoting()
    assert quoted.state is MarketState.QUOTING
    return quoted


def test_a_delta_far_from_the_touch_runs_nothing_but_perception_and_the_question(
    world: World,
) -> None:
    far = delta(joined(world), [(30, 1_000_000)], [(90, 7)])
    assert above_the_book(world, far) == quiet()


def test_a_delta_that_repeats_what_the_book_holds_runs_no_more(world: World) -> None:
    book = joined(world).maker.quoter.book
    same = delta(world, [(book.bid_tick, book.bid_lots)], [(book.ask_tick, book.ask_lots)])
    assert above_the_book(world, same) == quiet()


def test_where_our_order_alone_makes_the_top_the_book_is_looked_at_without_it(
    world: World,
) -> None:
    found = above_the_book(world, delta(world, [(30, 1_000_000)], []))
    more = found.pop("engine.trading.quoter") - OF_A_QUIET_DELTA["engine.trading.quoter"]
    assert more <= {"Quoter._top", "Quoter._theirs"}
    assert all(names <= OF_A_QUIET_DELTA[module] for module, names in found.items())


def test_a_top_that_moves_does_wake_the_strategy(world: World) -> None:
    """The other way round: else the tests above would also hold of an engine that is dead."""
    book = world.maker.quoter.book
    gone = [(tick, 0) for tick in range(book.ask_tick, book.ask_tick + 3)]
    found = above_the_book(world, delta(world, [], gone))
    assert "engine.trading.reconcile" in found


def leaves(world: World, order: Order) -> Step:
    """We have asked the venue to end this order, and now it says that it has."""
    world.keeper.orders.cancel_sent(order.client_id, world.now)
    return has_left(world, order)


def has_left(world: World, order: Order) -> Step:
    word = OrderReport(
        market=MARKET, client_id=order.client_id, venue_id=order.venue_id or "v", at_ns=world.now,
        update_ns=world.now, state=OrderState.CANCELED, side=order.side, tick=order.tick,
        lots=order.lots, filled_lots=0,
    )  # fmt: skip
    return world.engine.process(word)


def test_an_order_that_leaves_wakes_the_strategy_for_whoever_waits_for_its_place(
    world: World,
) -> None:
    step = leaves(world, world.keeper.orders.live(MARKET)[0])
    assert step.decided == MARKET
    assert any(isinstance(command, Place) for command in step.commands)


def test_an_order_that_leaves_wakes_nobody_where_all_that_may_stand_does(world: World) -> None:
    stray = Place(
        market=MARKET, client_id="stray", side=Side.BUY, tick=30, lots=4_000_000, post_only=True,
        at_ns=world.now,
    )  # fmt: skip
    step = leaves(world, world.keeper.orders.intend(stray))
    assert (step.decided, step.commands) == ("", [])


def test_of_orders_that_leave_together_the_last_asks_for_those_who_wait(world: World) -> None:
    first, second = world.keeper.orders.live(MARKET)[:2]
    for order in (first, second):
        world.keeper.orders.cancel_sent(order.client_id, world.now)
    step = has_left(world, first)
    assert (step.decided, step.commands) == ("", [])
    assert has_left(world, second).decided == MARKET
