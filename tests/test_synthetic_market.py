"""The synthetic market: always a market, thin where it should be, and the same for one seed."""

import hashlib
import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from random import Random

import pytest

from engine.sim.market import SyntheticMarket, walked
from engine.sim.market_presets import PRESETS, Preset
from engine.sim.matching.book import CancelOf, Kind, MatchingBook, NewOrder
from engine.values.units import NS_PER_S, Side

ROOT = Path(__file__).resolve().parent.parent
START_NS = 1_700_000_000 * NS_PER_S
THIN = PRESETS["btt-thin"]


class Venue:
    """The smallest venue that can host a flow; it counts what the tests ask for."""

    def __init__(self, preset: Preset, seed: int):
        self.ids = count(1)
        self.now_ns = START_NS
        self.book = MatchingBook()
        self.market = SyntheticMarket(preset, seed, lambda: next(self.ids))
        self.matches, self.acts, self.rejected = [], [], 0
        self.open_ns = self.both_ns = self.orders_max = 0
        for act in self.market.opening():
            self.do(act)

    def do(self, act):
        self.acts.append(act)
        if isinstance(act, CancelOf):
            self.book.cancel(act.order_id)
            return
        outcome = self.book.submit(act)
        self.matches += outcome.matches
        self.rejected += bool(outcome.rejected)

    def run_until(self, end_ns):
        while (due_ns := self.market.next_ns(self.now_ns)) <= end_ns:
            assert due_ns > self.now_ns
            bid, _, ask, _ = self.book.top()
            self.open_ns += due_ns - self.now_ns
            self.both_ns += (due_ns - self.now_ns) if bid and ask else 0
            self.now_ns = due_ns
            for act in self.market.step(due_ns, self.book):
                self.do(act)
            self.orders_max = max(self.orders_max, len(self.book))
        return self

    def run(self, seconds):
        return self.run_until(START_NS + seconds * NS_PER_S)

    def digest(self):
        return hashlib.sha256(repr(self.acts).encode()).hexdigest()


@pytest.fixture(scope="module")
def hour():
    return Venue(THIN, 7).run(3600)


def test_a_thin_market_has_both_sides_nearly_always(hour):
    assert hour.both_ns / hour.open_ns > 0.98


def test_a_thin_market_trades(hour):
    assert len(hour.matches) >= 1500


def test_every_kind_of_trader_trades(hour):
    takers = {match.taker_owner for match in hour.matches}
    assert takers >= {"~noise", "~large", "~informed", "~reflexive"}


def test_a_thin_price_stays_in_its_range(hour):
    assert all(30 <= match.tick <= 120 for match in hour.matches)


def test_a_book_does_not_grow_in_an_hour(hour):
    assert hour.orders_max <= 4 * THIN.maker.levels
    hour.book.check()


def test_one_large_order_can_empty_a_side_and_it_comes_back(hour):
    assert hour.both_ns < hour.open_ns
    bid, _, ask, _ = hour.book.top()
    assert 0 < bid < ask


def test_nobody_of_the_flow_can_be_taken_for_an_account(hour):
    assert all(act.owner.startswith("~") for act in hour.acts)


def test_the_spread_of_a_thin_market_is_one_or_two_ticks_at_first():
    for seed in range(20):
        bid, bid_lots, ask, ask_lots = Venue(THIN, seed).book.top()
        assert ask - bid in (1, 2)
        assert 0 < min(bid_lots, ask_lots) <= 20_000_000


@pytest.mark.parametrize("seed", range(5))
def test_a_passive_quoter_at_the_touch_gets_twenty_fills_a_minute(seed):
    venue, quotes = Venue(THIN, seed), {}
    for second in range(60):
        bid, _, ask, _ = venue.book.top()
        for side, tick in ((Side.BUY, bid), (Side.SELL, ask)):
            keep = venue.book.order(quotes.get(side, 0))
            if keep and keep.tick == tick:
                continue
            venue.book.cancel(quotes.get(side, 0))
            quotes[side] = next(venue.ids)
            quote = NewOrder(
                order_id=quotes[side],
                owner="quoter",
                side=side,
                tick=tick or 62,
                lots=9_000_000,
                kind=Kind.LIMIT_MAKER,
            )
            venue.book.submit(quote)
        venue.run(second + 1)
    assert sum(match.maker_owner == "quoter" for match in venue.matches) >= 20


def test_a_quote_that_is_off_the_value_is_picked_off():
    venue = Venue(THIN, 3)
    stale = NewOrder(order_id=10**9, owner="quoter", side=Side.BUY, tick=75, lots=50_000_000)
    venue.do(stale)
    venue.run(30)
    against = [match for match in venue.matches if match.maker_id == stale.order_id]
    assert any(match.taker_owner == "~informed" for match in against)


def test_a_liquid_market_is_deep_and_tight_and_busy():
    venue = Venue(PRESETS["liquid"], 1).run(60)
    assert venue.both_ns == venue.open_ns
    assert len(venue.book.levels(Side.BUY)) >= 50
    assert len(venue.book.levels(Side.SELL)) >= 50
    assert len(venue.matches) > 300
    assert venue.orders_max < 250


def test_a_value_stays_in_its_bounds_for_days():
    dice, value = Random(1), THIN.value.mean_ticks
    seen = []
    for _ in range(3 * 24 * 3600):
        value = walked(THIN.value, value, 1.0, dice)
        seen.append(value)
    assert 40 <= min(seen) < 60
    assert 65 < max(seen) <= 90


def test_a_late_step_does_not_catch_up_in_a_burst():
    venue = Venue(THIN, 2).run(5)
    acts = venue.market.step(venue.now_ns + 3600 * NS_PER_S, venue.book)
    assert len([act for act in acts if isinstance(act, NewOrder)]) <= 8


def test_another_seed_is_another_market():
    assert Venue(THIN, 1).run(60).digest() != Venue(THIN, 2).run(60).digest()


@pytest.mark.parametrize("name", PRESETS)
def test_one_seed_is_one_market_in_every_process(name):
    program = "import sys; sys.path[:0] = ['.', 'tests']; import test_synthetic_market as t; "
    program += f"print(t.Venue(t.PRESETS[{name!r}], 5).run(30).digest())"
    digests = set()
    for hash_seed in ("1", "2"):
        environ = os.environ | {"PYTHONHASHSEED": hash_seed}
        told = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(told.stdout.strip())
    assert digests == {Venue(PRESETS[name], 5).run(30).digest()}
