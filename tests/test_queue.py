"""Queue positions: the worked numbers of the specification, and what holds for every model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sim.matching.queue import Log, Power, QueuePlace, RiskAverse
from engine.sim.matching.shared_queue import SharedQueue
from engine.sim.matching.terms import Resting
from engine.values.units import Side

MODELS = [RiskAverse(), Power(1), Power(2), Power(3), Log()]


def place(model, front):
    return QueuePlace(model, front)


@pytest.mark.parametrize(
    ("model", "front"),
    [(RiskAverse(), 30.0), (Power(1), 24.0), (Log(), 21.07669029)],
)
def test_a_cancel_moves_the_front_as_the_model_says(model, front):
    queue = place(model, 30)
    queue.on_depth(prev=100, new=80, traded=0)
    assert queue.front_lots == pytest.approx(front, abs=5e-9)


def test_a_trade_is_not_counted_again_when_the_depth_shows_it():
    queue = place(Power(1), 30)
    assert queue.on_trade(10) == 0
    queue.on_depth(prev=100, new=80, traded=10)
    assert queue.front_lots == pytest.approx(18, abs=1e-12)


def test_what_trades_after_the_front_is_exhausted_passes():
    queue = place(RiskAverse(), 30)
    assert queue.on_trade(25) == 0
    assert queue.on_trade(25) == 20
    assert queue.front_lots == 0


def test_a_level_that_grows_adds_behind_us():
    queue = place(Power(1), 30)
    queue.on_depth(prev=100, new=500, traded=0)
    assert queue.front_lots == 30


def test_the_front_is_never_more_than_what_is_shown():
    queue = place(RiskAverse(), 30)
    queue.on_depth(prev=100, new=10, traded=0)
    assert queue.front_lots == 10


@given(st.sampled_from(MODELS), st.integers(0, 1000), st.integers(0, 1000))
def test_a_chance_is_a_chance(model, front, back):
    assert 0 <= model.prob(front, back) <= 1


@given(
    st.sampled_from(MODELS),
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 200)), max_size=20),
)
def test_an_order_never_moves_back_and_never_past_the_front(model, shown, depths):
    queue, prev = place(model, shown), shown
    for new, traded in depths:
        before = queue.front_lots
        queue.on_trade(traded)
        queue.on_depth(prev, new, traded)
        assert 0 <= queue.front_lots <= min(before, new)
        prev = new


@given(st.lists(st.integers(1, 100), max_size=20), st.integers(0, 300))
def test_what_passes_is_the_volume_less_the_front(trades, shown):
    queue = place(RiskAverse(), shown)
    passed = sum(queue.on_trade(lots) for lots in trades)
    assert passed == max(sum(trades) - shown, 0)


def test_a_later_order_never_overtakes_an_earlier_one():
    # Alone, the later place (80 of 100 in front) would end at 11.1, before the earlier at 15.
    queue = SharedQueue(Power(3))
    for order_id, shown in ((1, 50), (2, 80)):
        queue.join(
            Resting(order_id=order_id, owner="me", side=Side.BUY, tick=62, lots_left=5), shown
        )
    queue.depth(prev=100, new=30)
    queue.check(shown=30)
    assert [front for _, front in queue] == [15, 15]
