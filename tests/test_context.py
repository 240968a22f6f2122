"""The outlook: unknown when missing or stale, exact in its ages, and cheap."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signals.context import AGE_STEP_NS, ContextMeter
from engine.signals.outlook import (
    Correlation,
    DepthTrend,
    Outlook,
    Regime,
    Thickness,
    Turnover,
    VolatilityTrend,
)
from engine.signals.outlook_params import OutlookParams
from engine.values.units import NS_PER_MS, NS_PER_S
from tests.outlook_builders import HOUR_NS, bars, beta_params, outlook_params, walks

BARS = 100
BTC, TOKEN = (bars(closes) for closes in walks(1, BARS, 1.2, 0.005))
CLOSED_NS = BTC[-1].open_ns + HOUR_NS
DEPTHS = ((900, 1_000), (2_000, 2_500), (6_000, 5_000))
WARM_S = 120
SAMPLE_NS = 200 * NS_PER_MS


def measured(params: OutlookParams | None = None) -> tuple[ContextMeter, int]:
    """A meter that knows everything, and the moment of its last sample."""
    meter = ContextMeter(params or outlook_params())
    meter.on_btc_bars(HOUR_NS, BTC, CLOSED_NS)
    meter.on_token_bars(HOUR_NS, TOKEN, CLOSED_NS)
    return meter, watched(meter, CLOSED_NS, WARM_S)


def watched(meter: ContextMeter, from_ns: int, seconds: int, depths=DEPTHS) -> int:
    at_ns = from_ns
    for i in range(seconds * 5):
        at_ns = from_ns + i * SAMPLE_NS
        meter.on_market(at_ns, depths, 150.0, 0.5, 62.0)
        meter.on_trade(20, at_ns)
    return at_ns


def unknowns(outlook: Outlook) -> set[str]:
    words = ("btc", "correlation", "depth", "volatility", "book", "turnover")
    return {name for name in words if getattr(outlook, name) == "unknown"}


def test_a_meter_that_was_told_nothing_knows_nothing():
    assert ContextMeter(outlook_params()).outlook(CLOSED_NS) == Outlook()


def test_everything_is_known_after_warm_up():
    meter, now_ns = measured()
    outlook = meter.outlook(now_ns)
    assert unknowns(outlook) == set()
    assert outlook.correlation is Correlation.HIGH
    assert outlook.depth is DepthTrend.STEADY
    assert outlook.volatility is VolatilityTrend.STEADY
    assert outlook.book is Thickness.DEEP
    assert outlook.turnover is Turnover.NORMAL
    assert outlook.depth_lots == DEPTHS
    assert outlook.beta.value == pytest.approx(1.2, abs=0.3)
    assert outlook.spread_bps.value == 150.0
    assert 0 < outlook.score.value < 100
    assert outlook.depth_ratio.value == pytest.approx(1)


def test_each_unknown_number_is_absent_too():
    outlook = measured()[0].outlook(CLOSED_NS + 100 * HOUR_NS)
    assert outlook == Outlook()


def test_a_silent_book_is_unknown_after_its_age_and_not_a_nanosecond_before():
    meter, at_ns = measured()
    last_ns = at_ns + 2 * NS_PER_S
    assert unknowns(meter.outlook(last_ns)) == set()
    assert unknowns(meter.outlook(last_ns + 1)) == {"depth", "volatility", "book", "turnover"}
    assert meter.outlook(last_ns + 1).depth_lots == ()
    assert meter.outlook(last_ns + 1).score is None


def test_silent_bars_are_unknown_after_their_age():
    meter, _ = measured()
    watched(meter, CLOSED_NS + 2 * HOUR_NS - 5 * NS_PER_S, 10)
    assert unknowns(meter.outlook(CLOSED_NS + 2 * HOUR_NS)) == set()
    stale = meter.outlook(CLOSED_NS + 2 * HOUR_NS + 1)
    assert unknowns(stale) == {"btc", "correlation"}
    assert (stale.beta, stale.correlation_value) == (None, None)


def test_beta_is_stale_where_only_one_market_goes_on():
    meter, _ = measured()
    later = bars([BTC[-1].close] * 3, start_ns=CLOSED_NS)
    meter.on_btc_bars(HOUR_NS, later, CLOSED_NS + 3 * HOUR_NS)
    outlook = meter.outlook(CLOSED_NS + 3 * HOUR_NS)
    assert outlook.btc is not Regime.UNKNOWN
    assert outlook.correlation is Correlation.UNKNOWN
    assert meter.hedge_ratio(CLOSED_NS + 3 * HOUR_NS) is None
    assert meter.hedge_ratio(CLOSED_NS + 2 * HOUR_NS).ratio == pytest.approx(1.2, abs=0.3)


def test_a_book_with_an_empty_side_is_unknown_at_once():
    meter, at_ns = measured()
    meter.on_market(at_ns + 1, ((0, 0),) * 3, None, None, 0.0)
    assert unknowns(meter.outlook(at_ns + 1)) == {"depth", "volatility", "book", "turnover"}


def test_a_spread_or_volatility_that_is_missing_is_unknown_alone():
    meter, at_ns = measured()
    meter.on_market(at_ns + 1, DEPTHS, None, None, 62.0)
    outlook = meter.outlook(at_ns + 1)
    assert unknowns(outlook) == {"volatility"}
    assert (outlook.spread_bps, outlook.score, outlook.volatility_ratio) == (None, None, None)


def test_a_book_that_empties_is_thinning_and_thin_and_scores_less():
    meter, at_ns = measured()
    before = meter.outlook(at_ns).score.value
    thin = tuple((bid // 20, ask) for bid, ask in DEPTHS)
    end_ns = watched(meter, at_ns, 60, thin)
    outlook = meter.outlook(end_ns)
    assert outlook.depth is DepthTrend.THINNING
    assert outlook.book is Thickness.THIN
    assert outlook.score.value < before


def test_ages_are_those_of_the_last_whole_step():
    meter, at_ns = measured()
    now_ns = at_ns - at_ns % AGE_STEP_NS + 10 * AGE_STEP_NS + 7
    assert meter.outlook(now_ns).spread_bps.age_ns == now_ns - 7 - at_ns
    assert meter.outlook(now_ns).beta.age_ns == now_ns - 7 - CLOSED_NS


def test_a_bar_that_opens_after_it_was_told_is_not_believed():
    meter, _ = measured()
    meter.on_btc_bars(HOUR_NS, bars([5], start_ns=CLOSED_NS + 1_000 * HOUR_NS), CLOSED_NS)
    assert meter.outlook(CLOSED_NS + 500 * HOUR_NS).btc is Regime.UNKNOWN


def test_bars_of_a_span_that_nobody_asked_for_change_nothing():
    meter, at_ns = measured()
    before = meter.outlook(at_ns)
    meter.on_token_bars(NS_PER_S, [msgspec.structs.replace(TOKEN[-1])], at_ns)
    meter.on_btc_bars(NS_PER_S, [msgspec.structs.replace(BTC[-1])], at_ns)
    assert meter.outlook(at_ns) == before


def test_another_time_frame_has_a_hedge_ratio_of_its_own():
    slow = beta_params(span="4h", bars_min=5)
    meter, at_ns = measured(outlook_params(beta=[beta_params(), slow]))
    assert meter.hedge_ratio(at_ns, 4 * HOUR_NS) is None
    assert meter.hedge_ratio(at_ns, HOUR_NS) == meter.hedge_ratio(at_ns)
    assert meter.hedge_ratio(at_ns, 17) is None


def test_history_in_the_other_order_gives_the_same_outlook():
    meter, at_ns = measured()
    other = ContextMeter(outlook_params())
    for start in (60, 30, 0):
        other.on_token_bars(HOUR_NS, TOKEN[start : start + 40], CLOSED_NS)
        other.on_btc_bars(HOUR_NS, BTC[start : start + 40], CLOSED_NS)
    watched(other, CLOSED_NS, WARM_S)
    assert other.outlook(at_ns) == meter.outlook(at_ns)


@given(st.lists(st.integers(0, 5 * NS_PER_S), min_size=1, max_size=40))
def test_a_kept_answer_is_the_answer_that_a_fresh_look_gives(moments):
    meter, at_ns = MEASURED
    for moment in moments:
        kept = meter.outlook(at_ns + moment)
        meter._until_ns = 0
        assert kept == meter.outlook(at_ns + moment)


MEASURED = measured()


def test_most_calls_hand_out_the_answer_of_the_call_before():
    meter, at_ns = measured()
    now_ns = at_ns - at_ns % AGE_STEP_NS + AGE_STEP_NS
    first = meter.outlook(now_ns)
    assert all(meter.outlook(now_ns + i * NS_PER_MS) is first for i in range(100))
    assert meter.outlook(now_ns + AGE_STEP_NS) is not first
