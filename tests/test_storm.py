"""Ten times the normal rate through the real driver: books may be merged, nothing else may."""

import msgspec
import pytest

from bench.storm import Weather, storm

SHORT = Weather(
    markets=5, messages_per_s=2_000, fills_per_s=40, times=10, calm_s=0.3, storm_s=0.7, seed=3
)


@pytest.mark.parametrize("markets", [1, 5, 40])
async def test_a_storm_loses_no_fill_keeps_their_order_and_ends_in_the_right_books(
    tmp_path, markets
):
    found = await storm(tmp_path, msgspec.structs.replace(SHORT, markets=markets))
    assert found.fills_sent, "nothing was filled, so nothing was proved"
    assert found.fills_journaled == found.fills_sent
    assert found.fills_counted == len(found.fills_sent)
    assert found.books_differ == []
    assert found.merged > 0, "a burst of two hundred must be conflated"
    assert sum(len(spans) for spans in found.fill_to_journal.values()) == len(found.fills_sent)
