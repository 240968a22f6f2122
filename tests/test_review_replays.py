"""A review of a recorded session: what happened beside its replays, and what cannot be read."""

import asyncio
import json

import msgspec
import pytest
from typer.testing import CliRunner

from engine.cli.verbs import app_of
from engine.runtime.config import config_hash, load_config
from engine.runtime.journal import JournalParams, open_journal
from engine.runtime.recorder import Recorder, RecorderParams
from engine.sim.counterfactual import Run, Way, by_row, scores
from engine.sim.outcomes import reviewed
from engine.sim.tally import Point
from engine.trading.hedge_params import HedgeInstrument, HedgeKind
from engine.trading.playbook_file import load_playbook
from engine.values.events import Fill
from engine.values.records import Decision, Listed, Ruled, SessionStarted
from tests.recording_builders import header, lived
from tests.review_builders import ruled as ruling
from tests.review_builders import started
from tests.review_truth import differences, rows_of
from tests.sim import builders
from tests.sim.venue import BTT, MARKET
from tests.sim.world import START_NS

S = 10**9
SECONDS = 20
ROWS = ("default: keep the shape, carefully", "buy, thin book, BTC weak")


class Told:
    """A recorder that keeps the records of each step beside the file."""

    def __init__(self, recorder):
        self.take, self._made, self.records = recorder.take, recorder.made, []

    def made(self, step):
        self._made(step)
        self.records += [each for each in step.records if isinstance(each, Decision)]


def config(*, is_hedged):
    """The demo's, with a market to hedge in or without one."""
    found = load_config(builders.DEMO)
    ways = [HedgeInstrument(kind=HedgeKind.CONVERSION, market=MARKET)] if is_hedged else []
    market = msgspec.structs.replace(found.markets[0], hedge=ways)
    return msgspec.structs.replace(found, markets=[market])


def head(found, text=""):
    """A recording's, for a session that ran by this config."""
    text = text or msgspec.json.encode(found).decode()
    return msgspec.structs.replace(header(), config=text, config_hash=config_hash(found))


def ruled(at_s, row, found):
    playbook = load_playbook(found.playbooks[found.markets[0].playbook], "a test")
    return Ruled(
        market=MARKET, at_ns=START_NS + at_s * S, row=row, reason="because",
        playbook=f"{playbook.name} {playbook.digest[:12]}", answers={"signal": "buy"}, numbers={},
        conflict=False, careful=[], event=0, event_lots=0,
    )  # fmt: skip


def session(home, found, seconds=SECONDS, text=""):
    """A recorded session and the journal of it, with a ruling every five seconds."""
    recorder = Recorder(home, head(found, text), RecorderParams(free_bytes_min=0))
    recorder.start()
    told = Told(recorder)
    facts = lived(told, seconds=seconds)
    recorder.close()
    rulings = [ruled(at_s, ROWS[at_s % 2], found) for at_s in range(1, seconds, 5)]
    fills = [fact for fact in facts if isinstance(fact, Fill)]
    assert fills
    assert told.records
    records = sorted([*rulings, *fills, *told.records], key=lambda each: each.at_ns)
    first = [
        SessionStarted(
            at_ns=START_NS, epoch=1, config_hash="0", code_version="0", mode="demo"
        ),
        Listed(market=MARKET, at_ns=START_NS, instrument=BTT),
    ]  # fmt: skip
    asyncio.run(written(home, [*first, *records]))
    return home


async def written(home, records):
    async with await open_journal(home / "journal.db", JournalParams()) as journal:
        journal.append(records)
        await journal.commit()


def review(home, *words):
    done = CliRunner().invoke(
        app_of(["review"]), ["review", "--at", str(home), "--since", "all", "--json", *words]
    )
    assert done.exception is None, done.exception
    return json.loads(done.stdout.splitlines()[-1])


# --- scores of decisions, by hand ---------------------------------------------------------------


def run(way, *points, worst=()):
    """`points` are (second, profit, position, mid in half ticks)."""
    curve = [Point(at_s * S, profit, lots, mid) for at_s, profit, lots, mid in points]
    return Run(
        way=way, curve=curve, worst=[(at_s * S, lots) for at_s, lots in worst], rows=[(0, "a")],
        fills=0, bought_lots=0, sold_lots=0, spread_atoms=0, profit_atoms=curve[-1].profit_atoms,
    )  # fmt: skip


def scored(mine, *others):
    """The one ruling from second 1 to second 5 against those runs."""
    epochs = reviewed([started(), ruling(1, "a"), ruling(5, "b")], {MARKET: BTT}).epochs
    runs = {each.way: each for each in (mine, *others)}
    return scores(epochs, runs, BTT.tick_lot_atoms, (0, 5 * S))[0]


def test_a_decision_is_scored_by_what_its_epoch_earned_more_than_the_same_one_there():
    mine = run(Way.AS_IT_WAS, (0, 0, 0, 124), (1, 10, 0, 124), (5, 40, 0, 124), (6, 99, 0, 124))
    other = run(Way.NEUTRAL, (0, 0, 0, 124), (1, 500, 0, 124), (5, 510, 0, 124))
    found = scored(mine, other)
    assert found.against[Way.NEUTRAL].profit_atoms == 30 - 10
    assert not found.was_costly
    assert (found.seconds, found.is_same_row) == (4.0, True)


def test_what_was_carried_into_an_epoch_is_none_of_its_doing():
    """Ten lots more than there, and the mid rises by one tick: ten atoms that it did not earn."""
    mine = run(Way.AS_IT_WAS, (1, 0, 10, 124), (5, 9, 10, 126))
    other = run(Way.NEUTRAL, (1, 0, 0, 124), (5, 0, 0, 126))
    found = scored(mine, other).against[Way.NEUTRAL]
    assert (found.profit_atoms, found.own_atoms) == (9, -1)


def test_a_decision_is_costly_only_if_it_earned_less_than_every_counterfactual():
    mine = run(Way.AS_IT_WAS, (1, 0, 0, 124), (5, 5, 0, 124))
    less, more = (run(way, (1, 0, 0, 124), (5, earned, 0, 124))
                  for way, earned in ((Way.NEUTRAL, 4), (Way.NO_SIGNAL, 6)))  # fmt: skip
    assert scored(mine, more).was_costly
    assert not scored(mine, more, less).was_costly


def test_drift_and_worst_exposure_are_told_beside_the_money():
    mine = run(Way.AS_IT_WAS, (1, 0, 5, 124), (5, 0, -3, 124), worst=[(0, 90), (2, 100)])
    other = run(Way.NEUTRAL, (1, 0, 5, 124), (5, 0, 4, 124), worst=[(0, 110), (6, 500)])
    found = scored(mine, other).against[Way.NEUTRAL]
    assert (found.worst_lots, found.drift_lots) == (100 - 110, 8 - 1)


def test_rows_add_up_over_sessions_that_were_held_against_different_ways():
    mine = run(Way.AS_IT_WAS, (1, 0, 0, 124), (5, 5, 0, 124))
    both = [run(way, (1, 0, 0, 124), (5, 7, 0, 124)) for way in (Way.NEUTRAL, Way.FULL_HEDGE)]
    (row,) = by_row([scored(mine, both[0]), scored(mine, *both)])
    assert row.own_atoms == {Way.NEUTRAL: -4, Way.FULL_HEDGE: -2}
    assert (row.decisions, row.costly) == (2, 2)


# --- sessions -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hedged(tmp_path_factory):
    return session(tmp_path_factory.mktemp("hedged"), config(is_hedged=True))


@pytest.fixture(scope="module")
def told(hedged):
    return review(hedged)


def test_a_session_stands_beside_itself_and_three_counterfactuals(told):
    (again,) = told["markets"][0]["lived_again"]
    assert list(again["ways"]) == ["as it was", "no signal", "neutral", "full hedge"]
    assert again["ways"]["as it was"]["fills"] > 0
    assert told["sessions"][0]["replayed"]


def test_each_decision_is_held_against_each_counterfactual(told):
    (market,) = told["markets"]
    scores = market["lived_again"][0]["scores"]
    ruled_ones = [each["number"] for each in market["epochs"] if each["row"]]
    assert [score["number"] for score in scores] == ruled_ones
    assert all(list(s["against"]) == ["no signal", "neutral", "full hedge"] for s in scores)
    assert market["false_positives"]["decisions_scored"] == len(scores)


def test_the_replay_as_it_was_is_the_back_test_of_that_session(hedged, told):
    """Nobody said anything in this session, so the back-test of its config is the same life."""
    done = CliRunner().invoke(
        app_of(["backtest"]), ["backtest", str(builders.DEMO), "--data", str(hedged), "--json"]
    )
    assert done.exit_code == 0
    found = json.loads(done.stdout.splitlines()[-1])
    mine = told["markets"][0]["lived_again"][0]["ways"]["as it was"]
    assert mine["fills"] == found["markets"][0]["fills"]


def test_what_happened_is_true_by_arithmetic_of_its_own(hedged, told):
    assert told["markets"][0]["totals"]["fills"] > 0
    assert differences(rows_of(hedged), told) == []


def test_what_a_replay_misses_of_what_happened_is_told(told):
    (market,) = told["markets"]
    again = market["lived_again"][0]
    missed = abs(again["real"]["net_atoms"] - again["ways"]["as it was"]["net_atoms"])
    assert market["replay_error_atoms"] == missed


def test_without_a_market_to_hedge_in_nothing_is_held_against_a_full_hedge(tmp_path):
    answer = review(session(tmp_path, config(is_hedged=False), seconds=8))
    (again,) = answer["markets"][0]["lived_again"]
    assert list(again["ways"]) == ["as it was", "no signal", "neutral"]
    assert any("names no market to hedge it in" in note for note in answer["notes"])


def test_a_recording_that_was_killed_before_it_began_costs_nothing(tmp_path):
    home = session(tmp_path, config(is_hedged=False), seconds=8)
    whole = review(home)
    (home / "sessions" / "000002-0000.rec").write_bytes(b"")
    assert review(home)["markets"][0]["lived_again"] == whole["markets"][0]["lived_again"] != []
    assert differences(rows_of(home), whole) == []


def test_a_recording_whose_header_is_damaged_costs_the_replays_and_not_the_review(tmp_path):
    home = session(tmp_path, config(is_hedged=False), seconds=8)
    (file,) = (home / "sessions").glob("*.rec")
    content = bytearray(file.read_bytes())
    content[40] ^= 0xFF
    file.write_bytes(content)
    answer = review(home)
    assert answer["markets"][0]["lived_again"] == []
    assert any(file.name in note for note in answer["notes"]), answer["notes"]


def test_a_session_whose_config_no_longer_reads_is_reviewed_from_its_journal(tmp_path):
    home = session(tmp_path, config(is_hedged=False), seconds=8, text='{"of": "another version"}')
    answer = review(home)
    assert answer["markets"][0]["totals"]["fills"] > 0
    assert answer["markets"][0]["lived_again"] == []
    assert any(note.startswith("session 1 is not replayed") for note in answer["notes"])
    assert differences(rows_of(home), answer) == []
