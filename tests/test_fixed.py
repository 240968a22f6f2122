"""The short example strategy."""

import pytest

from strategies.fixed import FixedParams, FixedStrategy
from tests.trading_builders import view

FIXED = FixedStrategy(FixedParams(half_spread_ticks=1.2, lots=500, step_ticks=0.0))


def test_it_quotes_both_sides_rounded_away_from_the_market() -> None:
    ladder = FIXED.quote(view(bid_tick=60, ask_tick=65))
    assert [(one.tick, one.lots) for one in ladder.bids] == [(61, 500)]
    assert [(one.tick, one.lots) for one in ladder.asks] == [(64, 500)]
    assert ladder.bids[0].reason.rounding == pytest.approx(0.3)


def test_without_a_mid_both_sides_say_why() -> None:
    ladder = FIXED.quote(view(ask_tick=0, ask_lots=0))
    assert ladder.bids == ladder.asks == ()
    assert ladder.bids_absent
    assert ladder.asks_absent


def test_a_spread_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError):
        FixedParams(half_spread_ticks=0.0, lots=500, step_ticks=0.0)


def test_a_mid_that_moves_less_than_a_step_moves_no_quote():
    still = FixedStrategy(FixedParams(half_spread_ticks=1.2, lots=500, step_ticks=10.0))
    near = still.quote(view(bid_tick=58, ask_tick=60, microprice=59.0))
    nearer = still.quote(view(bid_tick=60, ask_tick=62, microprice=61.0))
    assert [level.tick for level in near.asks] == [level.tick for level in nearer.asks]
