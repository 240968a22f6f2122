"""The rebalancing loop and the calibration of its bands."""

import json
from pathlib import Path

import msgspec
import pytest
import tomlkit
from typer.testing import CliRunner

from engine.cli.treasury import app
from engine.runtime.journal import JournalParams, open_journal
from engine.treasury.actions import problem
from engine.treasury.calibration import (
    CalibrationParams,
    DayEnd,
    Fit,
    Floating,
    calibrate,
    day_ends,
    usual_ppm,
)
from engine.treasury.chart import Source
from engine.treasury.dates import NS_PER_DAY, NS_PER_H
from engine.treasury.depth import DepthBook, Level
from engine.treasury.holdings import Holdings
from engine.treasury.rebalance import RebalanceParams, Rebalancer, bands
from engine.treasury.score import Score
from engine.values.errors import UserError
from engine.values.ledger_words import Converted
from engine.values.rebalance_records import BandMoved, BandsChecked, BandZone
from engine.values.records import Listed
from engine.values.treasury_words import FloatSet
from engine.values.units import NS_PER_S
from tests.holdings_builders import NOW_NS, TODAY, bucket, float_row, scheme, seen
from tests.ledger_builders import BTT, ONE, VENUE, books, buy, child_of, held, opening, sell

ROOT = Path(__file__).resolve().parent.parent

CALIBRATION = CalibrationParams(noise_times=2.0, participation_ppm=100_000, payout_days=2)
PARAMS = RebalanceParams(
    check_hour=6, back_to_ppm=1_000_000, worst_ppm=20_000, child_ppm=100_000, until_h=24,
    calibration=CALIBRATION,
)  # fmt: skip
SCORE = Score(asset="BTT", score=60.0, parts=(), venues=("one",), age_ns=0)
SCORES = {"BTT": SCORE}


def facts(working=100, at_ns=NOW_NS, depth=1_000, bid=99):
    """The float of BTT at "one" holds so much of its target of 100; money's is at its target."""
    small = bucket("BTT", discretionary="0")
    holdings = Holdings(scheme(buckets={"BTT": small}))
    holdings.learn(seen("one", at_ns, BTT=1_000, USDT=100))
    holdings.learn(seen("cold", at_ns, BTT=40))
    for name, atoms in (("BTT", working), ("USDT", 100)):
        holdings.learn(
            FloatSet(at_ns=at_ns, who="ann", venue="one", asset=name, atoms=atoms, reason="x")
        )
    book = DepthBook(
        venue="one", asset="BTT", at_ns=at_ns, taker_fee_ppm=0,
        bids=(Level(depth, bid * depth),), asks=(Level(depth, 101 * depth),),
    )  # fmt: skip
    found = holdings.facts()
    return msgspec.structs.replace(found, at_ns=at_ns, books={("one", "BTT"): book})


def looked(made=None, scores=SCORES, **changes):
    return (made or Rebalancer(PARAMS)).look(facts(**changes), scores)


def band(look):
    (draft,) = look.drafts
    return draft


# --- the bands ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("working", "zone"),
    [
        (79, BandZone.UNDER),
        (80, BandZone.INSIDE),
        (100, BandZone.INSIDE),
        (120, BandZone.INSIDE),
        (121, BandZone.OVER),
    ],
)
def test_a_float_of_120_and_of_80_percent_of_its_target_is_still_inside(working, zone):
    found = {each.name: each.zone for each in bands(facts(working))}
    assert found == {"BTT at one": zone, "USDT at one": BandZone.INSIDE}


def test_over_120_percent_the_excess_over_the_target_is_proposed_to_become_stable():
    draft = band(looked(working=130))
    assert draft.action is not None
    assert (draft.action.sell.asset, draft.action.sell.atoms) == ("BTT", 30)
    assert (draft.action.least.asset, draft.action.least.atoms) == ("USDT", 30 * 98)
    assert (draft.action.venues, draft.action.bucket) == (["one"], "operational float")
    assert draft.action.until_ns == NOW_NS + 24 * NS_PER_H
    assert problem(draft.action) == ""
    assert "130.0 % of its target" in draft.why


def test_under_80_percent_replenishment_is_planned_and_nothing_is_sold():
    draft = band(looked(working=60))
    assert draft.action is None
    assert [(each.place, each.bucket, each.atoms) for each in draft.supplies] == [
        ("one", "speculative surplus", 40)
    ]
    assert "selling has stopped" in draft.why


def test_what_no_place_has_must_be_bought():
    holdings = Holdings(scheme())
    holdings.learn(seen("one", NOW_NS, BTT=50))
    holdings.learn(
        FloatSet(at_ns=NOW_NS, who="ann", venue="one", asset="BTT", atoms=50, reason="x")
    )
    found = Rebalancer(PARAMS).look(holdings.facts(), SCORES)
    draft = next(each for each in found.drafts if each.band.asset == "BTT")
    assert [(each.place, each.atoms) for each in draft.supplies] == [("", 50)]


def test_without_a_score_nothing_is_converted():
    for scores in ({}, {"BTT": None}):
        draft = band(looked(working=130, scores=scores))
        assert draft.action is None
        assert "no current liquidity score" in draft.why


def test_a_thin_book_is_not_forced():
    draft = band(looked(working=130, bid=90))
    assert draft.action is None
    assert "too thin" in draft.why


def test_money_over_its_band_is_moved_and_not_converted():
    made = scheme(buckets={"USDT": bucket("USDT", float=[float_row("one", target="50")])})
    holdings = Holdings(made)
    holdings.learn(seen("one", NOW_NS, USDT=100))
    holdings.learn(
        FloatSet(at_ns=NOW_NS, who="ann", venue="one", asset="USDT", atoms=100, reason="x")
    )
    found = Rebalancer(PARAMS).look(holdings.facts(), {})
    draft = next(each for each in found.drafts if each.band.asset == "USDT")
    assert (draft.action, "move the excess" in draft.why) == (None, True)


# --- alerts at once, proposals once a day -------------------------------------------------------


def at(hour, day=0):
    return (TODAY + day) * NS_PER_DAY + hour * NS_PER_H


def test_a_breach_is_alerted_at_once_and_only_once():
    made = Rebalancer(PARAMS)
    looked(made, at_ns=at(7))
    first = looked(made, working=130, at_ns=at(8))
    assert first.alerts == ["BTT at one is over its upper band: 130.0 % of its target"]
    again = looked(made, working=131, at_ns=at(9))
    assert (again.alerts, again.records) == ([], [])
    back = looked(made, at_ns=at(10))
    assert isinstance(back.records[0], BandMoved)
    assert back.records[0].after is BandZone.INSIDE
    assert back.alerts == []
    calm = looked(made, at_ns=at(10) + 60 * NS_PER_S)
    assert calm.alerts == ["BTT at one is inside its bands: 100.0 % of its target"]


def test_a_float_that_goes_to_and_fro_over_a_band_is_told_once_and_recorded_each_time():
    made, alerts, records = Rebalancer(PARAMS), [], []
    for second in range(100):
        look = looked(made, working=120 + second % 2, at_ns=at(8) + second * NS_PER_S)
        alerts, records = alerts + look.alerts, records + look.records
    assert alerts == ["BTT at one is over its upper band: 121.0 % of its target"]
    assert len([one for one in records if isinstance(one, BandMoved)]) == 99


def test_over_one_band_and_then_under_the_other_is_two_alerts():
    made = Rebalancer(PARAMS)
    over, under = (
        looked(made, working=working, at_ns=at(8) + n * NS_PER_S)
        for n, working in enumerate((130, 70))
    )
    assert (len(over.alerts), len(under.alerts)) == (1, 1)


def test_a_breach_after_the_daily_check_is_told_at_once_and_traded_on_the_next_day():
    made = Rebalancer(PARAMS)
    assert looked(made, at_ns=at(6)).drafts == []
    late = looked(made, working=130, at_ns=at(9))
    assert (len(late.alerts), late.drafts) == (1, [])
    assert looked(made, working=130, at_ns=at(23)).drafts == []
    assert looked(made, working=130, at_ns=at(6, day=1)).drafts


def test_a_breach_is_traded_on_at_the_daily_check_and_not_before():
    made = Rebalancer(PARAMS)
    assert looked(made, working=130, at_ns=at(5)).drafts == []
    assert looked(made, working=130, at_ns=at(6)).drafts
    assert looked(made, working=130, at_ns=at(23)).drafts == []
    assert looked(made, working=130, at_ns=at(5, day=1)).drafts == []
    assert looked(made, working=130, at_ns=at(7, day=1)).drafts


def test_a_restart_neither_checks_a_day_twice_nor_alerts_again():
    made, again = Rebalancer(PARAMS), Rebalancer(PARAMS)
    for record in looked(made, working=130, at_ns=at(8)).records:
        again.remember(record)
    look = looked(again, working=130, at_ns=at(9))
    assert (look.records, look.alerts, look.drafts) == ([], [], [])
    assert isinstance(looked(again, working=130, at_ns=at(9, day=1)).records[0], BandsChecked)


# --- calibration --------------------------------------------------------------------------------


def floating(shares, **changes):
    """A float of target 1000 that ended each day at so many of it."""
    history = tuple(
        DayEnd(day=day, held_atoms=share, rebalanced_atoms=0) for day, share in enumerate(shares)
    )
    fields = {
        "name": "f", "target_atoms": 1_000, "lower_ppm": 800_000, "upper_ppm": 1_200_000,
        "history": history, "payout_atoms": 100, "day_volume_atoms": 10_000,
    }  # fmt: skip
    return Floating(**(fields | changes))


def zigzag(step, days=20):
    return [1_000 + step * (day % 2) for day in range(days)]


def test_calm_floats_fit_the_shipped_bands():
    found = calibrate(floating(zigzag(50)), CALIBRATION)
    assert (found.usual_ppm, found.lower, found.upper) == (50_000, Fit.FITS, Fit.FITS)
    assert (found.suggested_lower_ppm, found.suggested_upper_ppm) == (800_000, 1_200_000)
    assert (found.breaches, found.conflict) == (0, "")


def test_bands_that_noise_passes_are_narrow_and_wider_ones_are_suggested():
    found = calibrate(floating(zigzag(300)), CALIBRATION)
    assert (found.lower, found.upper) == (Fit.NARROW, Fit.NARROW)
    assert (found.suggested_lower_ppm, found.suggested_upper_ppm) == (400_000, 1_600_000)
    assert (found.breaches, found.suggested_breaches) == (10, 0)


def test_payouts_raise_the_lower_band_and_a_contradiction_is_said():
    found = calibrate(floating(zigzag(50), payout_atoms=850), CALIBRATION)
    assert (found.lower, found.suggested_lower_ppm) == (Fit.LOW, 850_000)
    assert found.conflict == ""
    found = calibrate(floating(zigzag(50), payout_atoms=950), CALIBRATION)
    assert "raise the target" in found.conflict
    assert "larger than the target" in calibrate(
        floating(zigzag(50), payout_atoms=1_001), CALIBRATION
    ).conflict  # fmt: skip


def test_a_band_that_a_day_cannot_sell_is_wide():
    found = calibrate(floating(zigzag(50), day_volume_atoms=1_500), CALIBRATION)
    assert (found.upper, found.suggested_upper_ppm) == (Fit.WIDE, 1_150_000)
    found = calibrate(floating(zigzag(50), day_volume_atoms=500), CALIBRATION)
    assert "lower the target" in found.conflict


def test_what_is_not_known_is_said_and_changes_no_band():
    found = calibrate(floating(zigzag(900, days=7), day_volume_atoms=None), CALIBRATION)
    assert (found.usual_ppm, found.lower, found.upper) == (None, Fit.UNKNOWN, Fit.UNKNOWN)
    assert (found.suggested_lower_ppm, found.suggested_upper_ppm) == (800_000, 1_200_000)
    with pytest.raises(ValueError, match="no target"):
        calibrate(floating([], target_atoms=0), CALIBRATION)


def test_what_rebalancing_moved_is_no_noise():
    days = [
        DayEnd(day=day, held_atoms=1_000 - 500 * (day > 4), rebalanced_atoms=500 * (day == 5))
        for day in range(10)
    ]
    assert usual_ppm(days, 1_000) == 0


def test_day_ends_come_from_the_ledger_and_know_who_moved_what():
    day = NS_PER_DAY
    made, entries = books(), []
    word = Converted(
        venue=VENUE, at_ns=3 * day + 5, ref="1", gave="BTT", gave_atoms=20 * ONE, got="USDT",
        got_atoms=9, fee_asset="USDT", fee_atoms=0, counterparty="otc",
    )  # fmt: skip
    facts = (
        held("BTT", 100 * ONE, at_ns=day), buy(1, 10, 62, at_ns=day + 1),
        sell(2, 5, 62, at_ns=3 * day + 1), child_of("c3"), sell(3, 1, 62, at_ns=3 * day + 2), word,
    )  # fmt: skip
    for fact in facts:
        entries += made.remember(fact, Source(1, "")).entries
    ends = day_ends(entries, VENUE, "BTT")
    assert [(end.day, end.held_atoms // ONE, end.rebalanced_atoms // ONE) for end in ends] == [
        (1, 110, -100), (2, 110, 0), (3, 84, 21),
    ]  # fmt: skip
    assert usual_ppm(ends, 100 * ONE) is None


def verb(*words):
    return CliRunner().invoke(app, ["calibrate", *map(str, words), "--json"])


async def test_calibrate_reads_the_journal_beside_the_treasury_file(tmp_path):
    item = msgspec.structs.replace(BTT, venue="loopback")
    day = NS_PER_DAY
    fills = [
        (buy if number % 2 else sell)(number, 60_000_000, 62, item=item, at_ns=number * day + 1)
        for number in range(1, 12)
    ]
    first = opening(0, at_ns=day - 1, BTT=200_000_000 * ONE, USDT=500 * ONE)
    first = msgspec.structs.replace(first, venue="loopback", market=item.market)
    listed = Listed(market=item.market, at_ns=0, instrument=item)
    async with await open_journal(tmp_path / "journal.db", JournalParams()) as writing:
        writing.append([listed, first, *fills])
        await writing.commit()
    done = verb(ROOT / "configs" / "treasury.toml", tmp_path)
    found = json.loads(done.output.splitlines()[-1])
    float_of = {row["name"]: row for row in found["floats"]}
    assert (done.exit_code, found["ok"]) == (1, False)
    token = float_of["BTT at loopback"]
    assert (token["usual_ppm"], token["lower"], token["days"]) == (
        300_000,
        "narrower than noise",
        12,
    )
    assert float_of["USDT at loopback"]["upper"] == "not known"


def test_calibrate_without_its_section_is_one_line(tmp_path):
    table = tomlkit.parse((ROOT / "configs" / "treasury.toml").read_text())
    del table["rebalance"]
    path = tmp_path / "treasury.toml"
    path.write_text(tomlkit.dumps(table))
    done = verb(path, tmp_path)
    assert isinstance(done.exception, UserError)
    assert "rebalance: missing" in str(done.exception)
    assert "\n" not in str(done.exception)
