"""Drafts of threshold changes: stated rules, enough evidence, and never an unfit playbook."""

import tomllib
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from engine.sim.counterfactual import RowScore, Way, playbook_for, words_for
from engine.sim.drafts import Evidence, draft, drafted, moved_before, taken_back
from engine.sim.epochs import Marks
from engine.trading.playbook_file import load_playbook
from engine.trading.posture import AS_IT_IS
from engine.values.events import PlaybookSet, RatingSet
from tests.review_builders import S, decision, halt, playbook_set, rating, started, told

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "configs" / "playbook.toml"
TEXT = FILE.read_text()
BUY_ROW = "buy, depth improving, BTC stable"
PERSISTENCE_S = 1_800


def score(row=BUY_ROW, decisions=20, costly=15, own=-5):
    ways = (Way.NO_SIGNAL, Way.NEUTRAL, Way.FULL_HEDGE)
    return RowScore(
        row=row, decisions=decisions, seconds=9.0, same_row=decisions, costly=costly,
        own_atoms=dict.fromkeys(ways, own), profit_atoms=dict.fromkeys(ways, own),
    )  # fmt: skip


FLIPPED = [rating(60 * n, ("buy", "sell")[n % 2]) for n in range(5)]


def evidence(
    scores=(), changes=(), overrides=None, decisions=None, marks=None, ended_ns=0, error=0
):
    return Evidence(
        scores=list(scores), changes=list(changes), overrides=overrides or {},
        decisions=decisions or {}, marks=marks or Marks([], []), ended_ns=ended_ns,
        replay_error_atoms=error,
    )  # fmt: skip


def made(**what):
    return drafted(TEXT, "playbook.toml", draft(TEXT, "playbook.toml", evidence(**what)))


def changed(text):
    """Every number that differs from the present playbook, by path."""
    was, now = flat(tomllib.loads(TEXT)), flat(tomllib.loads(text))
    assert was.keys() == now.keys()
    return {path: now[path] for path in was if was[path] != now[path]}


def flat(value, path=""):
    if isinstance(value, dict):
        return {k: v for n, each in value.items() for k, v in flat(each, f"{path}.{n}").items()}
    if isinstance(value, list):
        return {k: v for n, each in enumerate(value) for k, v in flat(each, f"{path}.{n}").items()}
    return {path: value}


def flips(count, every_s, labels=("buy", "sell")):
    """Rating changes that come `every_s` after each other."""
    words = [rating(n * every_s, labels[n % len(labels)]) for n in range(count)]
    return told(started(), *words).changes


def test_a_costly_row_goes_half_way_back_to_the_strategys_own_quotes():
    text, found = made(scores=[score()])
    assert changed(text) == {".rows.0.quotes.bid_size": 1.05, ".rows.0.quotes.bid_closer": 0.05}
    assert {change.rule for change in found.changes} == {"too costly"}
    load_playbook(text, "a draft")


def test_a_draft_carries_its_evidence_as_comments_and_keeps_those_that_were_there():
    text, _ = made(scores=[score()])
    assert text.startswith("# DRAFT of playbook.toml, never applied by itself.")
    assert "15 of 20 decisions earned less than each counterfactual" in text
    assert TEXT.splitlines()[0] in text


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (score(decisions=9, costly=9), "too little evidence (9 of 10 decisions)"),
        (score(costly=9), "no;"),
        (score(own=0), "no;"),
        (score(row="gone"), "no row of this playbook"),
    ],
)
def test_a_row_without_the_evidence_stays_as_it_is(found, why):
    text, final = made(scores=[found])
    assert changed(text) == {}
    assert any(why in note for note in final.notes if note.startswith("too costly"))


def test_nothing_seen_is_a_draft_that_changes_nothing_and_says_so():
    text, final = made()
    assert changed(text) == {}
    assert sum("too little evidence" in note for note in final.notes) == 3
    assert "Nothing is changed" in text


def test_a_cost_that_the_replay_itself_may_have_made_up_changes_nothing():
    """Twenty decisions, five atoms less each way: the replay must not miss as much by itself."""
    for error, count in ((4, 2), (5, 0), (None, 0)):
        text, final = made(scores=[score()], error=error)
        assert len(changed(text)) == count
    assert any("the replay itself misses an unknown part" in note for note in final.notes)


def test_a_row_is_costly_only_against_what_its_replays_held_it_against():
    """Without a market to hedge in nothing is held against a full hedge."""
    text, _ = made(scores=[msgspec.structs.replace(score(), own_atoms={Way.NO_SIGNAL: -5})])
    assert ".rows.0.quotes.bid_size" in changed(text)


def test_ratings_that_did_not_rule_say_nothing_of_the_clock():
    changes = told(started(), rating(0, source="ann"), *FLIPPED).changes
    assert taken_back(changes, 100 * S) == (0, 0)


def test_buys_and_sells_that_the_market_did_not_follow_are_told():
    words = [
        rating(0, "buy"),
        decision(1, 60, 62),
        rating(2, "sell"),
        decision(3),
        rating(4, "buy"),
    ]
    _, final = made(changes=told(started(), decision(0), *words).changes)
    assert any("did not follow 2 of 2 buys and sells" in note for note in final.notes)


def test_ratings_that_are_taken_back_soon_ask_for_more_votes_and_more_time():
    text, _ = made(changes=flips(12, 60))
    assert changed(text) == {".rules.votes_min": 21, ".rules.persistence_s": 2_700.0}


def test_ratings_that_hold_change_nothing():
    assert changed(made(changes=flips(12, 2 * PERSISTENCE_S))[0]) == {}


def test_moves_that_are_over_before_they_count_ask_for_less_time_and_one_factor_more():
    every_s = 4 * PERSISTENCE_S
    changes = flips(12, every_s, ("buy", "neutral"))
    for change in changes:
        change.mid_half_ticks = 100
    rises = [c.at_ns + PERSISTENCE_S * S - 1 for c in changes]
    falls = [c.at_ns + PERSISTENCE_S * S + 1 for c in changes]
    moments = sorted([*rises, *falls])
    marks = Marks(moments, [110, 100] * len(changes))
    known = {"changes": changes * 2, "marks": marks, "ended_ns": changes[-1].at_ns + every_s * S}
    assert moved_before(evidence(**known), PERSISTENCE_S * S) == (12, 12)
    assert changed(made(**known)[0]) == {
        ".rules.confirmations_min": 3,
        ".rules.persistence_s": 1_200.0,
    }


def test_a_change_that_would_leave_no_order_of_exposure_is_left_out():
    defend = "sell, volatility rising, depth thinning"
    text, final = made(scores=[score(row=defend), score()])
    assert set(changed(text)) == {".rows.0.quotes.bid_size", ".rows.0.quotes.bid_closer"}
    assert any(note.startswith(f"left out, too costly, {defend}") for note in final.notes)


def test_labels_that_nobody_changed_yet_are_no_sample():
    assert taken_back(flips(3, 60), 100 * S) == (2, 2)


def test_a_row_that_people_overrule_is_named_and_no_number_follows():
    text, final = made(overrides={BUY_ROW: 3}, decisions={BUY_ROW: 12})
    assert changed(text) == {}
    assert any(note.startswith(f'overruled: "{BUY_ROW}"') for note in final.notes)


def test_a_few_words_among_many_decisions_are_no_complaint():
    _, final = made(overrides={BUY_ROW: 3}, decisions={BUY_ROW: 13})
    assert not any(note.startswith("overruled") for note in final.notes)


# --- what is told in the lives that were not ----------------------------------------------------


def test_no_signal_leaves_every_row_as_if_there_were_none():
    playbook = load_playbook(playbook_for(Way.NO_SIGNAL, TEXT, "b"), "b")
    assert {each.quotes for each in playbook.postures} == {AS_IT_IS.quotes}
    assert {each.limits for each in playbook.postures} == {AS_IT_IS.limits}


def test_full_hedge_covers_at_once_in_every_row_and_changes_nothing_else():
    was, now = load_playbook(TEXT, "b"), load_playbook(playbook_for(Way.FULL_HEDGE, TEXT, "b"), "b")
    assert {each.hedge for each in now.postures} == {"accelerate"}
    assert [each.quotes for each in now.postures] == [each.quotes for each in was.postures]


@pytest.mark.parametrize("way", [Way.NO_SIGNAL, Way.NEUTRAL])
def test_a_quiet_life_hears_neutral_alone_and_never_an_old_one(way):
    opening = playbook_set(0, TEXT)
    words = list(words_for(way, [rating(5, source="ann"), halt(6)], opening, (0, 90_000 * S)))
    ratings = [word for word in words if isinstance(word, RatingSet)]
    assert {word.label for word in ratings} == {"neutral"}
    gaps = [b.at_ns - a.at_ns for a, b in pairwise(ratings)]
    assert max(gaps) <= 21_600 * S / 2
    assert any(word == halt(6) for word in words)


def test_as_it_was_hears_the_very_words_of_then():
    opening, words = playbook_set(0, TEXT), [rating(5, source="ann"), halt(6)]
    assert list(words_for(Way.AS_IT_WAS, words, opening, (0, 9 * S))) == [opening, *words]


def test_a_playbook_that_was_set_on_the_way_is_changed_like_the_first():
    words = list(words_for(Way.FULL_HEDGE, [playbook_set(5, TEXT)], playbook_set(0, TEXT), (0, S)))
    texts = [word.text for word in words if isinstance(word, PlaybookSet)]
    assert len(texts) == 2
    assert all('hedge = "staged"' not in text for text in texts)
