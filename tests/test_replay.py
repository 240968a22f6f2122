"""A recorded session replays to the very same decisions; one changed fact is found and named."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.cli.rebuild import rebuilt
from engine.cli.replay import moment
from engine.runtime.recorder import Recorder, RecorderParams
from engine.runtime.recording import entries, sessions
from engine.sim.replay import Made, Replay
from engine.trading.standing import MarketState
from engine.values.errors import UserError
from engine.values.events import BookDelta, Timer, VenueState
from engine.values.records import Decision
from engine.values.units import NS_PER_S
from tests.patience import ends
from tests.recorded_live import recorded_session, venue_and_config
from tests.recording_builders import header, lived, write_session
from tests.sim import builders
from tests.sim.world import START_NS

ROOT = Path(__file__).resolve().parent.parent


def ballast(*words):
    command = [sys.executable, "-m", "engine.cli", *map(str, words)]
    with ends("the verb"):
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """All entries of some seconds of the deterministic world."""
    home = tmp_path_factory.mktemp("world")
    recorder = Recorder(home, header(), RecorderParams(free_bytes_min=0))
    recorder.start()
    lived(recorder, seconds=12)
    recorder.close()
    return list(entries(sessions(home)[0]))


def replayed(recording):
    """The first difference, and the replay that found it."""
    engine = builders.engine()
    engine.process(Timer(at_ns=START_NS))  # the world's start, before its recorder was there
    run = Replay(engine)
    for entry in recording:
        if (found := run.feed(entry)) is not None:
            return found, run
    return run.finish(), run


def test_a_replay_decides_what_was_decided(recording):
    found, run = replayed(recording)
    assert found is None
    assert run.outcomes == sum(isinstance(entry, Made) for entry in recording) > 10


def test_two_replays_have_one_digest(recording):
    assert replayed(recording)[1].digest == replayed(recording)[1].digest
    assert replayed(recording)[1].digest != replayed(recording[:-40])[1].digest


def changed(recording, kind, **fields):
    """The recording with a fact changed that led to something, and its number, from 1."""
    places = [
        n
        for n, entry in enumerate(recording[:-1])
        if isinstance(entry, kind) and isinstance(recording[n + 1], Made)
    ]
    at = places[0]
    number = sum(not isinstance(entry, Made) for entry in recording[: at + 1])
    fact = msgspec.structs.replace(recording[at], **fields)
    return [*recording[:at], fact, *recording[at + 1 :]], number


def test_a_fact_that_was_changed_is_found_and_both_sides_are_shown(recording):
    forged, number = changed(recording, BookDelta, bids=[(40, 1_000)], asks=[(41, 10**9)])
    found, _ = replayed(forged)
    assert found.number == number
    assert isinstance(found.event, BookDelta)
    assert found.recorded != found.replayed
    assert found.what


def test_a_fact_that_is_missing_is_found_at_the_first_decision_without_it(recording):
    at = [n for n, entry in enumerate(recording) if isinstance(entry, BookDelta)][5]
    forged = recording[:at] + recording[at + 1 :]
    found, _ = replayed(forged)
    assert found is not None
    assert found.number > 5


def test_a_difference_names_the_first_field(recording):
    at, made = next(
        (n, entry)
        for n, entry in enumerate(recording)
        if isinstance(entry, Made) and b'"Decision"' in entry.outcome
    )
    outcome = json.loads(made.outcome)
    decision = next(record for record in outcome[0] if record["type"] == "Decision")
    decision["inputs"]["position_lots"] += 1
    forged = [*recording[:at], Made(json.dumps(outcome).encode()), *recording[at + 1 :]]
    found, _ = replayed(forged)
    assert ".inputs.position_lots: recorded 200000001, replayed 200000000" in found.what
    assert any(isinstance(record, Decision) for record in found.recorded.records)


def test_a_torn_last_outcome_is_no_difference(recording):
    last = max(n for n, entry in enumerate(recording) if isinstance(entry, Made))
    engine = builders.engine()
    engine.process(Timer(at_ns=START_NS))
    run = Replay(engine)
    assert [run.feed(entry) for entry in recording[:last]] == [None] * last


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("1.5", 1_500_000_000 + 7),
        ("2024-08-08T00:00:00", 1_723_075_200 * 10**9),
        ("2024-08-08T02:00:00+02:00", 1_723_075_200 * 10**9),
    ],
)
def test_a_moment_is_seconds_or_a_time(text, at_ns):
    assert moment(text, 7) == at_ns


def test_a_moment_that_is_neither_is_a_user_s_mistake():
    with pytest.raises(UserError, match="--at 'noon'"):
        moment("noon", 0)


# --- a live engine on a venue -------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Two sessions of one data directory: the second remembers the first."""
    home = tmp_path_factory.mktemp("live")

    async def both():
        async with venue_and_config(home) as (_, config):
            await recorded_session(config, 4.5)
            await recorded_session(config, 2.5)
            return config

    return asyncio.run(both())


@pytest.mark.parametrize("number", [0, 1])
def test_a_live_session_replays_without_a_difference(live, number):
    session = sessions(live.data_path)[number]
    run = Replay(rebuilt(session).engine)
    found = next((f for f in map(run.feed, entries(session)) if f is not None), run.finish())
    assert found is None
    assert run.facts > 100
    assert run.outcomes > 5


def test_the_second_session_began_with_what_the_first_left(live):
    first, second = (session.header for session in sessions(live.data_path))
    assert second.past_seq > first.past_seq
    assert first.epoch + 1 == second.epoch
    engine = rebuilt(sessions(live.data_path)[1]).engine
    held = engine.keepers["loopback"].portfolio.balance("BTT")
    assert held > 10**15


def test_the_verb_verifies_and_says_so(live):
    done = ballast("replay", live.data_path, "--verify", "--json")
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, answer["verified"], answer["whole"]) == (0, True, True)
    assert answer["facts"] > 100


def test_the_verb_finds_a_forged_fact_and_exits_one(live, tmp_path):
    session = sessions(live.data_path)[0]
    forged, number = changed(list(entries(session)), VenueState, balances=[])
    write_session(tmp_path, session.header, forged)
    (tmp_path / "journal.db").symlink_to(live.journal_path)
    done = ballast("replay", tmp_path, "--verify")
    assert done.returncode == 1
    assert f"first difference at fact {number}" in done.stdout
    assert "recorded:" in done.stdout
    assert "replayed:" in done.stdout


def quoted_s(live):
    """When both sides stood, in seconds after the start: a busy machine pulls quotes at times."""
    session = sessions(live.data_path)[0]
    run, found_s = Replay(rebuilt(session).engine), 0.0
    (maker,) = run.engine.makers.values()
    for entry in entries(session):
        run.feed(entry)
        decision = maker.quoter.last
        stands = maker.state[0] is MarketState.QUOTING and decision is not None
        if stands and decision.ladder.bids and not isinstance(entry, Made):
            found_s = (entry.at_ns - session.header.at_ns) / NS_PER_S
    return found_s


def test_the_verb_says_why_at_a_moment(live):
    at = f"{quoted_s(live):.6f}"
    done = ballast("replay", live.data_path, "--epoch", "1", "--at", at, "--why", "--json")
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["why"][0]["state"] == "QUOTING"
    assert answer["why"][0]["sides"]["buy"]["quotes"]


def test_a_journal_that_is_gone_is_said(live, tmp_path):
    session = sessions(live.data_path)[1]
    copy = tmp_path / session.files[0].name
    copy.write_bytes(session.files[0].read_bytes())
    done = ballast("replay", copy)
    assert done.returncode == 2
    assert "journal.db: missing" in done.stderr
    assert "Traceback" not in done.stderr
