"""A back-test takes every form of market data, and the same market is the same run in each."""

import gzip
import json
from itertools import islice

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from adapters.importers.parquet import write_parquet
from engine.cli.backtest_data import data_of, is_session
from engine.cli.backtest_imported import names_of, squashed
from engine.cli.data_sources import open_sources
from engine.cli.verbs import app_of
from engine.runtime.block_file import RecorderParams
from engine.runtime.config import load_config
from engine.runtime.frames import FrameRecorder, FramesHeader
from engine.values.errors import UserError
from engine.values.events import BookDelta, BookSnapshot, Trade
from engine.values.units import BUY
from tests.importer_builders import (
    BOTH,
    BUYER,
    DEPTH,
    EVENT,
    SELLER,
    SNAPSHOT,
    TARDIS_BOOK,
    TARDIS_TRADES,
    TRADE,
    written,
)
from tests.market_data import recorded, spot_wire
from tests.sim import builders

CONFIG = "configs/recorded.toml"
MARKET = "BTC/USDT@loopback"
FRAMES = 8_000


@pytest.fixture(scope="module")
def lines():
    with gzip.open(spot_wire()[0]) as whole:
        return [line.rstrip(b"\n").split(b" ", 1) for line in islice(whole, FRAMES)]


@pytest.fixture(scope="module")
def wire(lines, tmp_path_factory):
    path = tmp_path_factory.mktemp("wire") / "piece.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.writelines(b" ".join(line) + b"\n" for line in lines)
    return path


@pytest.fixture(scope="module")
def market(wire):
    """Facts and instrument of the wire, as the config calls it."""
    data = data_of(load_config_of(CONFIG), [wire], 0)
    return list(data.facts()), data.instruments[MARKET]


def load_config_of(path):
    return load_config(builders.DEMO.parent / path.rpartition("/")[2])


@pytest.fixture(scope="module")
def frames(lines, market, tmp_path_factory):
    home = tmp_path_factory.mktemp("frames")
    head = FramesHeader(
        at_ns=int(lines[0][0]), part=0, code_version="0", exchanges={"loopback": "binance"},
        instruments=[market[1]],
    )  # fmt: skip
    recorder = FrameRecorder(home, head, RecorderParams(free_bytes_min=0))
    recorder.start()
    for stamp, frame in lines:
        recorder.take(int(stamp), "public:loopback", frame)
    recorder.close()
    assert recorder.written == FRAMES
    return home


def ballast(*words):
    done = CliRunner().invoke(app_of(["backtest"]), ["backtest", *map(str, words), "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0
    return json.loads(done.stdout.splitlines()[-1])


def ran(*paths, fees="1000,1000"):
    words = [word for path in paths for word in ("--data", path)]
    return ballast(CONFIG, *words, "--balance", "BTC=1,USDT=90000", "--fees", fees)


def told(answer):
    """What happened, without what was assumed."""
    (market,) = answer["markets"]
    return {name: market[name] for name in ("fills", "placed", "cancelled", "profit", "turnover")}


def test_frames_parquet_and_the_wire_itself_are_the_very_same_run(wire, frames, market, tmp_path):
    first = ran(wire)
    assert told(first)["placed"] > 0
    assert ran(frames)["digest"] == first["digest"]
    write_parquet(tmp_path / "p", [market[1]], [], market[0])
    parquet = ran(tmp_path / "p")
    assert parquet["digest"] == first["digest"]
    assert (parquet["assumed"]["data"], parquet["facts"]) == ("parquet", first["facts"])


def test_parquet_from_the_converter_runs_under_the_names_of_the_config(wire, tmp_path):
    done = CliRunner().invoke(
        app_of(["data"]), ["data", "convert", str(wire), "--out", str(tmp_path / "p")]
    )
    assert done.exit_code == 0, done.output
    answer = ran(tmp_path / "p")
    assert answer["markets"][0]["market"] == MARKET
    assert told(answer)["placed"] > 0
    assert any("no filters" in note for note in answer["assumed"]["notes"])


def tardis_files(folder, facts, item):
    book, trades = [TARDIS_BOOK], [TARDIS_TRADES]
    for fact in facts:
        stamps = f"binance,BTCUSDT,{fact.venue_ns // 1000},{fact.at_ns // 1000}"
        if isinstance(fact, Trade):
            at = f"{item.price_text(fact.tick)},{item.size_text(fact.lots)}"
            trades.append(f"{stamps},{fact.trade_id},{fact.aggressor.value},{at}")
        elif isinstance(fact, BookSnapshot | BookDelta):
            whole = str(isinstance(fact, BookSnapshot)).lower()
            for side, levels in (("bid", fact.bids), ("ask", fact.asks)):
                book += [
                    f"{stamps},{whole},{side},{item.price_text(tick)},{item.size_text(lots)}"
                    for tick, lots in levels
                ]
    return [written(folder / "book.csv.gz", book), written(folder / "trades.csv.gz", trades)]


def npz_file(folder, facts, item):
    rows = []
    for fact in facts:
        stamps = fact.venue_ns // 1000 * 1000, fact.at_ns // 1000 * 1000
        if isinstance(fact, Trade):
            flag = BUYER if fact.aggressor is BUY else SELLER
            rows.append((TRADE | BOTH | flag, *stamps, *level(item, fact.tick, fact.lots)))
        elif isinstance(fact, BookSnapshot | BookDelta):
            kind = SNAPSHOT if isinstance(fact, BookSnapshot) else DEPTH
            for flag, levels in ((BUYER, fact.bids), (SELLER, fact.asks)):
                rows += [(kind | BOTH | flag, *stamps, *level(item, *each)) for each in levels]
    made = np.zeros(len(rows), EVENT)
    for at, row in enumerate(rows):
        for name, value in zip(("ev", "exch_ts", "local_ts", "px", "qty"), row, strict=True):
            made[at][name] = value
    path = folder / "btcusdt_20240808.npz"
    np.savez_compressed(path, data=made)
    return path


def level(item, tick, lots):
    return float(item.price_text(tick)), float(item.size_text(lots))


def test_tardis_and_npz_of_one_market_trade_alike(market, tmp_path):
    facts, item = market
    tardis = ran(*tardis_files(tmp_path, facts, item))
    npz = ran(npz_file(tmp_path, facts, item))
    assert told(tardis)["placed"] > 0
    assert told(tardis) == told(npz)
    assert "hftbacktest npz" in npz["assumed"]["data"]
    assert "tardis book, tardis trades" in tardis["assumed"]["data"]
    shift = [note for note in tardis["assumed"]["notes"] if "put forward" in note]
    assert len({note.rpartition("by")[2] for note in shift}) == 1, "one recorder has one clock"


def test_a_capture_of_many_markets_runs_on_that_of_the_config(tmp_path):
    (path,) = recorded("venue_captures/OKX.jsonl.zst")
    answer = ballast(
        CONFIG, "--data", path, "--balance", "BTC=1,USDT=90000", "--fees", "0,0"
    )  # fmt: skip
    assert answer["facts"] == 97 + 1 + 69
    assert [market["market"] for market in answer["markets"]] == [MARKET]


def test_bad_rows_stand_in_the_notes_of_the_run(market, tmp_path):
    book, trades = tardis_files(tmp_path, *market)
    with gzip.open(book, "at") as file:
        file.write("rubbish\n")
    notes = ran(book, trades)["assumed"]["notes"]
    assert any(
        note.startswith("1 bad rows were left out, the first book.csv.gz:") for note in notes
    )


def test_times_that_step_far_back_are_refused_by_name(market, tmp_path):
    book, trades = tardis_files(tmp_path, *market)
    with gzip.open(trades, "at") as file:
        file.write("binance,BTCUSDT,1,2,1,buy,1,1\n")
    with pytest.raises(UserError, match=r"trades.csv.gz: local time steps back"):
        ran(book, trades)


def test_a_symbol_is_the_same_whatever_stands_between_its_halves():
    assert squashed("BTC/USDT") == squashed("btc-usdt") == squashed("BTCUSDT")
    assert squashed("BTC/USDT:USDT") != squashed("BTCUSDT")


def two_venues(exchange="binance"):
    config = load_config_of(CONFIG)
    (venue,), (market,) = config.venues, config.markets
    other = msgspec.structs.replace(venue, name="other", exchange=exchange)
    return msgspec.structs.replace(
        config,
        venues=[venue, other],
        markets=[market, msgspec.structs.replace(market, venue="other")],
    )


def source_item(market, symbol="BTCUSDT", venue="binance"):
    return msgspec.structs.replace(market[1], symbol=symbol, venue=venue)


def test_a_market_that_fits_two_of_the_config_must_be_named(market):
    with pytest.raises(UserError, match=r"fits BTC/USDT@loopback, BTC/USDT@other: name it"):
        names_of(two_venues(), [source_item(market)])


def test_the_venue_tells_where_two_symbols_fit(market):
    config = two_venues(exchange="okx")
    named, _ = names_of(config, [source_item(market), source_item(market, "BTC-USDT", "okx")])
    assert named == {"BTCUSDT@binance": MARKET, "BTC-USDT@okx": "BTC/USDT@other"}


def test_a_single_market_of_another_name_is_taken_and_said(market):
    config = load_config_of(CONFIG)
    named, notes = names_of(config, [source_item(market, "WHATEVER", "npz")])
    assert named == {"WHATEVER@npz": MARKET}
    assert notes == [f"WHATEVER@npz is taken to be {MARKET}"]
    with pytest.raises(UserError, match=r"no market of the config .* are: A@b, C@b"):
        names_of(config, [source_item(market, "A", "b"), source_item(market, "C", "b")])


def test_directories_are_told_apart_by_what_lies_in_them(frames, tmp_path):
    assert not is_session(frames)
    assert is_session(tmp_path)
    assert open_sources([frames])[0].kind == "recorded frames"
    with pytest.raises(UserError, match="not both"):
        data_of(load_config_of(CONFIG), [frames, tmp_path], 0)
