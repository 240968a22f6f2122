"""The peg: noise is leaned against, drift is not, nothing leaves the corridor, the rules say so."""

import math
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.trading.strategy import BUY, SELL, Ladder, View
from engine.values.events import RatingLabel
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S
from strategies.peg import BPS, Corridor, PegParams, PegStrategy, Sight, Verdict
from tests.trading_builders import NOW_NS, stance, view

A, B = "A/USDT@here", "B/USDT@here"


def params(**changes: Any) -> PegParams:
    """A threshold of 50 bp for 10 s in a corridor of 200 bp; the test is over 10 minutes."""
    fields: dict[str, Any] = {
        "fixed": 1.0,
        "units": {},
        "age_max_s": 5.0,
        "corridor_bps": 200.0,
        "threshold_bps": 50.0,
        "patience_s": 10.0,
        "release_share": 0.5,
        "sample_s": 1.0,
        "block_s": 60.0,
        "blocks": 10,
        "mean_min_bps": 20.0,
        "t_from": 5.0,
        "t_below": 2.5,
        "breadth": [A, B],
        "breadth_min": 0.5,
        "loose_share": 2.0,
        "spread_wide": 2.0,
        "spread_calm": 1.5,
        "tight_share": 0.5,
        "injection_cap_lots": 1_000,
        "injection_s": 60.0,
        "injection_rest_s": 300.0,
        "lots": 500,
        "half_spread_ticks": 10.0,
        "pull": 0.2,
        "intervening_pull": 0.8,
        "intervening_size": 3.0,
        "drifting_size": 0.4,
    }
    return PegParams(**(fields | changes))


class Watch:
    """A corridor and its clock; each call is one second later."""

    def __init__(self, **changes: Any) -> None:
        self.corridor = Corridor(params(**changes))
        self.now_ns = NOW_NS

    def see(self, off_bps: float, **changes: Any) -> Verdict:
        self.now_ns += NS_PER_S
        fields: dict[str, Any] = {
            "now_ns": self.now_ns,
            "deviation_bps": off_bps,
            "spread_bps": 10.0,
            "bias": 0,
            "position_lots": 0,
            "prices": {},
        }
        return self.corridor.see(Sight(**(fields | changes)))

    def last(self, offs: Iterable[float], **changes: Any) -> Verdict:
        return [self.see(off, **changes) for off in offs][-1]


def noise(seed: int, count: int, scale: float = 20.0) -> list[float]:
    return list(np.random.default_rng(seed).normal(0, scale, count))


def calm(watch: Watch, seconds: int = 700, **changes: Any) -> Watch:
    """A history without drift, so that every mean is known."""
    watch.last(noise(0, seconds), **changes)
    return watch


def test_within_the_threshold_nothing_is_done():
    verdict = Watch().last([49.0, -49.0] * 100)
    assert (verdict.state, verdict.threshold_bps, verdict.injection_lots) == ("quiet", 50.0, 0)


def test_intervention_waits_for_its_patience_and_knows_its_side():
    watch = Watch()
    assert watch.last([-60.0] * 10).state == "quiet"
    verdict = watch.see(-60.0)
    assert (verdict.state, verdict.side) == ("intervening", BUY)
    assert Watch().last([60.0] * 11).side is SELL


def test_a_break_starts_the_patience_anew():
    assert Watch().last([60.0] * 10 + [40.0] + [60.0] * 10).state == "quiet"
    assert Watch().last([60.0] * 10 + [-60.0] * 10).state == "quiet"


def test_intervention_holds_between_release_and_threshold():
    watch = Watch()
    watch.last([60.0] * 11)
    assert watch.last([26.0] * 50).state == "intervening"
    assert watch.see(25.0).state == "quiet"
    assert watch.last([49.0] * 50).state == "quiet"


def test_a_market_that_jumps_to_the_other_side_is_quiet_until_it_stays_there():
    watch = Watch()
    watch.last([60.0] * 11)
    assert watch.see(-60.0).state == "quiet"
    assert watch.last([-60.0] * 10).state == "intervening"


@pytest.mark.parametrize("seed", range(20))
def test_noise_around_the_reference_is_no_drift(seed):
    watch = Watch()
    assert "drifting" not in {watch.see(off).state for off in noise(seed, 3_000, 60.0)}


@pytest.mark.parametrize("seed", range(5))
def test_a_lasting_shift_is_a_drift_and_passes_with_it(seed):
    watch = Watch()
    shifted = [60.0 + off for off in noise(seed, 1_300)]
    assert calm(watch).last(shifted).state == "drifting"
    assert watch.last(noise(seed, 1_300)).state == "quiet"


def test_a_steady_but_small_offset_is_no_drift():
    assert calm(Watch()).last([15.0] * 1_500).state == "quiet"


def test_the_test_is_students_on_the_means_of_whole_blocks():
    watch = Watch(patience_s=1e6)
    watch.now_ns -= watch.now_ns % (60 * NS_PER_S) + NS_PER_S
    offs = noise(3, 601, 40.0)
    verdict = watch.last(offs)
    means = np.array(offs[:600]).reshape(10, 60).mean(axis=1)
    assert verdict.t == pytest.approx(abs(means.mean()) / (means.std(ddof=1) / math.sqrt(10)))


def test_across_a_hole_the_test_says_nothing():
    watch = calm(Watch())
    watch.last([60.0] * 1_300)
    watch.now_ns += 120 * NS_PER_S
    verdict = watch.see(60.0)
    assert math.isnan(verdict.t)
    assert verdict.state != "drifting"


def test_a_buy_with_breadth_widens_the_threshold():
    watch = calm(Watch(), prices={A: 1.0, B: 1.0})
    assert watch.see(0.0, bias=1, prices={A: 1.1, B: 0.9}).threshold_bps == 100.0
    assert watch.see(0.0, bias=0, prices={A: 1.1, B: 1.1}).threshold_bps == 50.0
    assert watch.see(0.0, bias=1, prices={A: 0.9, B: 0.9}).threshold_bps == 50.0


def test_a_market_whose_price_is_unknown_is_no_breadth():
    watch = calm(Watch(breadth_min=1.0), prices={A: 1.0, B: 1.0})
    assert watch.see(0.0, bias=1, prices={A: 1.1}).threshold_bps == 50.0
    fresh = calm(Watch())
    assert fresh.see(0.0, bias=1, prices={A: 1.1, B: 1.1}).mood == "usual"


def test_a_sell_with_a_wide_spread_steps_in_sooner_and_nearer():
    watch = calm(Watch())
    verdict = watch.see(-30.0, bias=-1, spread_bps=20.0)
    assert (verdict.mood, verdict.threshold_bps, verdict.state) == ("tight", 25.0, "quiet")
    assert watch.last([-30.0] * 5, bias=-1, spread_bps=20.0).state == "intervening"


def test_a_wide_spread_alone_or_a_sell_alone_changes_nothing():
    assert calm(Watch()).see(0.0, bias=0, spread_bps=90.0).mood == "usual"
    assert calm(Watch()).see(0.0, bias=-2, spread_bps=19.0).mood == "usual"
    assert Watch().see(0.0, bias=-2, spread_bps=90.0).mood == "usual"


def test_tight_holds_until_the_spread_is_calm():
    watch = calm(Watch())
    spreads = (20.0, 16.0, 14.0, 16.0)
    moods = [watch.see(0.0, bias=-1, spread_bps=spread).mood for spread in spreads]
    assert moods == ["tight", "tight", "usual", "usual"]


ALARM = {"bias": -1, "spread_bps": 100.0}


def test_an_injection_is_capped_however_it_fills():
    watch = calm(Watch())
    assert watch.last([-60.0] * 10, **ALARM).injection_lots == 1_000
    assert watch.see(-60.0, position_lots=400, **ALARM).injection_lots == 600
    assert watch.see(-60.0, position_lots=1_500, **ALARM).injection_lots == 0
    assert watch.see(-60.0, position_lots=-300, **ALARM).injection_lots == 1_000


def test_an_injection_of_sales_counts_what_was_sold():
    watch = calm(Watch())
    assert watch.last([60.0] * 10, **ALARM).injection_lots == 1_000
    assert watch.see(60.0, position_lots=-400, **ALARM).injection_lots == 600


def test_an_injection_ends_with_its_time_and_rests():
    watch = calm(Watch())
    seen = [watch.see(-60.0, **ALARM).injection_lots for _ in range(390)]
    shown = [second for second, lots in enumerate(seen) if lots]
    assert shown[0] + 59 == shown[59]
    assert shown[60] - shown[59] == 301
    assert len(shown) < 90


def test_usual_intervention_injects_nothing():
    assert calm(Watch()).last([-60.0] * 30).injection_lots == 0


def test_a_drift_ends_an_injection():
    watch = calm(Watch(injection_s=1e6))
    assert watch.last([-60.0] * 20, **ALARM).injection_lots == 1_000
    verdict = watch.last([-60.0 + off for off in noise(1, 1_300, 5.0)], **ALARM)
    assert (verdict.state, verdict.injection_lots) == ("drifting", 0)


SEEN = st.tuples(
    st.floats(-500, 500),
    st.floats(0, 500),
    st.integers(-2, 2),
    st.integers(-5_000, 5_000),
    st.integers(-5, 90) | st.just(0),
)


@given(st.lists(SEEN, max_size=60))
def test_whatever_is_seen_the_cap_holds_and_two_corridors_agree(seen):
    one, two, now_ns = Corridor(params()), Corridor(params()), NOW_NS
    for off_bps, spread_bps, bias, position_lots, seconds in seen:
        now_ns += seconds * NS_PER_S
        sight = Sight(
            now_ns=now_ns,
            deviation_bps=off_bps,
            spread_bps=spread_bps,
            bias=bias,
            position_lots=position_lots,
            prices={A: 1.0},
        )
        verdict = one.see(sight)
        assert repr(verdict) == repr(two.see(sight))
        assert 0 <= verdict.injection_lots <= 1_000
        assert verdict.injection_lots == 0 or verdict.state == "intervening"


# --- the strategy: prices of 1.0000 are 10,000 ticks ---------------------------------------------

COIN = Instrument(
    symbol="COIN/USDT",
    venue="here",
    venue_symbol="COINUSDT",
    base="COIN",
    quote="USDT",
    price_exponent=4,
    tick=1,
    size_exponent=0,
    lot=1,
    tick_max=10**6,
    maker_fee_ppm=0,
    taker_fee_ppm=0,
)


class Other(msgspec.Struct, frozen=True):
    mid: float
    age_ns: int


class Sighted(View, frozen=True, kw_only=True):
    """A view that also tells other markets' prices."""

    others: dict[str, Other]


def looked(mid: int, now_ns: int = NOW_NS, half_spread: int = 5, **changes: Any) -> View:
    return view(
        now_ns=now_ns,
        instrument=COIN,
        bid_tick=mid - half_spread,
        ask_tick=mid + half_spread,
        microprice=float(mid),
        **changes,
    )


def sighted(mid: int, others: dict[str, Other], **changes: Any) -> View:
    plain = looked(mid, **changes)
    return Sighted(
        **{name: getattr(plain, name) for name in View.__struct_fields__ if name != "others"},
        others=others,
    )


def after(mids: Iterable[int], label=RatingLabel.NEUTRAL, **changes: Any) -> Ladder:
    strategy, ladder = PegStrategy(params(**changes)), Ladder()
    for second, mid in enumerate(mids):
        shown = looked(mid, NOW_NS + second * NS_PER_S, stance=stance(label))
        ladder = strategy.quote(shown)
    return ladder


def test_a_quiet_market_is_quoted_on_both_sides_alike():
    ladder = after([10_000] * 20)
    assert [(level.tick, level.lots) for level in ladder.bids] == [(9_990, 500)]
    assert [(level.tick, level.lots) for level in ladder.asks] == [(10_010, 500)]


def test_intervening_shows_more_on_the_side_that_pushes_back_and_nearer():
    ladder = after([9_900] * 20)
    # 80 % of the way from 9,900 to 10,000 less 10 ticks is beyond the best ask of 9,905.
    assert [(level.tick, level.lots) for level in ladder.bids] == [(9_904, 1_500)]
    assert ladder.bids[0].reason.clamp == "kept passive"
    assert "intervening" in ladder.bids[0].reason.stance
    assert [(level.tick, level.lots) for level in ladder.asks] == [(9_990, 500)]


def test_a_drift_is_quoted_around_the_market_with_less():
    wobble = [9_880 + second % 7 for second in range(1_300)]
    ladder = after([*wobble, 9_880])
    assert "drifting" in ladder.bids[0].reason.stance
    assert [(level.tick, level.lots) for level in ladder.bids] == [(9_870, 200)]
    assert [(level.tick, level.lots) for level in ladder.asks] == [(9_890, 200)]


def test_nothing_is_sold_below_the_corridor_nor_bought_above_it():
    low, high = after([8_000] * 20), after([12_000] * 20)
    assert low.asks[0].tick == 9_800
    assert low.asks[0].reason.clamp == "kept in the corridor"
    assert high.bids[0].tick == 10_200


@settings(max_examples=60)
@given(st.lists(st.integers(5_000, 15_000), min_size=1, max_size=40), st.sampled_from(RatingLabel))
def test_no_quote_ever_leaves_the_corridor(mids, label):
    ladder = after(mids, label, patience_s=1.0)
    assert all(level.tick <= 10_200 for level in ladder.bids)
    assert all(level.tick >= 9_800 for level in ladder.asks)
    assert all(level.lots <= 1_500 + 1_000 for level in (*ladder.bids, *ladder.asks))


def test_a_basket_is_worth_its_parts():
    basket = PegStrategy(params(fixed=0.0, units={A: 0.5, B: 2.0}))
    ladder = basket.quote(sighted(10_000, {A: Other(1.0, 0), B: Other(0.25, 0)}))
    assert ladder.bids[0].reason.skew == 0
    ladder = basket.quote(sighted(10_000, {A: Other(1.2, 0), B: Other(0.25, 0)}))
    assert ladder.bids[0].reason.skew == pytest.approx(0.2 * 1_000)


def test_without_a_fresh_reference_nothing_is_quoted():
    basket = PegStrategy(params(fixed=0.0, units={A: 0.5, B: 2.0}))
    good = Other(1.0, 0)
    for bad in (Other(0.25, 5 * NS_PER_S + 1), Other(0.0, 0), Other(math.nan, 0)):
        ladder = basket.quote(sighted(10_000, {A: good, B: bad}))
        assert ladder == Ladder(bids_absent=f"no price of {B}", asks_absent=f"no price of {B}")
    assert basket.quote(looked(10_000)).bids_absent == f"no price of {A}"
    empty = msgspec.structs.replace(looked(10_000), bid_tick=0, bid_lots=0)
    assert PegStrategy(params()).quote(empty).asks_absent == "no mid price"


def test_inventory_at_its_cap_is_not_added_to():
    full = looked(10_000, position_lots=40_000_000)
    ladder = PegStrategy(params()).quote(full)
    assert ladder.bids == ()
    assert "at the cap" in ladder.bids_absent
    assert ladder.asks
    ladder = PegStrategy(params()).quote(looked(10_000, position_lots=0))
    assert (ladder.asks, bool(ladder.bids)) == ((), True)


def test_a_price_beyond_the_instrument_is_not_quoted():
    penny = PegStrategy(params(fixed=0.0005, half_spread_ticks=10.0))
    ladder = penny.quote(looked(5, half_spread=1))
    assert ladder.bids == ()
    assert "limits" in ladder.bids_absent


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"fixed": 0.0}, "units"),
        ({"units": {A: -1.0}}, "units"),
        ({"units": {A: math.nan}}, "units"),
        ({"threshold_bps": 200.0}, "corridor_bps"),
        ({"corridor_bps": 10_000.0}, "corridor_bps"),
        ({"patience_s": math.nan}, "patience_s"),
        ({"release_share": 1.0}, "release_share"),
        ({"blocks": 2}, "blocks"),
        ({"t_below": 5.0}, "t_below"),
        ({"breadth_min": 1.1}, "breadth_min"),
        ({"loose_share": 4.1}, "loose_share"),
        ({"spread_calm": 2.0}, "spread_calm"),
        ({"tight_share": 1.5}, "tight_share"),
        ({"injection_cap_lots": -1}, "injection_cap_lots"),
        ({"lots": 0}, "lots"),
        ({"pull": 0.9}, "intervening_pull"),
        ({"intervening_size": 0.9}, "intervening_size"),
        ({"drifting_size": 2.0}, "drifting_size"),
    ],
)
def test_params_that_make_no_sense_are_refused_by_name(changes, key):
    with pytest.raises(ValueError, match=f"^{key} makes no sense"):
        params(**changes)


def test_a_mid_far_off_is_measured_by_its_logarithm():
    assert BPS * math.log(9_950 / 10_000) == pytest.approx(-50.125, abs=1e-3)
    assert "intervening" in after([9_950] * 20).bids[0].reason.stance
    assert "quiet" in after([9_951] * 20).bids[0].reason.stance
