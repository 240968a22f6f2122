"""The shipped playbook through the policy: the five rows, the conflict, and what `why` says."""

from pathlib import Path

import msgspec
import pytest

from engine.signals.outlook import (
    NOTHING_KNOWN,
    Correlation,
    DepthTrend,
    Known,
    Outlook,
    Regime,
    Thickness,
    Turnover,
    VolatilityTrend,
)
from engine.trading.playbook_file import load_playbook
from engine.trading.policy_explain import explain
from engine.trading.posture import HedgeStance
from engine.values.events import RatingLabel
from engine.values.units import NS_PER_S
from tests.policy_builders import PERSISTENCE_S, SIGNAL_CAP, STEP_S, TARGET, Market, at
from tests.trading_builders import BANDS

SHIPPED = Path(__file__).resolve().parent.parent / "configs" / "playbook.toml"
PLAYBOOK = load_playbook(SHIPPED.read_text(), SHIPPED.name)
BUY, SELL, NEUTRAL = RatingLabel.BUY, RatingLabel.SELL, RatingLabel.NEUTRAL
WAY = BANDS.cap_lots - TARGET


def outlook(**words):
    known = Outlook(
        btc=Regime.STABLE,
        correlation=Correlation.LOW,
        depth=DepthTrend.STEADY,
        volatility=VolatilityTrend.STEADY,
        book=Thickness.DEEP,
        turnover=Turnover.NORMAL,
        beta=Known(0.8, 60 * NS_PER_S),
        spread_bps=Known(160.0, 0),
        depth_lots=((1, 2), (3, 4), (5, 6)),
    )
    return msgspec.structs.replace(known, **words)


def market_in(position=TARGET, **words):
    market = Market(PLAYBOOK, position=position)
    market.outlook = outlook(**words)
    return market


# --- the five rows ------------------------------------------------------------------------------


def test_a_buy_that_the_market_can_take_accumulates_under_control():
    market = market_in(TARGET - 1, depth=DepthTrend.IMPROVING)
    first = market.rate(BUY)
    assert (first.bid_size, first.bid_closer, first.hedge) == (1.0, 0.1, HedgeStance.HOLD)
    assert [market.wait(STEP_S).bid_size for _ in range(3)] == [1.05, 1.1, 1.1]
    assert market.hold(position=TARGET + 1).hedge is HedgeStance.STAGED
    assert market.ask().room_bid_lots == 0
    assert market.wait(PERSISTENCE_S).worst_lots == TARGET - 1 + SIGNAL_CAP


def test_a_buy_in_a_thin_book_while_btc_is_weak_adds_no_size():
    market = market_in(TARGET + 1, book=Thickness.THIN, btc=Regime.WEAK)
    market.rate(BUY)
    ruling = market.wait(2 * PERSISTENCE_S)
    assert ruling.is_held
    assert (ruling.room_bid_lots, ruling.bid_closer, ruling.hedge) == (0, 0, HedgeStance.EXCESS)
    assert ruling.bid_size < 1
    assert ruling.bid_out_ticks > 0
    assert ruling.stops_share < 1


def test_neutral_in_a_quiet_market_keeps_the_shape():
    ruling = market_in(turnover=Turnover.LOW).rate(NEUTRAL)
    assert ruling.posture.row == "neutral, range-bound, low turnover"
    assert (ruling.bid_size, ruling.ask_size, ruling.bid_closer) == (1, 1, 0)
    assert (ruling.worst_lots, ruling.hedge) == (BANDS.cap_lots, HedgeStance.STAGED)


def test_a_sell_while_depth_thins_shows_less_and_covers_more():
    market = market_in(TARGET, volatility=VolatilityTrend.RISING, depth=DepthTrend.THINNING)
    ruling = market.rate(SELL)
    assert ruling.hedge is HedgeStance.MORE
    assert 0 < ruling.ask_size < 1
    assert ruling.ask_out_ticks > 0
    assert ruling.worst_lots == TARGET


def test_a_sell_while_btc_breaks_support_defends_the_book():
    ruling = market_in(TARGET, btc=Regime.BREAKING_SUPPORT).rate(SELL)
    assert (ruling.hedge, ruling.stops_share) == (HedgeStance.ACCELERATE, 0.5)
    assert ruling.ask_size > 0 < ruling.bid_size
    assert ruling.room_bid_lots == 0


def test_where_no_row_fits_the_default_leaves_room_below_the_cap():
    ruling = market_in(TARGET).rate(NEUTRAL)
    assert ruling.posture.row.startswith("default")
    assert ruling.worst_lots == TARGET + int(0.8 * WAY)


# --- conflict and doubt -------------------------------------------------------------------------


@pytest.mark.parametrize("btc", [Regime.WEAK, Regime.BREAKING_SUPPORT])
def test_a_buy_against_the_market_is_a_conflict_and_is_recorded(btc):
    market = market_in(depth=DepthTrend.IMPROVING, btc=btc)
    ruling = market.rate(BUY)
    assert ruling.conflict
    assert market.journal[-1].conflict
    neutral = market_in(depth=DepthTrend.IMPROVING, btc=btc).rate(NEUTRAL)
    assert ruling.posture.exposure <= neutral.posture.exposure


def test_a_market_of_which_nothing_is_known_is_quoted_with_care_on_both_sides():
    market = Market(PLAYBOOK, position=TARGET)
    market.outlook = NOTHING_KNOWN
    ruling = market.ask()
    assert ruling.careful
    assert ruling.room_bid_lots == 0
    assert min(ruling.bid_size, ruling.ask_size) > 0


# --- why ----------------------------------------------------------------------------------------


def told(market, label, wait_s=0):
    market.rate(label)
    market.wait(wait_s)
    return explain(market.policy.picture(at(market.at_s)))


def test_why_tells_the_five_questions_in_their_order():
    found = told(market_in(depth=DepthTrend.IMPROVING), BUY, wait_s=30)
    names = [each["question"] for each in found["questions"]]
    assert names == ["signal", "inventory", "broad market", "liquidity", "action"]
    signal, inventory, broad, liquidity, action = found["questions"]
    assert signal["says"] == (
        "the rating is buy, 30 s old, 26 of 26 voted; its side has held for 30 s"
    )
    assert inventory["numbers"]["position_lots"] == TARGET
    assert (broad["answers"]["btc"], broad["numbers"]["beta_age_s"]) == ("stable", 60)
    assert liquidity["numbers"]["depth_5pct_ask_lots"] == 6
    assert action["answers"]["row"] == found["row"] == "buy, depth improving, BTC stable"


def test_why_says_what_the_rating_said_where_it_is_too_old():
    market = market_in()
    market.rate(BUY, ttl_s=50)
    market.wait(60)
    says = explain(market.policy.picture(at(60)))["questions"][0]["says"]
    assert says.startswith("the rating said buy, but it is too old")


def test_why_names_the_conflict_the_doubt_and_the_missing_confirmation():
    found = told(market_in(btc=Regime.WEAK), BUY)
    assert found["conflict"]
    assert any("disagree" in note for note in found["notes"])
    doubtful = told(market_in(btc=Regime.UNKNOWN, volatility=VolatilityTrend.UNKNOWN), SELL)
    assert "btc" in doubtful["careful"]
    lonely = Market(PLAYBOOK, confirmations_min=6)
    lonely.outlook = outlook(depth=DepthTrend.IMPROVING)
    assert any("of 6 factors confirm" in note for note in told(lonely, BUY)["notes"])


def test_why_is_one_json_object():
    found = told(market_in(), SELL)
    assert msgspec.json.decode(msgspec.json.encode(found)) == found


@pytest.mark.parametrize(
    ("label", "words", "wait_s", "begins"),
    [
        (BUY, {}, 0, "Not yet"),
        (BUY, {}, PERSISTENCE_S, "Yes"),
        (BUY, {"btc": Regime.WEAK}, PERSISTENCE_S, "No: a buy implies accumulation, but BTC"),
        (BUY, {"depth": DepthTrend.UNKNOWN}, PERSISTENCE_S, "No"),
        (NEUTRAL, {}, 0, "Yes: neutral"),
        (SELL, {}, 0, "Yes"),
        (SELL, {"depth": DepthTrend.THINNING}, 0, "Only in stages"),
        (BUY, {}, 10_000, "Not asked"),
    ],
)
def test_whether_the_market_is_ready_is_one_sentence(label, words, wait_s, begins):
    ready = told(market_in(**words), label, wait_s)["ready"]
    assert ready.startswith(begins)
    assert ready.endswith(".")
    assert ready.count(".") == 1
