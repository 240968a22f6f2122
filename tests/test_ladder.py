"""The default ladder: centre, width, sizes, stance, bands, and what a coarse tick does to them."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.trading.strategy import Ladder, Lean, View
from engine.values.events import RatingLabel
from engine.values.units import Side
from strategies.ladder import LadderParams, LadderStrategy
from tests.trading_builders import stance, view

LABELS = [
    RatingLabel.STRONG_SELL,
    RatingLabel.SELL,
    RatingLabel.NEUTRAL,
    RatingLabel.BUY,
    RatingLabel.STRONG_BUY,
]


def params(**changes: Any) -> LadderParams:
    fields: dict[str, Any] = {
        "levels": 3,
        "lots": 1_500_000,
        "lots_growth": 0.5,
        "step_ticks": 1.0,
        "half_spread_min_ticks": 0.1,
        "volatility_weight": 0.5,
        "horizon_s": 1.0,
        "half_spread_unknown_ticks": 0.5,
        "fee_weight": 1.0,
        "depth_thin_lots": 5_000_000,
        "thin_widening_ticks": 0.5,
        "hold_ticks": 0.0,
        "lean_ticks": 0.75,
        "zone_size_share": 0.25,
    }
    return LadderParams(**(fields | changes))


def quoted(shown: View | None = None, **changes: Any) -> Ladder:
    return LadderStrategy(params(**changes)).quote(shown if shown is not None else view())


def ticks(ladder: Ladder, side: Side) -> list[int]:
    return [level.tick for level in ladder.side(side)]


def total(ladder: Ladder, side: Side) -> int:
    return sum(level.lots for level in ladder.side(side))


# --- where the quotes stand ---------------------------------------------------------------------


def test_a_one_tick_market_is_joined_on_both_sides() -> None:
    ladder = quoted(view(bid_tick=62, ask_tick=63, microprice=62.5))
    assert ticks(ladder, Side.BUY) == [62, 61, 60]
    assert ticks(ladder, Side.SELL) == [63, 64, 65]


def test_a_two_tick_market_is_improved_on_the_side_that_the_microprice_leaves() -> None:
    ladder = quoted(view(bid_tick=62, ask_tick=64, microprice=63.4))
    assert (ladder.bids[0].tick, ladder.asks[0].tick) == (63, 64)


def test_a_two_tick_market_with_a_centred_microprice_is_joined() -> None:
    ladder = quoted(view(bid_tick=62, ask_tick=64, microprice=63.0))
    assert (ladder.bids[0].tick, ladder.asks[0].tick) == (62, 64)


def test_the_bid_stands_back_from_a_side_that_is_about_to_give_way() -> None:
    ladder = quoted(view(bid_tick=62, ask_tick=63, microprice=62.05))
    assert (ladder.bids[0].tick, ladder.asks[0].tick) == (61, 63)


def test_volatility_widens() -> None:
    ladder = quoted(view(volatility=4.0))
    assert (ladder.bids[0].tick, ladder.asks[0].tick) == (60, 65)


def test_unknown_volatility_is_quoted_at_the_careful_width() -> None:
    shown = view(volatility=None, microprice=62.5)
    assert quoted(shown, half_spread_unknown_ticks=2.6).bids[0].tick == 59


def test_fees_widen() -> None:
    assert quoted(fee_weight=30.0).bids[0].tick == 60


def test_a_thin_book_widens() -> None:
    thin = ((0, 0), (0, 0), (0, 9_000_000))
    ladder = quoted(view(depth_lots=thin), thin_widening_ticks=2.0)
    assert (ladder.bids[0].tick, ladder.asks[0].tick) == (60, 65)


def test_inventory_leans_the_centre_down_when_long_and_up_when_short() -> None:
    long, short = quoted(view(position_lots=39_000_000)), quoted(view(position_lots=1_000_000))
    assert long.bids[0].tick < short.bids[0].tick
    assert long.asks[0].tick < short.asks[0].tick
    assert long.bids[0].reason.skew < 0 < short.bids[0].reason.skew


def test_a_quote_that_the_lean_would_push_across_stays_passive() -> None:
    ladder = quoted(view(position_lots=1_000_000, microprice=62.9), lean_ticks=3.0)
    assert ladder.bids[0].tick == 62
    assert ladder.bids[0].reason.clamp == "kept passive"


def test_levels_that_land_on_one_tick_become_one() -> None:
    ladder = quoted(view(microprice=62.9), step_ticks=0.2, lots_growth=0.0)
    assert ticks(ladder, Side.BUY) == [62]
    assert ladder.bids[0].lots == 4_500_000


def test_levels_below_the_lowest_price_are_left_out() -> None:
    ladder = quoted(view(bid_tick=2, ask_tick=3, microprice=2.5))
    assert ticks(ladder, Side.BUY) == [2, 1]


def test_where_no_price_is_left_the_side_says_so() -> None:
    ladder = quoted(view(bid_tick=1, ask_tick=2, microprice=1.5, volatility=9.0))
    assert not ladder.bids
    assert "no price is left" in ladder.bids_absent


@pytest.mark.parametrize("microprice", [0.0, math.nan, math.inf])
def test_without_a_microprice_mid_is_the_centre(microprice: float) -> None:
    ladder = quoted(view(bid_tick=62, ask_tick=64, microprice=microprice))
    assert ladder.bids[0].reason.reference == 63.0


# --- what is not quoted -------------------------------------------------------------------------


def test_a_missing_side_of_the_market_is_not_quoted_and_says_why() -> None:
    ladder = quoted(view(bid_tick=0, bid_lots=0, microprice=0.0))
    assert ladder.bids == ()
    assert ladder.bids_absent == "the market has no bids"
    assert ladder.asks[0].tick > 63


def test_an_empty_market_is_not_quoted_at_all() -> None:
    ladder = quoted(view(bid_tick=0, bid_lots=0, ask_tick=0, ask_lots=0, microprice=0.0))
    assert (ladder.bids, ladder.asks) == ((), ())
    assert ladder.bids_absent
    assert ladder.asks_absent


def test_at_the_cap_there_is_no_bid_and_at_the_floor_no_ask() -> None:
    cap, floor = quoted(view(position_lots=40_000_000)), quoted(view(position_lots=0))
    assert not cap.bids
    assert "cap" in cap.bids_absent
    assert cap.asks
    assert not floor.asks
    assert "floor" in floor.asks_absent
    assert floor.bids


# --- sizes --------------------------------------------------------------------------------------


def test_sizes_grow_with_the_level() -> None:
    assert [level.lots for level in quoted().bids] == [1_500_000, 2_250_000, 3_000_000]


def test_below_the_band_bids_are_larger_and_asks_smaller_and_above_the_reverse() -> None:
    inside = quoted()
    below, above = quoted(view(position_lots=10_000_000)), quoted(view(position_lots=30_000_000))
    assert total(below, Side.BUY) > total(inside, Side.BUY) > total(above, Side.BUY)
    assert total(below, Side.SELL) < total(inside, Side.SELL) < total(above, Side.SELL)


# --- lean ---------------------------------------------------------------------------------------


def leaning(**changes: Any) -> View:
    return view(lean=Lean(row="a row", **changes))


def test_a_row_that_shows_more_bids_leaves_the_asks_as_they_are() -> None:
    more, plain = quoted(leaning(bid_size=1.1)), quoted()
    assert total(more, Side.BUY) == pytest.approx(1.1 * total(plain, Side.BUY), abs=3)
    assert total(more, Side.SELL) == total(plain, Side.SELL)
    assert "row a row" in more.bids[0].reason.stance


def test_a_row_may_close_up_the_bids_alone() -> None:
    closer = quoted(leaning(bid_closer=0.1))
    assert closer.bids[1].reason.width - closer.bids[0].reason.width == pytest.approx(0.9)
    assert closer.asks[1].reason.width - closer.asks[0].reason.width == pytest.approx(1.0)


def test_a_row_moves_a_side_away_from_the_market_by_its_ticks() -> None:
    plain, away = quoted(), quoted(leaning(ask_out_ticks=1.0, bid_out_ticks=2.0))
    assert ticks(away, Side.SELL) == [tick + 1 for tick in ticks(plain, Side.SELL)]
    assert ticks(away, Side.BUY) == [tick - 2 for tick in ticks(plain, Side.BUY)]


def test_a_row_opens_the_upper_asks_level_by_level() -> None:
    plain, opened = quoted(), quoted(leaning(upper_ask_out_ticks=1.0))
    moved = [o - p for o, p in zip(ticks(opened, Side.SELL), ticks(plain, Side.SELL), strict=True)]
    assert moved == [0, 1, 2]
    assert ticks(opened, Side.BUY) == ticks(plain, Side.BUY)


def test_a_rating_without_a_playbook_changes_no_quote() -> None:
    rated = quoted(view(stance=stance(RatingLabel.STRONG_SELL)))
    assert ticks(rated, Side.SELL) == ticks(quoted(), Side.SELL)
    assert total(rated, Side.BUY) == total(quoted(), Side.BUY)


def test_a_stale_rating_quotes_as_neutral_and_says_what_it_was() -> None:
    stale = stance(RatingLabel.NEUTRAL, was="strong buy", is_stale=True, age_ns=90 * 10**9)
    ladder, neutral = quoted(view(stance=stale)), quoted()
    assert ticks(ladder, Side.SELL) == ticks(neutral, Side.SELL)
    assert total(ladder, Side.BUY) == total(neutral, Side.BUY)
    assert "strong buy is 90 s old: stale" in ladder.bids[0].reason.stance


# --- params -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"levels": 0},
        {"levels": 51},
        {"lots": 0},
        {"half_spread_min_ticks": 0.0},
        {"lean_ticks": -1.0},
        {"horizon_s": math.nan},
        {"zone_size_share": 1.0},
    ],
)
def test_params_that_could_not_quote_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        params(**wrong)


# --- whatever the market ------------------------------------------------------------------------


@st.composite
def leans(draw: st.DrawFn) -> Lean:
    """Whatever a row of a playbook may say."""
    return Lean(
        bid_size=draw(st.floats(0.1, 2)),
        ask_size=draw(st.floats(0.1, 2)),
        bid_closer=draw(st.floats(0, 0.45)),
        bid_out_ticks=draw(st.floats(0, 5)),
        ask_out_ticks=draw(st.floats(0, 5)),
        upper_ask_out_ticks=draw(st.floats(0, 5)),
    )


@st.composite
def views(draw: st.DrawFn) -> View:
    bid = draw(st.integers(1, 120))
    ask = bid + draw(st.integers(1, 6))
    depth = draw(st.integers(0, 30_000_000))
    return view(
        bid_tick=bid,
        ask_tick=ask,
        microprice=draw(st.floats(bid, ask)),
        volatility=draw(st.none() | st.floats(0, 5)),
        depth_lots=((0, 0), (0, 0), (depth, draw(st.integers(0, 30_000_000)))),
        position_lots=draw(st.integers(-5_000_000, 45_000_000)),
        stance=stance(draw(st.sampled_from(LABELS))),
        lean=draw(leans()),
    )


@given(views(), st.floats(0, 3), st.floats(0.01, 3))
def test_quotes_never_cross_are_sorted_passive_positive_and_explained(
    shown: View, lean_ticks: float, half_spread: float
) -> None:
    ladder = quoted(shown, lean_ticks=lean_ticks, half_spread_min_ticks=half_spread)
    bids, asks = ticks(ladder, Side.BUY), ticks(ladder, Side.SELL)
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert all(tick < shown.ask_tick for tick in bids)
    assert all(tick > shown.bid_tick for tick in asks)
    assert not (bids and asks) or bids[0] < asks[0]
    assert all(level.lots > 0 for level in ladder.bids + ladder.asks)
    assert bool(bids) != bool(ladder.bids_absent)
    assert bool(asks) != bool(ladder.asks_absent)


@given(views())
def test_a_quote_is_never_better_for_the_other_side_than_its_reason(shown: View) -> None:
    ladder = quoted(shown)
    for level in ladder.bids:
        why = level.reason
        assert level.tick <= why.reference + why.skew - why.width
    for level in ladder.asks:
        why = level.reason
        assert level.tick >= why.reference + why.skew + why.width


@given(views(), st.integers(-5_000_000, 45_000_000))
def test_more_inventory_never_raises_the_bid(shown: View, other_lots: int) -> None:
    less, more = sorted((shown.position_lots, other_lots))
    ladders = [
        quoted(
            msgspec.structs.replace(shown, position_lots=lots, zone=shown.bands.zone(lots)),
        )
        for lots in (less, more)
    ]
    if ladders[1].bids:
        assert ladders[1].bids[0].tick <= ladders[0].bids[0].tick
    assert total(ladders[1], Side.BUY) <= total(ladders[0], Side.BUY)


@given(views(), st.floats(0.1, 2), st.floats(0.1, 2))
def test_a_row_that_shows_less_never_shows_more(shown: View, one: float, other: float) -> None:
    less, more = (
        quoted(msgspec.structs.replace(shown, lean=msgspec.structs.replace(shown.lean, bid_size=s)))
        for s in sorted((one, other))
    )
    assert total(less, Side.BUY) <= total(more, Side.BUY)


@given(views())
def test_the_same_view_gives_the_same_ladder(shown: View) -> None:
    assert quoted(shown) == quoted(shown)


def test_an_order_one_tick_behind_keeps_its_queue_place_through_a_flicker():
    shown = view(microprice=62.4, own_bid_ticks=(61,))
    flicker = quoted(shown, hold_ticks=0.35, lean_ticks=0.0, volatility_weight=0.0, fee_weight=0.0)
    assert flicker.bids[0].tick == 61
    assert flicker.bids[0].reason.clamp == "holds its queue place"


def test_a_price_well_inside_its_tick_moves_the_order_up():
    shown = view(microprice=62.6, own_bid_ticks=(61,))
    moved = quoted(shown, hold_ticks=0.35, lean_ticks=0.0, volatility_weight=0.0, fee_weight=0.0)
    assert moved.bids[0].tick == 62


def test_a_quote_is_never_held_nearer_to_the_market_than_wished():
    shown = view(microprice=61.9, bid_tick=61, own_bid_ticks=(62,))
    stepped = quoted(shown, hold_ticks=0.35, lean_ticks=0.0, volatility_weight=0.0, fee_weight=0.0)
    assert stepped.bids[0].tick == 61
