"""Engine time never jumps, and a wall clock that does is noticed (K01)."""

from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.clock import MonotonicClock


class Hands:
    """Two clocks that a test moves by hand."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_700_000_000_000_000_000, 5_000

    def clock(self) -> MonotonicClock:
        return MonotonicClock(lambda: self.wall, lambda: self.monotonic)

    def pass_by(self, ns: int) -> None:
        self.wall += ns
        self.monotonic += ns


@given(steps=st.lists(st.tuples(st.integers(0, 10**12), st.integers(-(10**13), 10**13))))
def test_k01_a_stepped_wall_clock_moves_no_moment_of_ours(steps: list[tuple[int, int]]) -> None:
    hands = Hands()
    clock = hands.clock()
    began_ns, passed_ns = clock.now_ns(), 0
    for passing_ns, step_ns in steps:
        hands.pass_by(passing_ns)
        hands.wall += step_ns
        passed_ns += passing_ns
        assert clock.now_ns() == began_ns + passed_ns
        assert clock.step_ns() == step_ns
        assert clock.step_ns() == 0


def test_engine_time_starts_at_the_wall_clock() -> None:
    hands = Hands()
    assert hands.clock().now_ns() == hands.wall


def test_the_real_clocks_agree_with_themselves() -> None:
    clock = MonotonicClock()
    before_ns = clock.now_ns()
    assert clock.now_ns() >= before_ns
    assert abs(clock.step_ns()) < 10**9
