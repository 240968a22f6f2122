"""I7: no two pairs of epoch and count read alike."""

from hypothesis import given
from hypothesis import strategies as st

from engine.trading.client_ids import ClientIds

PAIRS = st.tuples(st.integers(0, 10**5), st.integers(1, 10**5))


def name(epoch, count):
    ids = ClientIds("bal", epoch)
    ids._count = count - 1
    return ids()


@given(PAIRS, PAIRS)
def test_ids_of_different_epochs_and_counts_differ(one, other):
    assert (name(*one) == name(*other)) == (one == other)


def test_a_long_count_of_an_early_epoch_is_no_short_count_of_a_late_one():
    """Where the letter between the two was a digit too, epoch 1 met epoch 2485 at order 2485."""
    early = {name(1, count) for count in range(1, 50_000)}
    assert not early & {name(epoch, 1) for epoch in range(2, 50_000)}


def test_ids_are_letters_and_digits_and_ours():
    ids = ClientIds("bal", 35)
    assert all(ids().isalnum() for _ in range(100))
    assert ids.is_ours(ids())
    assert not ids.is_ours("web_1")
