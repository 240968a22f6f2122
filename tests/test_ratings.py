"""Ratings of several spans as bars come in: the live path is the batch at every bar."""

import gzip

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.signals.bars import candle_of
from engine.signals.candle_file import candles_of
from engine.signals.rating import Rated, rate
from engine.signals.rating_batch import at_bar, history, rate_last
from engine.signals.ratings import Ratings, RatingsParams
from engine.signals.spans import SPANS
from engine.signals.stance import stance_at
from engine.signals.votes import Rules
from engine.values.facts import Bar, BarForming, BarsClosed
from engine.values.words import RatingLabel
from tests.market_data import recorded

HOUR, DAY = SPANS["1h"], SPANS["1d"]
PARAMS = RatingsParams(
    spans_ns=(HOUR, DAY),
    policy_span_ns=DAY,
    rules=Rules.R2024,
    votes_min=20,
    bars_min=60,
    stale_bars=2,
    gap_bars_max=0,
    bars_kept=1_000,
    bars_per_step=1_000,
)


def walk(count: int, seed: int = 7, span_ns: int = HOUR) -> list[Bar]:
    """Ticks of a thin token that wander, with quiet bars among them."""
    made, close = [], 620
    for number in range(count):
        seed = (seed * 1_103_515_245 + 12_345) % 2**31
        first, close = close, max(50, close + seed % 13 - 6)
        high, low = max(first, close) + seed % 3, min(first, close) - seed % 2
        made.append(Bar(number * span_ns, first, high, low, close, seed % 5 * 1_000))
    return made


def closed(bars: list[Bar], span_ns: int = HOUR) -> BarsClosed:
    return BarsClosed(market="m", at_ns=1, span_ns=span_ns, bars=bars)


def forming(bar: Bar, span_ns: int = HOUR) -> BarForming:
    return BarForming(market="m", at_ns=1, span_ns=span_ns, bar=bar)


def fed(bars: list[Bar], **changes: object) -> Ratings:
    made = Ratings("m", msgspec.structs.replace(PARAMS, **changes))
    made.on_closed(closed(bars))
    return made


def batch(bars: list[Bar]) -> Rated:
    return rate_last([candle_of(bar) for bar in bars], Rules.R2024)


# --- the live path ------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", list(Rules))
@pytest.mark.parametrize("token", ["BTT", "DENT", "TRX", "BTC"])
def test_real_bars_as_facts_are_rated_like_the_whole_history_at_once(token, rules) -> None:
    """Prices and volumes in integers, as an adapter tells them; no difference at any bar."""
    (file,) = recorded(f"candles/{token}_USDT-1h.json.gz")
    candles = candles_of(gzip.decompress(file.read_bytes()).decode(), file.name)
    scale = next(n for n in range(12) if all(is_whole(c.close * 10**n) for c in candles[:200]))
    bars = [
        Bar(
            c.at_ns,
            *(round(price * 10**scale) for price in (c.open, c.high, c.low, c.close)),
            round(c.volume * 100),
        )
        for c in candles
    ]
    values = history([candle_of(bar) for bar in bars])
    # Each of these histories has holes of the venue's own, which it treats as if time had stopped.
    made = fed([], rules=rules, bars_min=1, votes_min=1, bars_kept=10_000, gap_bars_max=3)
    for index, bar in enumerate(bars):
        made.on_closed(closed([bar]))
        told = rate(at_bar(values, index), rules)
        assert made.rated(HOUR) == (told if told.voted else None)


def is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6


def test_history_in_pages_and_a_stream_rate_like_one_history() -> None:
    bars = walk(400)
    made = Ratings("m", PARAMS)
    for start in (200, 0, 100):
        made.on_closed(closed(bars[start : start + 100]))
    for bar in bars[300:]:
        made.on_closed(closed([bar]))
    assert made.rated(HOUR) == batch(bars)


def test_a_corrected_bar_rates_as_if_it_had_always_been_so() -> None:
    bars = walk(300)
    made = fed(bars)
    wrong = msgspec.structs.replace(bars[-3], close=bars[-3].close + 200, high=5_000)
    made.on_closed(closed([wrong]))
    assert made.rated(HOUR) == batch([*bars[:-3], wrong, *bars[-2:]])
    assert made.rated(HOUR) != batch(bars)


def test_what_restarts_a_rating_is_bounded_by_the_bars_kept() -> None:
    bars = walk(500)
    made = fed(bars, bars_kept=100)
    other = msgspec.structs.replace(bars[-2], close=bars[-2].low)
    made.on_closed(closed([other]))
    assert made.rated(HOUR) == batch([*bars[-100:-2], other, bars[-1]])


def test_only_bars_since_the_last_gap_are_rated() -> None:
    bars = walk(300)
    made = fed([*bars[:100], *bars[101:]])
    assert made.rated(HOUR) == batch(bars[101:])
    assert len(made.series(HOUR).missing()) == 1
    made.on_closed(closed([bars[100]]))
    assert made.rated(HOUR) == batch(bars)


def test_a_short_hole_of_the_venues_own_is_rated_across_and_still_named() -> None:
    bars = walk(300)
    holed = [*bars[:100], *bars[103:]]
    made = fed(holed, gap_bars_max=3)
    assert made.rated(HOUR) == batch(holed)
    assert len(made.series(HOUR).missing()) == 3


# --- the forming bar ----------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    st.integers(70, 130),
    st.integers(1, 2**30),
    st.lists(st.tuples(st.integers(55, 900), st.integers(0, 9)), min_size=1, max_size=5),
)
def test_the_provisional_rating_is_the_batch_and_disturbs_nothing(count, seed, closes) -> None:
    bars = walk(count + 1, seed)
    made, undisturbed = fed(bars[:-1], votes_min=1), fed(bars[:-1], votes_min=1)
    before = made.rated(HOUR)
    for close, lots in closes:
        first = bars[-2].close
        bar = Bar(count * HOUR, first, max(first, close), min(first, close), close, lots)
        made.on_forming(forming(bar))
        assert made.provisional(HOUR) == batch([*bars[:-1], bar])
        assert made.rated(HOUR) == before
    made.on_closed(closed([bars[-1]]))
    undisturbed.on_closed(closed([bars[-1]]))
    assert made.rated(HOUR) == undisturbed.rated(HOUR) == batch(bars)


def test_a_forming_bar_that_does_not_follow_is_not_rated() -> None:
    bars = walk(200)
    made = fed(bars[:-2])
    assert made.provisional(HOUR) is None
    made.on_forming(forming(bars[-1]))
    assert made.provisional(HOUR) is None
    made.on_forming(forming(bars[-3]))
    assert made.provisional(HOUR) is None


# --- what is no rating --------------------------------------------------------------------------


def test_fewer_votes_or_bars_than_wanted_are_no_rating() -> None:
    few = fed(walk(70), bars_min=10, votes_min=26)
    assert few.rated(HOUR) is None
    assert "of 26 voted, 26 are wanted" in few.lacks(HOUR)
    short = fed(walk(59))
    assert short.rated(HOUR) is None
    assert short.lacks(HOUR) == "59 bars in a row, 60 are wanted"
    assert fed([]).lacks(HOUR) == "no closed bar"


def test_a_span_does_not_know_of_another_and_a_strange_one_is_ignored() -> None:
    made = fed(walk(100))
    assert made.rated(HOUR) is not None
    assert made.rated(DAY) is None
    made.on_closed(closed(walk(100), span_ns=60))
    made.on_forming(forming(walk(1)[0], span_ns=60))


def test_a_long_history_is_rated_a_few_bars_at_a_time() -> None:
    bars, steps = walk(100), 0
    made = fed(bars, bars_per_step=8)
    assert made.is_behind
    assert made.lacks(HOUR) == "92 bars are still to be rated"
    while made.is_behind:
        made.advance()
        steps += 1
    assert steps == 12
    assert made.rated(HOUR) == batch(bars)


def test_the_policys_span_is_rated_first() -> None:
    made = fed(walk(80), bars_per_step=20)
    made.on_closed(closed(walk(80, span_ns=DAY), DAY))
    for _ in range(3):
        made.advance()
    assert made.rated(DAY) is not None
    assert made.rated(HOUR) is None


# --- the facts ----------------------------------------------------------------------------------


def test_a_rating_as_a_fact_says_its_score_votes_span_and_end() -> None:
    made = fed(walk(300))
    fact, rated = made.rating_set(HOUR, 300 * HOUR), made.rated(HOUR)
    assert fact is not None
    assert rated is not None
    assert (fact.label, fact.score, fact.voted) == (rated.label, rated.all, rated.voted)
    assert (fact.span_ns, fact.at_ns, fact.expires_ns) == (HOUR, 300 * HOUR, 302 * HOUR)


def test_a_rating_is_stale_when_so_many_bars_have_not_come() -> None:
    made = fed(walk(300))
    assert not made.is_stale(HOUR, 302 * HOUR - 1)
    assert made.is_stale(HOUR, 302 * HOUR)
    assert made.is_stale(DAY, 0)
    late = made.rating_set(HOUR, 302 * HOUR)
    assert late is not None
    assert stance_at(late, late.at_ns).label is RatingLabel.NEUTRAL
    assert stance_at(late, late.at_ns).is_stale


def test_each_closed_bar_is_news_once() -> None:
    bars = walk(301)
    made = fed(bars[:300])
    assert [fact.span_ns for fact in made.news(1)] == [HOUR]
    assert made.news(2) == []
    made.on_closed(closed([bars[300]]))
    (fact,) = made.news(3)
    assert fact.expires_ns == 303 * HOUR
    made.on_closed(closed([bars[300]]))
    assert made.news(4) == []


def test_a_dead_market_is_rated_neutral_with_the_votes_that_it_has() -> None:
    flat = [Bar(number * HOUR, 62, 62, 62, 62, 0) for number in range(300)]
    made = fed(flat)
    rated = made.rated(HOUR)
    assert rated is not None
    assert rated.votes["vwma20"] is None
    assert rated.label is RatingLabel.NEUTRAL


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"spans_ns": []}, "spans_ns: at least one"),
        ({"spans_ns": [HOUR, HOUR]}, "none twice"),
        ({"policy_span_ns": 5}, "must be one of spans_ns"),
        ({"votes_min": 27}, r"votes_min: must be in 1\.\.26"),
        ({"bars_min": 2_000}, "bars_min"),
        ({"stale_bars": 0}, "at least 1"),
        ({"rules": "2019"}, "Invalid enum"),
    ],
)
def test_params_that_make_no_sense_are_refused(changes, told) -> None:
    table = msgspec.to_builtins(PARAMS) | changes
    with pytest.raises(msgspec.ValidationError, match=told):
        msgspec.convert(table, RatingsParams)


@pytest.mark.parametrize("name", ["spans_ns", "policy_span_ns", "rules", "votes_min", "stale_bars"])
def test_what_policy_hangs_on_has_no_default(name) -> None:
    table = msgspec.to_builtins(PARAMS)
    del table[name]
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert(table, RatingsParams)
