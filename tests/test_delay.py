"""How late a feed runs, whatever two clocks think of each other."""

from hypothesis import given
from hypothesis import strategies as st

from engine.market.delay import DelayMeter, DelayParams
from engine.values.units import NS_PER_S

S = NS_PER_S


def meter(window_s=60):
    return DelayMeter(DelayParams(window_ns=window_s * S))


@given(st.integers(-3_600 * S, 3_600 * S), st.lists(st.integers(0, 10 * S), min_size=1))
def test_only_the_change_of_the_difference_counts(skew_ns, delays):
    found = meter(window_s=10**6)
    for i, delay_ns in enumerate(delays):
        found.observe(10_000 * S + i * S + delay_ns, 10_000 * S + i * S - skew_ns)
        assert found.delay_ns == delay_ns - min(delays[: i + 1])


def test_a_late_message_after_punctual_ones_is_late_by_as_much():
    found = meter()
    found.observe(100 * S, 99 * S)
    found.observe(103 * S, 100 * S)
    assert found.delay_ns == 2 * S


def test_a_message_without_a_venue_time_says_nothing():
    found = meter()
    found.observe(100 * S, 99 * S)
    found.observe(103 * S, 100 * S)
    found.observe(109 * S, 0)
    assert found.delay_ns == 2 * S


def test_what_was_fast_two_windows_ago_no_longer_counts():
    found = meter(window_s=10)
    found.observe(0 + S, S)
    for second in range(2, 40):
        found.observe(second * S, second * S - S // 2)
    assert found.delay_ns == 0


def test_what_was_fast_one_window_ago_still_counts():
    found = meter(window_s=10)
    found.observe(S, S)
    found.observe(12 * S, 11 * S)
    assert found.delay_ns == S


def test_a_new_connection_starts_over():
    found = meter()
    found.observe(100 * S, 100 * S)
    found.reset()
    found.observe(105 * S, 100 * S)
    assert found.delay_ns == 0
