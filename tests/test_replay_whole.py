"""A session with ratings, a playbook, cover and bars: replayed, changed by a line, back-tested.

One live engine on the loopback venue is recorded, told a rating and another playbook by a person,
and sells cover meanwhile. Everything else here reads that recording.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.cli.backtest_data import data_of
from engine.cli.backtest_flags import latency_of
from engine.cli.backtest_run import Wanted, run_backtest
from engine.cli.backtest_ways import ways_of
from engine.runtime.config import load_config
from engine.runtime.recording import entries, sessions
from engine.sim.latency import Table
from engine.sim.replay import Made
from engine.trading.playbook_file import load_playbook
from engine.values.errors import UserError
from engine.values.events import BarsClosed, PlaybookSet, RatingSet, Timer
from engine.values.records import Ruled
from engine.values.units import NS_PER_S
from tests.live_world import MARKET, PATIENT
from tests.patience import ends
from tests.playbook_world import playbook_world, quick_playbook
from tests.recording_builders import write_session
from tests.test_hedge_live import HOURLY, hedged, stages

ROOT = Path(__file__).resolve().parent.parent
HELD = "240000000"
SECOND = quick_playbook(hedge={"day_cost_max": "49"})
DIGEST = load_playbook(SECOND, "a test").digest
MARK = DIGEST[:12]
LINE = "        return by_zone * view.lean.size(side)\n"
CHANGED = LINE.replace(
    "size(side)", "size(side) * (0.8 if view.stance.label.value == 'sell' else 1)"
)


def ballast(*words):
    command = [sys.executable, "-m", "engine.cli", *map(str, words), "--json"]
    with ends("the verb"):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert "Traceback" not in done.stderr, done.stderr
    told = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    return done.returncode, told


async def lived_through(home, strategy):
    def change(table):
        hedged(table)
        table |= {"technical": HOURLY, "strategy": f"{strategy}:LadderStrategy"}

    def whole(table):
        table["runtime"] |= {"record": True}

    async with playbook_world(home, held=HELD, change=change, whole=whole) as market:
        await market.known()
        await market.until(lambda: 1 in stages(market), "cover begins")
        await asyncio.sleep(1.0)
        await market.rate("sell")
        await market.until(lambda: market.ruling.answers.signal.value == "sell", "it counts")
        await market.decides(
            lambda d: d.inputs["stance"] == "sell" and (d.ladder.bids or d.ladder.asks),
            "its quotes",
        )
        await market.world.live.tell(
            PlaybookSet(
                market=MARKET, at_ns=market.world.live.clock.now_ns(), who="ann", name="second",
                digest=DIGEST, text=SECOND,
            )
        )  # fmt: skip
        await market.rate("neutral")
        await market.until(lambda: market.rulings()[-1].playbook.endswith(MARK), "its ruling")
        await asyncio.sleep(0.5)


def as_it_was(home):
    """Tests' engines forgive a slow machine, which no config can say; the recording says it now."""
    (session,) = sessions(home / "data")
    patient = msgspec.structs.replace(session.header.params, disturbances=PATIENT)
    rows = list(entries(session))
    assert len(session.files) == 1
    header = msgspec.structs.replace(session.header, params=patient)
    write_session(session.files[0].parent, header, rows)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("whole")
    strategy = home / "mine.py"
    strategy.write_text((ROOT / "strategies" / "ladder.py").read_text())
    asyncio.run(lived_through(home, strategy))
    as_it_was(home)
    return home


@pytest.fixture
def rewritten(home):
    """Write another line for one of the strategy; it is as it was again at the end."""
    strategy = home / "mine.py"
    before = strategy.read_text()
    assert before.count(LINE) == 1
    yield lambda line: strategy.write_text(before.replace(LINE, line))
    strategy.write_text(before)


@pytest.fixture
def changed(rewritten):
    """The line takes a fifth off all sizes while the rating is a sell."""
    rewritten(CHANGED)


def facts(home):
    return list(entries(sessions(home / "data")[-1]))


def lots_of(decision):
    return [level["lots"] for side in ("bids", "asks") for level in decision["ladder"][side]]


def decided(home, number):
    """The sizes that held once so many facts were heard."""
    count, sizes = 0, []
    for entry in facts(home):
        if not isinstance(entry, Made):
            count += 1
        elif count <= number:
            rows = json.loads(entry.outcome)[0]
            sizes = next((lots_of(row) for row in rows if row["type"] == "Decision"), sizes)
    return sizes


def test_the_session_holds_ratings_playbooks_cover_and_bars(home):
    kinds = {type(fact) for fact in facts(home)}
    assert {RatingSet, PlaybookSet, BarsClosed, Timer} <= kinds
    made = b"".join(entry.outcome for entry in facts(home) if isinstance(entry, Made))
    assert b'"type":"HedgeSent"' in made
    assert b'"type":"Ruled"' in made


def test_it_replays_without_a_differing_decision(home):
    code, told = ballast("replay", home / "data", "--verify")
    assert (code, told["verified"], told["whole"], told["notes"]) == (0, True, True, [])
    assert told["facts"] > 500
    assert told["outcomes"] > 50


def test_one_changed_line_is_found_at_its_first_differing_decision(home, changed):
    code, told = ballast("replay", home / "data", "--verify")
    assert code == 1
    found = told["difference"]
    assert "is not the code it was" in told["notes"][0]
    then, now = (found["inputs"][side] for side in ("recorded", "replayed"))
    assert now
    assert then in ([], now), "what was decided as before is no new decision"
    assert ".ladder." in found["what"] or found["what"].endswith("replayed Decision")
    (mine,) = (row for row in found["replayed"][0] if row["type"] == "Decision")
    smaller = {lots * 4 // 5 for lots in decided(home, found["number"])}
    # A fifth less may be too little for the venue: then a side is empty, which differs as well.
    assert set(lots_of(mine)) <= smaller, "a fifth off what stood, whichever sides the gate lets be"
    said_ns = next(f.at_ns for f in facts(home) if isinstance(f, RatingSet) and f.source == "test")
    assert 0 <= found["at_ns"] - said_ns < 60 * NS_PER_S


def test_another_file_that_decides_the_same_is_a_note_and_no_difference(home, rewritten):
    rewritten(f"        # the same, said otherwise\n{LINE}")
    code, told = ballast("replay", home / "data", "--verify")
    assert (code, told["verified"]) == (0, True)
    assert "is not the code it was" in told["notes"][0]


def test_all_before_the_first_difference_is_as_it_was_and_why_shows_either_side(home, changed):
    found = ballast("replay", home / "data", "--verify")[1]["difference"]
    start_ns = sessions(home / "data")[-1].header.at_ns
    before, after = ((found["at_ns"] - start_ns + shift) / NS_PER_S for shift in (-2_000, 2_000))
    code, told = ballast("replay", home / "data", "--verify", "--at", f"{before:.6f}", "--why")
    assert (code, told["verified"]) == (0, True)
    was = told["why"][0]["sides"]["sell"]["quotes"]
    code, told = ballast("replay", home / "data", "--at", f"{after:.6f}", "--why")
    assert code == 0
    assert told["why"][0]["sides"]["sell"]["quotes"] != was


def test_a_changed_rating_is_found_where_it_was_said(home, tmp_path):
    session = sessions(home / "data")[-1]
    rows = facts(home)
    at = next(n for n, f in enumerate(rows) if isinstance(f, RatingSet) and f.source == "test")
    rows[at] = msgspec.structs.replace(rows[at], label="strong buy")
    write_session(tmp_path, session.header, rows)
    if session.header.past_seq:
        (tmp_path / "journal.db").symlink_to(home / "data" / "journal.db")
    code, told = ballast("replay", tmp_path, "--verify")
    assert code == 1
    assert told["difference"]["event"]["type"] == "RatingSet"


# --- the back-test of it --------------------------------------------------------------------------


def rulings(home, config):
    seen = []
    found = data_of(config, [home / "data"], 0)
    run_backtest(
        config, "a test", found, Wanted(),
        lambda event, step: seen.extend(r for r in step.records if isinstance(r, Ruled)),
    )  # fmt: skip
    return found, seen


def test_a_back_test_hears_the_ratings_and_the_playbook_of_its_session(home):
    config = load_config(home / "config.toml")
    found, seen = rulings(home, config)
    assert found.notes[-1] == "halts and resumes of then were not told again; ratings were"
    signals = [each.answers["signal"] for each in seen]
    assert "neutral" in signals
    assert "sell" in signals
    said_ns = next(
        f.at_ns for f in facts(home) if isinstance(f, RatingSet) and f.source == "test"
    )  # fmt: skip
    first_ns = next(each.at_ns for each in seen if each.answers["signal"] == "sell")
    assert 0 <= first_ns - said_ns < 60 * NS_PER_S
    assert not seen[0].playbook.endswith(MARK)
    assert seen[-1].playbook.endswith(MARK)


def test_a_back_test_of_another_playbook_keeps_it(home):
    config = load_config(home / "config.toml")
    (name,) = config.playbooks
    other = config.playbooks[name].replace("child_every_s = 0.2", "child_every_s = 0.3")
    assert other != config.playbooks[name]
    found, seen = rulings(home, msgspec.structs.replace(config, playbooks={name: other}))
    assert "began with another playbook" in found.notes[-1]
    assert not any(each.playbook.endswith(MARK) for each in seen)
    assert "sell" in [each.answers["signal"] for each in seen]


def test_nothing_is_told_where_it_is_not_wanted(home):
    config = load_config(home / "config.toml")
    mute = data_of(config, [home / "data"], 0, has_words=False)
    assert not any(isinstance(fact, RatingSet | PlaybookSet) for fact in mute.facts())


def test_the_session_s_own_orders_are_a_table_of_delays(home):
    own = sessions(home / "data")
    up, down = ways_of(own, "", "recorded")
    assert isinstance(up, Table)
    assert len(up.rows) >= 3
    assert all(0 < delay_ns < NS_PER_S for _, delay_ns in up.rows)
    halfway = (up.rows[0][0] + up.rows[1][0]) // 2
    low, high = sorted(delay_ns for _, delay_ns in up.rows[:2])
    assert low <= up.ns(halfway, None) <= high
    named = latency_of(
        f"recorded:{home / 'data'}", "1ms", lambda path: ways_of([], path, "recorded")
    )  # fmt: skip
    assert named.down == down


def test_delays_of_a_session_that_is_none_are_a_user_s_mistake(home):
    with pytest.raises(UserError, match="no order of a recorded session is in the data"):
        ways_of([], "", "recorded")
    config = home / "config.toml"
    words = ("backtest", config, "--data", home / "data", "--latency")
    assert ballast(*words, "recorded:nowhere")[0] == 2
    code, told = ballast(*words, "recorded")
    assert (code, told["assumed"]["latency"]) == (0, "recorded")
