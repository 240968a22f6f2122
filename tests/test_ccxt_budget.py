"""The rate budget never lets more through than the venue's rules, and keeps a way to cancel."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.common.budget import Cost, Counted, RateBudget, Rule
from engine.values.units import NS_PER_S

MINUTE = 60 * NS_PER_S
WEIGHT = Rule(counted=Counted.WEIGHT, limit=100, window_ns=MINUTE)
ORDERS = Rule(counted=Counted.ORDERS, limit=10, window_ns=10 * NS_PER_S)
PLACE = Cost(weight=1, orders=1)
QUERY = Cost(weight=4, is_urgent=True)
CANCEL = Cost(weight=1, is_urgent=True, is_cancel=True)


def spent(budget: RateBudget, now_ns: int, cost: Cost) -> int:
    """How often `cost` is granted at one moment."""
    count = 0
    while budget.take(now_ns, cost) == 0:
        count += 1
    return count


def test_places_leave_a_fifth_to_cancels_and_queries() -> None:
    budget = RateBudget([WEIGHT])
    assert spent(budget, MINUTE, Cost(weight=1)) == 80
    assert spent(budget, MINUTE, CANCEL) == 20


def test_orders_are_counted_apart_from_weight() -> None:
    budget = RateBudget([WEIGHT, ORDERS])
    assert spent(budget, MINUTE, PLACE) == 8
    assert budget.take(MINUTE, QUERY) == 0


def test_a_refused_cost_counts_nothing() -> None:
    budget = RateBudget([WEIGHT, ORDERS])
    spent(budget, MINUTE, PLACE)
    assert spent(budget, MINUTE, Cost(weight=1)) == 72


def test_the_wait_that_is_told_is_enough() -> None:
    budget = RateBudget([WEIGHT, ORDERS])
    spent(budget, MINUTE, PLACE)
    wait_ns = budget.take(MINUTE, PLACE)
    assert 0 < wait_ns <= 12 * NS_PER_S
    assert budget.take(MINUTE + wait_ns, PLACE) == 0


def test_the_venues_own_count_rules_where_it_is_higher() -> None:
    budget = RateBudget([WEIGHT])
    budget.observe(MINUTE, WEIGHT, 79)
    assert spent(budget, MINUTE, Cost(weight=1)) == 1
    budget.observe(MINUTE, WEIGHT, 3)
    assert spent(budget, MINUTE, Cost(weight=1)) == 0


def test_after_a_429_only_cancels_go_out() -> None:
    budget = RateBudget([WEIGHT])
    budget.hold(MINUTE + 7 * NS_PER_S)
    assert budget.take(MINUTE, PLACE) == 7 * NS_PER_S
    assert budget.take(MINUTE, QUERY) == 7 * NS_PER_S
    assert budget.take(MINUTE, CANCEL) == 0
    assert budget.take(MINUTE + 7 * NS_PER_S, PLACE) == 0


def test_after_a_418_nothing_goes_out() -> None:
    budget = RateBudget([WEIGHT])
    budget.ban(MINUTE + NS_PER_S)
    assert budget.take(MINUTE, CANCEL) == NS_PER_S
    assert budget.take(MINUTE + NS_PER_S, CANCEL) == 0


def test_new_rules_keep_what_was_spent_and_who_holds_us_off() -> None:
    budget = RateBudget([WEIGHT])
    assert spent(budget, MINUTE, Cost(weight=1)) == 80
    budget.ban(MINUTE + NS_PER_S)
    budget.learn([WEIGHT, ORDERS])
    assert budget.take(MINUTE, CANCEL) == NS_PER_S
    assert budget.take(MINUTE + NS_PER_S, PLACE) > 0
    assert spent(budget, MINUTE + NS_PER_S, CANCEL) == 20


@given(st.lists(st.tuples(st.integers(0, 8 * NS_PER_S), st.integers(1, 30), st.booleans())))
def test_no_window_of_the_venues_length_holds_more_than_the_limit(
    steps: list[tuple[int, int, bool]],
) -> None:
    budget, now_ns, granted = RateBudget([WEIGHT]), 0, []
    for pause_ns, weight, is_urgent in steps:
        now_ns += pause_ns
        if budget.take(now_ns, Cost(weight=weight, is_urgent=is_urgent)) == 0:
            granted.append((now_ns, weight))
    for end_ns, _ in granted:
        inside = [weight for at_ns, weight in granted if end_ns - MINUTE < at_ns <= end_ns]
        assert sum(inside) <= WEIGHT.limit
