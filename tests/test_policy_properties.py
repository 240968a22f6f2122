"""What holds for every history of ratings, markets and fills, with the playbook that is shipped."""

from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.signals.outlook import NOTHING_KNOWN, Outlook
from engine.trading.playbook_file import load_playbook
from engine.trading.posture import HedgeStance, Signal
from engine.values.events import RatingLabel
from tests.policy_builders import (
    PERSISTENCE_S,
    SIGNAL_CAP,
    STEP_S,
    TARGET,
    WORDS,
    Market,
    after,
    at,
    histories,
    make,
    moves,
    outlook_words,
    positions,
    rating,
)
from tests.trading_builders import BANDS

SHIPPED = Path(__file__).resolve().parent.parent / "configs" / "playbook.toml"
PLAYBOOK = load_playbook(SHIPPED.read_text(), SHIPPED.name)
COVER = list(HedgeStance)
STEP = 0.05
BUY_SIGNALS = (Signal.BUY, Signal.STRONG_BUY)
DAY_S = 86_400

walks = settings(max_examples=60, deadline=None)


def asked(history, position):
    """Every answer along a history, in order."""
    return after(history, position, PLAYBOOK).log


def is_no_riskier(careful, fresh):
    """Part by part: what may be added, what is shown, how close, how much cover."""
    assert careful.room_bid_lots <= fresh.room_bid_lots
    assert careful.worst_lots <= fresh.worst_lots
    assert careful.bid_size <= fresh.bid_size
    assert careful.bid_closer <= fresh.bid_closer
    assert careful.bid_out_ticks >= fresh.bid_out_ticks
    assert careful.stops_share <= fresh.stops_share
    assert COVER.index(careful.hedge) >= COVER.index(fresh.hedge)


# --- (a) a rating alone -------------------------------------------------------------------------


@walks
@given(histories, positions)
def test_no_history_lifts_the_worst_case_over_what_its_event_opened_with(history, position):
    opened = {}
    for one in asked(history, position):
        event, worst_lots = one.ruling.event, one.ruling.worst_lots
        if event.is_open:
            first = opened.setdefault(event.number, one.position)
            assert worst_lots <= max(one.position, first + SIGNAL_CAP)
        assert worst_lots == one.position + one.ruling.room_bid_lots


@walks
@given(histories, positions)
def test_beyond_what_neutral_allows_no_rating_leads_past_its_events_cap(history, position):
    market = after(history, position, PLAYBOOK)
    ruling = market.ask()
    calm = Market(PLAYBOOK, position=market.position)
    calm.outlook = market.outlook
    neutral = calm.rate(RatingLabel.NEUTRAL)
    bound = ruling.event.opened_lots + SIGNAL_CAP if ruling.event.is_open else 0
    assert ruling.worst_lots <= max(neutral.worst_lots, bound)


# --- (b) stale and missing ----------------------------------------------------------------------


def late(given_rating, now_s):
    return msgspec.structs.replace(given_rating, expires_ns=at(now_s))


@walks
@given(histories, positions, st.sampled_from(list(RatingLabel)), st.sampled_from("nsv"))
def test_a_missing_late_or_thin_rating_is_never_bolder_than_a_fresh_one(history, lots, label, how):
    fresh, careful = after(history, lots, PLAYBOOK), after(history, lots, PLAYBOOK)
    set_now = rating(label, fresh.at_s)
    instead = {
        "n": None,
        "s": late(set_now, fresh.at_s),
        "v": msgspec.structs.replace(set_now, voted=3),
    }
    is_no_riskier(careful.ask(rating=instead[how]), fresh.ask(rating=set_now))


@walks
@given(histories, positions)
def test_a_rating_that_just_went_stale_is_never_bolder_than_one_renewed(history, position):
    fresh, careful = after(history, position, PLAYBOOK), after(history, position, PLAYBOOK)
    old = fresh.rating
    if old is None:
        return
    renewed = msgspec.structs.replace(old, at_ns=at(fresh.at_s), expires_ns=at(fresh.at_s + 9_999))
    is_no_riskier(careful.ask(rating=late(old, fresh.at_s)), fresh.ask(rating=renewed))


@walks
@given(histories, positions, outlook_words, st.sampled_from([*WORDS, "all"]))
def test_an_unknown_answer_about_the_market_is_never_bolder(history, position, words, missing):
    fresh, careful = after(history, position, PLAYBOOK), after(history, position, PLAYBOOK)
    known = Outlook(**words)
    doubt = NOTHING_KNOWN
    if missing != "all":
        word = getattr(NOTHING_KNOWN, missing)
        doubt = msgspec.structs.replace(known, **{missing: word})
    is_no_riskier(careful.ask(outlook=doubt), fresh.ask(outlook=known))


@walks
@given(histories, positions)
def test_a_position_that_is_not_known_is_never_bolder(history, position):
    fresh, careful = after(history, position, PLAYBOOK), after(history, position, PLAYBOOK)
    is_no_riskier(careful.ask(zone=None), fresh.ask())


@walks
@given(histories, positions, st.data())
def test_a_rating_that_was_missing_in_the_past_earns_no_room_later(history, position, data):
    missing = data.draw(st.integers(0, len(history) - 1))
    places = [data.draw(positions) for _ in history]
    fresh, careful = Market(PLAYBOOK, position=position), Market(PLAYBOOK, position=position)
    for number, (move, lots) in enumerate(zip(history, places, strict=True)):
        gap = msgspec.structs.replace(move, is_rated=True, label=None)
        still = [msgspec.structs.replace(one, share=0.0) for one in (move, gap)]
        before = make(fresh, still[0])
        make(careful, still[number == missing])
        assert careful.ask().room_bid_lots <= before.room_bid_lots
        if number == missing:
            careful.rating = fresh.rating
        assert careful.hold(position=lots).room_bid_lots <= fresh.hold(position=lots).room_bid_lots


# --- (c) to (f) ---------------------------------------------------------------------------------


@walks
@given(histories, positions)
def test_nothing_ever_passes_the_cap_of_the_bands(history, position):
    for one in asked(history, position):
        assert 0 <= one.ruling.room_bid_lots <= max(0, BANDS.cap_lots - one.position)


@walks
@given(histories, positions)
def test_no_rating_ever_empties_a_side_of_the_display(history, position):
    for one in asked(history, position):
        assert 0 < one.ruling.bid_size <= 2
        assert 0 < one.ruling.ask_size <= 2


@walks
@given(histories, positions)
def test_displayed_sizes_never_grow_faster_than_a_step_in_its_time(history, position):
    shown = asked(history, position)
    for number, one in enumerate(shown):
        soon = [later.ruling for later in shown[number:] if later.at_s - one.at_s < STEP_S]
        assert max(later.bid_size for later in soon) <= one.ruling.bid_size + STEP + 1e-9
        assert max(later.ask_size for later in soon) <= one.ruling.ask_size + STEP + 1e-9


@walks
@given(histories, positions)
def test_above_target_a_buy_adds_nothing_before_every_look_has_seen_it_so_long(history, position):
    since_s = None
    for one in asked(history, position):
        if one.ruling.answers.signal not in BUY_SIGNALS:
            since_s = None
            continue
        since_s = one.at_s if since_s is None else since_s
        if one.at_s - since_s < PERSISTENCE_S and one.position >= TARGET:
            assert one.ruling.room_bid_lots == 0


# --- (g) whipsaw --------------------------------------------------------------------------------

FLIPS = st.lists(
    st.tuples(st.sampled_from([*RatingLabel, None]), st.integers(60, PERSISTENCE_S - 1)),
    min_size=4,
    max_size=12,
)


def flip_all_day(flips, position, *, between_s):
    """A day of these labels, a buy after each, with every lot of a buy's room filled at once."""
    market = Market(PLAYBOOK, position=position)
    market.rate(RatingLabel.BUY)
    while market.at_s < DAY_S:
        for label, wait_s in flips:
            market.rate(label)
            fill(market, wait_s + between_s)
            market.rate(RatingLabel.BUY)
            fill(market, wait_s)
    return market


def fill(market, wait_s):
    """All the room that there is under an open event, at once and again when time has gone."""
    for seconds in (0, wait_s):
        ruling = market.wait(seconds)
        if ruling.event.is_open:
            market.hold(position=market.position + ruling.room_bid_lots)


@settings(max_examples=8, deadline=None)
@given(FLIPS, positions)
def test_ratings_that_flip_sooner_than_they_persist_add_one_cap_in_a_whole_day(flips, position):
    market = flip_all_day(flips, position, between_s=0)
    assert market.position <= position + SIGNAL_CAP
    assert market.ask().event.number == 1


@settings(max_examples=8, deadline=None)
@given(FLIPS)
def test_ratings_that_flip_slower_add_one_cap_for_each_event_that_persistence_allows(flips):
    market = flip_all_day(flips, 0, between_s=PERSISTENCE_S)
    events = market.ask().event.number
    assert events <= 1 + market.at_s // PERSISTENCE_S
    assert market.position <= min(BANDS.cap_lots, events * SIGNAL_CAP)


# --- recovery -----------------------------------------------------------------------------------


@walks
@given(histories, positions)
def test_a_restart_at_any_moment_answers_as_if_there_had_been_none(history, position):
    market = after(history, position, PLAYBOOK)
    before, again = market.ask(), market.restarted().ask()
    assert again.event == before.event
    assert again.room_bid_lots == before.room_bid_lots
    assert again.posture == before.posture
    assert again.is_held == before.is_held
    assert again.bid_size <= before.bid_size + STEP + 1e-9


@walks
@given(histories, positions, moves)
def test_asking_twice_is_asking_once(history, position, move):
    once, twice = after(history, position, PLAYBOOK), after(history, position, PLAYBOOK)
    for _ in range(3):
        twice.ask()
    assert make(once, move).key == make(twice, move).key
    assert once.ask().room_bid_lots == twice.ask().room_bid_lots
