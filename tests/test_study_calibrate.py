"""`ballast study glft --data`: a, k and sigma out of recordings, and into the strategies."""

import gzip
import json
from itertools import islice

import pytest
from typer.testing import CliRunner

from engine.cli.study_calibrate import feed, fitted
from engine.cli.verbs import app_of
from engine.runtime.recorder import Recorder, RecorderParams
from engine.sim.calibration import Calibration
from engine.values.errors import UserError
from engine.values.events import BookDelta, BookSnapshot, Trade
from engine.values.units import NS_PER_S, Side
from strategies.avellaneda_stoikov import AvellanedaStoikovParams, AvellanedaStoikovStrategy
from strategies.glft import GlftParams, GlftStrategy
from tests.market_data import spot_wire
from tests.recording_builders import header, lived
from tests.sim.venue import MARKET
from tests.trading_builders import view

LINES = 25_000


def study(*words):
    done = CliRunner().invoke(app_of(["study"]), ["study", "glft", *map(str, words)])
    if isinstance(done.exception, UserError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    path = tmp_path_factory.mktemp("piece") / "piece.gz"
    with gzip.open(spot_wire()[0]) as whole, gzip.open(path, "wb", compresslevel=1) as part:
        part.writelines(islice(whole, LINES))
    return path


def test_a_recorded_market_gives_numbers_that_the_strategies_take(piece):
    (market,) = json.loads(study("--data", piece, "--json").splitlines()[-1])["markets"]
    assert market["market"] == "BTCUSDT@binance"
    assert market["tick"] == "0.01"
    assert market["orders"] > 500
    assert market["fit"] > 0.7
    assert 0.2 < market["a"] < 20
    assert 100 < market["sigma"] < 5_000
    glft = GlftStrategy(GlftParams(lots=1, **market["params"]["glft"]))
    stoikov = AvellanedaStoikovStrategy(
        AvellanedaStoikovParams(
            lots=1, horizon_s=1.0, **market["params"]["avellaneda_stoikov"]
        )
    )  # fmt: skip
    for strategy in (glft, stoikov):
        ladder = strategy.quote(view())
        assert ladder.bids
        assert ladder.asks


def test_people_read_the_params_as_toml(piece):
    text = study("--data", piece, "--gamma", "0.001", "--inventory", "2")
    line = next(line for line in text.splitlines() if line.startswith("  glft: "))
    assert "gamma = 0.001" in line
    assert "volatility_unknown = " in line
    assert sum("." in row for row in text.splitlines()[-5:]) == 5


def test_a_session_is_read_without_our_own_orders(tmp_path):
    recorder = Recorder(tmp_path, header(), RecorderParams(free_bytes_min=0))
    recorder.start()
    lived(recorder, seconds=40)
    recorder.close()
    with pytest.raises(UserError) as told:
        fitted([tmp_path], "")
    assert str(told.value).startswith(f"--data: {MARKET}: ")
    assert "market orders reach 2 distances" in str(told.value)  # of so thin a market's ticks


def test_each_market_has_its_own_book_and_trades():
    both, number = {"A/B@x": Calibration(), "C/D@x": Calibration()}, 0
    facts = []
    for market, bid in (("A/B@x", 100), ("C/D@x", 500), ("E/F@x", 900)):
        facts.append(BookSnapshot(
            market=market, at_ns=1, sequence=1, bids=[(bid, 5)], asks=[(bid + 2, 5)]
        ))  # fmt: skip
    for second in range(1, 90):
        at_ns = second * NS_PER_S
        for market, bid, reach in (("A/B@x", 100, 4), ("C/D@x", 500, 7), ("E/F@x", 900, 1)):
            number += 1
            up = second % 2
            facts.append(BookDelta(
                market=market, at_ns=at_ns, sequence=second,
                bids=[(bid + up, 5), (bid + 1 - up, 0)],
                asks=[(bid + 2 + up, 5), (bid + 3 - up, 0)],
            ))  # fmt: skip
            far = bid + 1 + up + 1 + second % reach
            facts.append(Trade(
                market=market, at_ns=at_ns + 1, venue_ns=at_ns, trade_id=number, tick=far, lots=1,
                aggressor=Side.BUY,
            ))  # fmt: skip
    feed(both, facts)
    near, far = (each.fitted() for each in both.values())
    assert near.orders == far.orders == 89
    assert (near.distances, far.distances) == (4, 6)
    assert near.k > far.k > 0
    assert near.sigma == far.sigma > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "nothere.gz"), "nothere.gz: is not there"),
        (("--data", "README.md"), "README.md:1"),
        (("--market", "A/B@x"), "--market is one of --data"),
        (("--gamma", "nan"), "above 0"),
        (("--a", "0"), "above 0"),
        (("--inventory", "30"), "below bound"),
    ],
)
def test_a_mistake_is_one_line(words, said):
    with pytest.raises(UserError) as told:
        study(*words)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_a_market_that_is_not_there_names_those_that_are(piece):
    with pytest.raises(UserError, match="there are: BTCUSDT@binance"):
        study("--data", piece, "--market", "ETHUSDT@binance")


def test_a_recording_without_trades_says_what_is_needed(tmp_path):
    path = tmp_path / "empty.jsonl"
    path.write_text("")
    with pytest.raises(UserError):
        study("--data", path)
