"""What each way to hedge would cost, and what bars it; sizes and costs to the atom."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.book import Book
from engine.signals.outlook import HedgeRatio
from engine.trading.hedge_choice import Candidate, Carry, Offer, assess, choose
from engine.trading.hedge_params import HedgeInstrument, HedgeKind
from engine.trading.hedge_sizes import (
    cost_of,
    cost_worst,
    lots_per_token,
    lots_within,
    tick_limit,
)
from engine.values.events import Fill
from engine.values.units import BUY, SELL, Side
from tests.hedge_builders import hedge_params
from tests.hedge_world import BETA, BTC, BTT, CONVERSION, RATIO

PERPETUAL = HedgeInstrument(kind=HedgeKind.PERPETUAL, market="BTC/USDT@other")
CARRY = Carry(
    basis_bps=3.0, funding_bps_day=6.0, margin_share=0.2, liquidation_distance=0.5
)  # fmt: skip


def book(*bids: tuple[int, int]) -> Book:
    made = Book()
    made.apply_snapshot(list(bids or [(9_990, 10), (9_980, 100)]), [(10_010, 10), (10_020, 100)])
    return made


def offer(**changes: Any) -> Offer:
    fields: dict[str, Any] = {
        "way": BETA,
        "item": BTC,
        "book": book(),
        "side": SELL,
        "lots": 20,
        "ratio": RATIO,
        "carry": None,
    }
    return Offer(**(fields | changes))


def costs(**changes: Any) -> Candidate:
    return assess(offer(**changes), hedge_params())


def test_the_cost_is_half_the_spread_the_walk_the_fee_and_what_stays_at_risk():
    found = costs()
    parts = {"half spread": 10.0, "slippage": 5.0, "fee": 10.0, "residual risk": 10.0}
    assert found.parts == pytest.approx(parts)
    assert found.cost_bps == pytest.approx(35.0)
    assert found.text == "35 bp (half spread 10, slippage 5, fee 10, residual risk 10)"


def test_a_ratio_scales_what_is_paid_and_not_what_stays_at_risk():
    found = costs(ratio=HedgeRatio(ratio=2.0, error=0.1, residual_share=0.5))
    assert found.cost_bps == pytest.approx(60.0)


def test_letting_go_has_no_penalty_and_walks_the_asks():
    found = costs(side=BUY)
    assert found.cost_bps == pytest.approx(25.0)


def test_a_perpetual_earns_its_basis_and_pays_its_funding():
    found = costs(way=PERPETUAL, carry=CARRY)
    assert found.parts["basis"] == pytest.approx(-3.0)
    assert found.parts["funding"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ratio": None}, "hedge ratio not known"),
        ({"ratio": HedgeRatio(ratio=1.0, error=0.6, residual_share=0.1)}, "too uncertain"),
        ({"ratio": HedgeRatio(ratio=-1.0, error=0.1, residual_share=0.1)}, "no ratio"),
        ({"ratio": HedgeRatio(ratio=float("nan"), error=0.1, residual_share=0.1)}, "no ratio"),
        ({"ratio": HedgeRatio(ratio=1.0, error=0.1, residual_share=0.9)}, "90% of the risk"),
        ({"lots": 111}, "too thin"),
        ({"lots": 0}, "too thin"),
        ({"book": Book()}, "cost not known"),
        ({"way": PERPETUAL}, "no basis, funding and margin"),
        ({"problem": "failed: why"}, "failed: why"),
    ],
)
def test_what_is_not_known_is_never_chosen(changes, why):
    found = costs(**changes)
    assert found.cost_bps is None
    assert why in found.why_not
    assert choose([found], is_urgent=False) == []


def test_a_perpetual_near_its_liquidation_is_not_chosen():
    near = Carry(basis_bps=0.0, funding_bps_day=0.0, margin_share=0.9, liquidation_distance=0.2)
    assert "liquidation is 20% away" in costs(way=PERPETUAL, carry=near).why_not


def test_the_cheapest_comes_first_and_in_a_hurry_what_shrinks_inventory():
    dear = assess(offer(way=CONVERSION, book=book((9_950, 100))), hedge_params())
    cheap = costs()
    assert [each.way for each in choose([dear, cheap], is_urgent=False)] == [BETA, CONVERSION]
    assert [each.way for each in choose([dear, cheap], is_urgent=True)] == [CONVERSION, BETA]


# --- sizes --------------------------------------------------------------------------------------


def test_another_asset_covers_by_value_times_the_ratio():
    per = lots_per_token(
        (BTT, 12_600), (BTC, 12_000_000), HedgeRatio(ratio=2.0, error=0, residual_share=0)
    )
    assert per == Fraction(6_300, 10**8) * 2 / (60_000 * Fraction(1, 10**6))


def test_the_same_asset_covers_unit_by_unit_whatever_the_price():
    assert lots_per_token((BTT, 0), (BTT, 5), RATIO) == 1


def test_without_a_price_there_is_no_size():
    assert lots_per_token((BTT, 0), (BTC, 5), RATIO) is None


@given(side=st.sampled_from(Side), mid=st.integers(2, 10**9), bps=st.floats(0.01, 1_000))
def test_no_limit_lies_further_from_mid_than_the_ceiling(side, mid, bps):
    limit = tick_limit(side, mid, bps)
    distance = side.sign * (Fraction(limit) - Fraction(mid, 2))
    assert distance <= Fraction(mid, 2) * Fraction(bps) / 10_000
    assert distance > Fraction(mid, 2) * Fraction(bps) / 10_000 - 1


def test_what_a_taker_finds_ends_at_its_limit():
    assert lots_within(book(), SELL, 9_990) == 10
    assert lots_within(book(), SELL, 9_980) == 110
    assert lots_within(book(), BUY, 10_009) == 0


@given(
    side=st.sampled_from(Side),
    mid=st.integers(19_000, 21_000),
    better=st.integers(0, 200),
    lots=st.integers(1, 10**6),
    asset=st.sampled_from(["USDT", "BTC", "BNB"]),
)
def test_no_fill_within_its_limit_costs_more_than_was_reserved(side, mid, better, lots, asset):
    limit = tick_limit(side, mid, 100.0)
    tick = limit - side.sign * better
    money = BTC.quote_atoms(tick, lots)
    fees = {"USDT": money // 1000, "BTC": BTC.base_atoms(lots) // 1000, "BNB": 1}
    fill = Fill(
        market=BTC.market, client_id="a", venue_id="b", trade_id=1, at_ns=0, venue_ns=0, side=side,
        tick=tick, lots=lots, fee_atoms=fees[asset], fee_asset=asset, is_maker=False,
    )  # fmt: skip
    assert 0 < cost_of(BTC, mid, fill) <= cost_worst(BTC, side, mid, limit) * lots
