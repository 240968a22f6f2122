"""What a rating may bring about: persistence, the event's cap, confirmation, sizes, recovery."""

import msgspec
import pytest

from engine.signals.outlook import DepthTrend, Regime, Thickness, Turnover, VolatilityTrend
from engine.trading.policy import Policy
from engine.trading.policy_ruling import RoomBy
from engine.trading.posture import HedgeStance, Signal
from engine.trading.rules import RulesParams
from engine.values.events import RatingLabel
from tests.policy_builders import (
    FRIENDLY,
    PERSISTENCE_S,
    SIGNAL_CAP,
    STEP_S,
    TARGET,
    BySignal,
    Market,
    at,
    rating,
    rules,
)
from tests.trading_builders import BANDS, BTT

BUY, SELL, NEUTRAL = RatingLabel.BUY, RatingLabel.SELL, RatingLabel.NEUTRAL
ABOVE = TARGET + 1_000_000


# --- question 1 ---------------------------------------------------------------------------------


def test_a_fresh_rating_is_the_signal():
    assert Market().rate(RatingLabel.STRONG_SELL).answers.signal is Signal.STRONG_SELL


def test_a_rating_past_its_time_is_unknown():
    market = Market()
    market.rate(BUY, ttl_s=100)
    assert market.wait(99).answers.signal is Signal.BUY
    assert market.wait(1).answers.signal is Signal.UNKNOWN


def test_the_playbook_may_think_less_of_an_old_rating_than_its_source():
    market = Market(rating_age_max_s=50.0)
    market.rate(BUY, ttl_s=100)
    assert market.wait(50).answers.signal is Signal.UNKNOWN


@pytest.mark.parametrize(("voted", "signal"), [(19, Signal.UNKNOWN), (20, Signal.BUY)])
def test_too_few_votes_are_no_rating(voted, signal):
    assert Market().rate(BUY, voted=voted).answers.signal is signal


@pytest.mark.parametrize(("needed", "signal"), [(True, Signal.UNKNOWN), (False, Signal.BUY)])
def test_whether_a_persons_word_counts_without_votes_is_written_down(needed, signal):
    assert Market(votes_needed=needed).rate(BUY, voted=None).answers.signal is signal


def test_a_rating_from_the_future_counts_from_now():
    market = Market(position=ABOVE)
    ruling = market.ask(rating=rating(BUY, 500))
    assert ruling.answers.signal is Signal.BUY
    assert ruling.began_ns == at(0)


# --- persistence --------------------------------------------------------------------------------


def test_above_target_a_buy_adds_nothing_before_it_has_held():
    market = Market(position=ABOVE)
    ruling = market.rate(BUY)
    assert (ruling.room_bid_lots, ruling.room_by) == (0, RoomBy.NOT_HELD)
    assert market.wait(PERSISTENCE_S - 1).room_bid_lots == 0
    assert market.wait(1).room_bid_lots == SIGNAL_CAP


def test_below_target_an_unheld_buy_may_fill_up_to_it():
    assert Market(position=TARGET - 1000).rate(BUY).room_bid_lots == 1000


def test_from_buy_to_strong_buy_the_clock_and_the_event_go_on():
    market = Market(position=ABOVE)
    market.rate(BUY)
    market.wait(PERSISTENCE_S - 1)
    event = market.rate(RatingLabel.STRONG_BUY).event
    ruling = market.wait(1)
    assert ruling.is_held
    assert ruling.event == event


def test_a_gap_in_a_buy_starts_its_clock_again():
    market = Market(position=ABOVE)
    market.rate(BUY, ttl_s=500)
    market.wait(501)
    market.rate(BUY)
    assert market.wait(PERSISTENCE_S - 1).room_bid_lots == 0


def test_a_gap_that_no_decision_saw_starts_the_clock_again():
    market = Market(position=ABOVE)
    market.rate(BUY, ttl_s=500)
    market.at_s = 550
    market.rate(BUY)
    assert not market.wait(PERSISTENCE_S - 1).is_held


def test_a_sell_that_goes_stale_goes_on_counting_for_its_cover():
    market = Market()
    market.rate(SELL, ttl_s=500)
    ruling = market.wait(800)
    assert ruling.answers.signal is Signal.UNKNOWN
    assert ruling.held_s(at(800)) == 800
    assert market.rate(SELL).held_s(at(900)) == 900


def test_a_rating_that_is_not_known_adds_nothing_above_target():
    ruling = Market(position=ABOVE).ask()
    assert (ruling.room_bid_lots, ruling.room_by) == (0, RoomBy.NOT_KNOWN)


# --- the event and its cap ----------------------------------------------------------------------


def test_a_buy_may_add_its_cap_and_no_more_however_it_is_filled():
    market = Market(position=10_000_000)
    market.rate(BUY)
    for _ in range(5):
        market.hold(position=market.position + market.ask().room_bid_lots)
        market.wait(PERSISTENCE_S)
    assert market.position == 10_000_000 + SIGNAL_CAP
    assert market.ask().room_by is RoomBy.EVENT


@pytest.mark.parametrize("between", [NEUTRAL, SELL, None])
def test_a_buy_that_comes_back_soon_is_the_same_event(between):
    market = Market(position=10_000_000)
    first = market.rate(BUY).event
    market.hold(position=12_000_000)
    market.rate(between)
    market.wait(PERSISTENCE_S - 1)
    again = market.rate(BUY)
    assert again.event == first
    assert again.room_bid_lots == SIGNAL_CAP - 2_000_000


def test_a_buy_after_neutral_has_held_is_another_event():
    market = Market(position=10_000_000)
    market.rate(BUY)
    market.hold(position=12_000_000)
    market.rate(NEUTRAL)
    market.wait(PERSISTENCE_S)
    again = market.rate(BUY)
    assert (again.event.number, again.event.opened_lots) == (2, 12_000_000)


def test_neutral_then_sell_count_together_as_an_end_of_the_buy():
    market = Market()
    market.rate(BUY)
    market.rate(NEUTRAL)
    market.wait(PERSISTENCE_S / 2)
    market.rate(SELL)
    assert not market.wait(PERSISTENCE_S / 2).event.is_open


def test_a_stale_rating_never_ends_an_event():
    market = Market(position=10_000_000)
    first = market.rate(BUY, ttl_s=100).event
    market.hold(position=12_000_000)
    market.wait(50 * PERSISTENCE_S)
    assert market.rate(BUY).event == first


def test_a_neutral_that_goes_stale_before_it_has_held_ends_no_event():
    market = Market(position=10_000_000)
    first = market.rate(BUY).event
    market.rate(NEUTRAL, ttl_s=100)
    market.wait(50 * PERSISTENCE_S)
    market.rate(NEUTRAL)
    assert market.wait(1).event == first


def test_a_rating_that_is_not_known_may_be_a_buy_and_is_bound_like_one():
    ruling = Market(position=10_000_000).ask()
    assert (ruling.room_bid_lots, ruling.room_by) == (SIGNAL_CAP, RoomBy.EVENT)


def test_what_was_sold_in_between_is_not_bought_twice():
    market = Market(position=10_000_000)
    market.rate(BUY)
    market.rate(NEUTRAL)
    market.hold(position=7_000_000)
    ruling = market.rate(BUY)
    assert ruling.event.opened_lots == 7_000_000
    assert ruling.room_bid_lots == SIGNAL_CAP


def test_the_cap_of_the_event_also_holds_while_neutral_has_not_ended_it():
    market = Market(position=ABOVE)
    market.rate(BUY)
    market.rate(NEUTRAL)
    assert market.ask().worst_lots == ABOVE + SIGNAL_CAP
    assert market.wait(PERSISTENCE_S).worst_lots == BANDS.cap_lots


def test_while_the_position_is_not_known_nothing_may_be_added():
    market = Market()
    market.rate(BUY)
    ruling = market.ask(zone=None)
    assert (ruling.room_bid_lots, ruling.room_by) == (0, RoomBy.NO_POSITION)
    assert ruling.hedge is HedgeStance.STAGED


# --- sizes, confirmation, spacing, cover --------------------------------------------------------


def test_bids_grow_step_by_step_and_shrink_at_once():
    market = Market()
    assert market.rate(BUY).bid_size == 1.0
    shown = [market.wait(STEP_S).bid_size for _ in range(6)]
    assert shown == [1.05, 1.1, 1.15, 1.2, 1.2, 1.2]
    ruling = market.rate(SELL)
    assert (ruling.bid_size, ruling.ask_size) == (0.5, 0.7)
    market.rate(NEUTRAL)
    ruling = market.wait(STEP_S)
    assert (ruling.bid_size, ruling.ask_size) == (0.55, 0.75)


def test_a_long_silence_earns_one_step():
    market = Market()
    market.rate(BUY)
    assert market.wait(20 * STEP_S).bid_size == 1.05
    assert market.wait(STEP_S - 1).bid_size == 1.05


def test_bids_show_no_more_than_usual_while_too_few_factors_agree():
    market = Market()
    market.outlook = msgspec.structs.replace(FRIENDLY, btc=Regime.WEAK, depth=DepthTrend.STEADY)
    market.rate(BUY)
    assert len(market.wait(STEP_S).factors) == 2
    assert market.wait(STEP_S).bid_size == 1.0
    market.agreeing = (BUY,)
    assert market.ask().bid_size == 1.05
    market.agreeing = (BUY, SELL)
    assert market.ask().bid_size == 1.0


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("depth", DepthTrend.THINNING),
        ("depth", DepthTrend.UNKNOWN),
        ("btc", Regime.WEAK),
        ("btc", Regime.UNKNOWN),
        ("volatility", VolatilityTrend.RISING),
        ("volatility", VolatilityTrend.UNKNOWN),
        ("book", Thickness.THIN),
        ("book", Thickness.UNKNOWN),
    ],
)
def test_each_factor_that_turns_away_confirms_no_more(word, value):
    market = Market()
    before = market.rate(BUY).factors
    market.outlook = msgspec.structs.replace(FRIENDLY, **{word: value})
    assert len(market.ask().factors) == len(before) - 1


def test_high_turnover_is_a_factor():
    market = Market()
    before = market.rate(BUY).factors
    market.outlook = msgspec.structs.replace(FRIENDLY, turnover=Turnover.HIGH)
    assert set(market.ask().factors) - set(before) == {"turnover high"}


@pytest.mark.parametrize(
    "words",
    [
        {"volatility": VolatilityTrend.RISING},
        {"volatility": VolatilityTrend.UNKNOWN},
        {"depth": DepthTrend.THINNING},
        {"depth": DepthTrend.UNKNOWN},
    ],
)
def test_bids_never_close_up_unless_volatility_and_depth_are_known_to_be_well(words):
    market = Market()
    assert market.rate(BUY).bid_closer == 0.2
    market.outlook = msgspec.structs.replace(FRIENDLY, **words)
    assert market.ask().bid_closer == 0.0


def test_cover_is_let_go_only_below_target():
    market = Market(position=TARGET)
    assert market.rate(BUY).hedge is HedgeStance.STAGED
    assert market.hold(position=TARGET - 1).hedge is HedgeStance.HOLD


# --- asking again, records, recovery ------------------------------------------------------------


def test_asking_again_where_only_numbers_moved_gives_the_same_object():
    market = Market()
    market.rate(BUY)
    ruling = market.wait(STEP_S / 2)
    market.outlook = msgspec.structs.replace(FRIENDLY)
    assert market.wait(1) is ruling
    assert market.policy.record_if_changed() is None
    assert market.policy.picture(at(100)).numbers["held_s"] == 100


@pytest.mark.parametrize("label", [BUY, NEUTRAL, SELL])
def test_time_alone_makes_a_side_held_at_the_next_look(label):
    market = Market()
    market.rate(label)
    assert not market.wait(PERSISTENCE_S - 1).is_held
    assert market.wait(1).is_held


def test_a_change_of_the_rows_reason_to_be_is_recorded_once():
    market = Market()
    market.rate(BUY)
    market.wait(1)
    market.rate(SELL)
    kept = [fact for fact in market.journal if not hasattr(fact, "label")]
    assert [(one.answers["signal"], one.row) for one in kept] == [("buy", "buy"), ("sell", "sell")]
    assert (kept[0].event, kept[0].event_lots, kept[0].playbook) == (1, TARGET, "test")


def test_a_restart_continues_the_event_and_grants_nothing():
    market = Market(position=10_000_000)
    market.rate(BUY)
    market.hold(position=13_000_000)
    market.wait(PERSISTENCE_S - 1)
    restarted = market.restarted()
    assert restarted.ask().event == market.ask().event
    assert restarted.ask().room_bid_lots == SIGNAL_CAP - 3_000_000
    assert restarted.wait(1).is_held


def test_a_restart_continues_the_time_that_a_buy_has_held():
    market = Market(position=ABOVE)
    market.rate(BUY)
    market.wait(PERSISTENCE_S - 10)
    market.outlook = msgspec.structs.replace(FRIENDLY, book=Thickness.THIN)
    market.ask()
    restarted = market.restarted()
    assert not restarted.wait(9).is_held
    assert restarted.wait(1).is_held


def test_a_restart_does_not_make_displayed_sizes_jump():
    market = Market()
    market.rate(SELL)
    market.rate(NEUTRAL)
    restarted = market.restarted()
    assert restarted.ask().bid_size == market.ask().bid_size == 0.5


def test_another_playbook_for_the_market_grants_nothing():
    market = Market(position=10_000_000)
    event = market.rate(BUY).event
    market.hold(position=13_000_000)
    policy = Policy(BySignal(), rules(persistence_s=60.0), BTT, BANDS, "another")
    policy.take_over(market.policy)
    ruling = policy.ask(market.seen())
    assert (ruling.event, ruling.room_bid_lots) == (event, SIGNAL_CAP - 3_000_000)
    assert policy.record_if_changed().playbook == "another"


def test_ratings_of_another_market_are_not_remembered():
    market = Market(position=ABOVE)
    market.policy.remember(rating(BUY, -PERSISTENCE_S, market="ETH/USDT@loopback"))
    assert not market.rate(BUY).is_held


# --- the file's table ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("votes_min", 27),
        ("confirmations_min", 7),
        ("confirmations_min", -1),
        ("size_step", 0.0),
        ("persistence_s", 0.0),
        ("rating_age_max_s", float("nan")),
        ("size_step_every_s", float("inf")),
    ],
)
def test_a_rule_that_makes_no_sense_names_itself(name, value):
    with pytest.raises(ValueError, match=name):
        rules(**{name: value})


@pytest.mark.parametrize("text", ["0", "-5", "0.5", "many", "1e6"])
def test_a_signal_cap_must_be_whole_lots(text):
    with pytest.raises(ValueError, match=r"rules\.signal_cap"):
        Policy(BySignal(), rules(signal_cap=text), BTT, BANDS, "test")


def test_no_rule_has_a_default():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({}, RulesParams)
