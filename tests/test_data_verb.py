"""`ballast data`: from any form to any other with nothing lost, on one clock, in one piece."""

import json
import subprocess
import sys

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.importers.facts_file import open_facts, write_facts
from adapters.importers.faults import Faults
from adapters.importers.order import Clock, corrected, watched
from adapters.importers.parquet import fact_of, open_parquet, row_of, write_parquet
from adapters.importers.regrid import Regrid
from engine.cli.backtest_data import hash_of
from engine.cli.data_sources import Order, on_one_clock, open_sources, prepare, wished
from engine.values.errors import UserError
from engine.values.events import (
    BarForming,
    BookDelta,
    BookLost,
    BookSnapshot,
    Connected,
    Disconnected,
    Grade,
    Quarantined,
    Stream,
    TopOfBook,
    Trade,
)
from engine.values.facts import Bar, BarsClosed
from engine.values.units import BUY, NS_PER_S, Side
from tests.engine_process import ROOT, ballast
from tests.importer_builders import (
    BOTH,
    BUYER,
    DEPTH,
    T_NS,
    book_row,
    events,
    read,
    small_book,
    small_trades,
    trade_row,
    written,
)
from tests.market_data import recorded, spot_wire
from tests.sim.venue import BTT

MARKET = BTT.market
WHOLE = st.integers(1, 2**62)
LEVELS = st.lists(st.tuples(WHOLE, st.integers(0, 2**62)), max_size=4)
STAMPS = {"at_ns": st.integers(0, 2**62), "venue_ns": st.integers(0, 2**62)}
FACTS = st.one_of(
    st.builds(BookSnapshot, market=st.just(MARKET), sequence=WHOLE, bids=LEVELS, asks=LEVELS,
              grade=st.sampled_from(Grade), **STAMPS),
    st.builds(BookDelta, market=st.just(MARKET), sequence=WHOLE, bids=LEVELS, asks=LEVELS,
              **STAMPS),
    st.builds(TopOfBook, market=st.just(MARKET), sequence=WHOLE, bid_tick=WHOLE, bid_lots=WHOLE,
              ask_tick=WHOLE, ask_lots=WHOLE, **STAMPS),
    st.builds(Trade, market=st.just(MARKET), trade_id=WHOLE, tick=WHOLE, lots=WHOLE,
              aggressor=st.sampled_from(Side), **STAMPS),
    st.builds(BookLost, market=st.just(MARKET), at_ns=STAMPS["at_ns"], reason=st.text()),
)  # fmt: skip


def all_kinds():
    """A fact of each public kind, of two markets, of venues and of nobody's."""
    t, other = T_NS, "A/B:C@x_y"
    bar = Bar(t, 5, 7, 4, 6, 99)
    return [
        BookSnapshot(market=MARKET, at_ns=t, venue_ns=t - 9, sequence=3, bids=[(62, 5), (61, 7)],
                     asks=[], grade=Grade.SNAPSHOT),
        BookDelta(market=other, at_ns=t, sequence=1, bids=[], asks=[]),
        BookDelta(market=MARKET, at_ns=t + 1, sequence=4, bids=[(62, 0)], asks=[(64, 2**62)]),
        TopOfBook(market=other, at_ns=t + 1, sequence=5, bid_tick=0, bid_lots=0, ask_tick=7,
                  ask_lots=8),
        Trade(market=MARKET, at_ns=t + 2, venue_ns=t, trade_id=2**62, tick=62, lots=1,
              aggressor=BUY),
        BookLost(market=MARKET, at_ns=t + 3, reason='"gap"\n{'),
        BarsClosed(market=MARKET, at_ns=t + 4, span_ns=60, bars=[bar, bar], is_history=True),
        BarForming(market=MARKET, at_ns=t + 4, span_ns=60, bar=bar),
        Connected(venue="sim", stream=Stream.PUBLIC, at_ns=t + 5),
        Quarantined(venue="sim", at_ns=t + 5, reason="r", digest="d", excerpt="\x00"),
        Disconnected(venue="sim", stream=Stream.PUBLIC, at_ns=t + 86_400 * NS_PER_S, reason=""),
        Trade(market=MARKET, at_ns=t + 86_400 * NS_PER_S, trade_id=1, tick=1, lots=1,
              aggressor=BUY),
    ]  # fmt: skip


def other_market():
    return msgspec.structs.replace(BTT, symbol="A/B:C", venue="x_y")


def facts_in(found):
    faults = Faults()
    facts = list(found.facts(faults, found.targets))
    assert faults.bad == 0
    return facts


# --- nothing is lost


@given(FACTS)
def test_every_fact_comes_back_from_its_row(fact):
    row = row_of(7, fact)
    assert row[0] == 7
    assert fact_of(row, MARKET) == fact


@pytest.mark.parametrize("name", ["out", "x.jsonl", "x.jsonl.zst"])
def test_every_kind_of_fact_comes_back_in_its_order(tmp_path, name):
    path, facts = tmp_path / name, all_kinds()
    items = [BTT, other_market()]
    write, opened = (write_facts, open_facts) if "." in name else (write_parquet, open_parquet)
    assert write(path, items, ["a note"], facts) == len(facts)
    found = opened(path)
    assert facts_in(found) == facts
    assert (found.instruments, found.notes) == (items, ["a note"])


def test_parquet_lies_in_folders_that_polars_reads_by_venue_symbol_and_date(tmp_path):
    write_parquet(tmp_path / "out", [BTT, other_market()], [], all_kinds())
    places = {str(p.parent.relative_to(tmp_path / "out")) for p in tmp_path.rglob("*.parquet")}
    assert "venue=loopback/symbol=BTT%2FUSDT/date=2023-11-14" in places
    assert "venue=loopback/symbol=BTT%2FUSDT/date=2023-11-15" in places
    table = pl.scan_parquet(tmp_path / "out" / "**/*.parquet", hive_partitioning=True)
    trades = table.filter(pl.col("kind") == "trade", pl.col("symbol") == "BTT/USDT").collect()
    assert trades["tick"].to_list() == [62, 1]
    assert trades.schema["tick"] == pl.Int64
    assert table.filter(pl.col("venue") == "x_y").collect().height == 2


def test_a_day_that_is_taken_out_of_parquet_is_simply_not_there(tmp_path):
    write_parquet(tmp_path / "out", [BTT, other_market()], [], all_kinds())
    for file in tmp_path.rglob("date=2023-11-15/*.parquet"):
        file.unlink()
    assert facts_in(open_parquet(tmp_path / "out")) == all_kinds()[:-2]


def test_parquet_is_written_into_several_files_and_read_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr("adapters.importers.parquet.ROWS_MAX", 7)
    facts = [
        Trade(market=MARKET, at_ns=T_NS + n, trade_id=n, tick=1, lots=1, aggressor=BUY)
        for n in range(50)
    ]
    write_parquet(tmp_path / "out", [BTT], [], facts)
    assert len(list(tmp_path.rglob("*.parquet"))) == 8
    assert facts_in(open_parquet(tmp_path / "out")) == facts


def test_a_real_wire_comes_back_from_parquet_and_facts_as_it_went(tmp_path):
    (found,) = open_sources(spot_wire()[:1])
    facts = facts_in(found)
    write_parquet(tmp_path / "out", found.instruments, [], facts)
    assert facts_in(open_parquet(tmp_path / "out")) == facts


def test_the_units_of_parquet_count_in_what_a_back_test_rests_on(tmp_path):
    facts = all_kinds()
    for name, item in (("a", BTT), ("b", msgspec.structs.replace(BTT, price_exponent=9))):
        write_parquet(tmp_path / name, [item, other_market()], [], facts)
    one, other = (open_parquet(tmp_path / name) for name in ("a", "b"))
    assert hash_of(one.files) != hash_of(other.files)


def test_a_damaged_parquet_file_is_said_by_its_name(tmp_path):
    write_parquet(tmp_path / "out", [BTT, other_market()], [], all_kinds())
    file = sorted(tmp_path.rglob("*.parquet"))[0]
    file.write_bytes(b"PAR1 no")
    with pytest.raises(UserError, match=r"0000\.parquet: cannot be read"):
        facts_in(open_parquet(tmp_path / "out"))


def test_a_torn_line_of_facts_is_a_bad_row(tmp_path):
    write_facts(tmp_path / "x.jsonl", [BTT, other_market()], [], all_kinds())
    body = (tmp_path / "x.jsonl").read_bytes()
    (tmp_path / "x.jsonl").write_bytes(body[:-9])
    found, faults = open_facts(tmp_path / "x.jsonl"), Faults()
    assert list(found.facts(faults, found.targets)) == all_kinds()[:-1]
    assert [bad.line for bad in faults.first] == [13]


# --- names and grids


def test_a_finer_grid_holds_the_same_prices_and_sizes():
    fine = msgspec.structs.replace(BTT, price_exponent=10, size_exponent=2, symbol="X/Y")
    told = [Regrid(BTT, fine).told(fact) for fact in all_kinds() if fact.at_ns < T_NS + 5]
    for before, after in zip(all_kinds(), told, strict=False):
        if isinstance(before, Trade) and before.market == MARKET:
            assert fine.price_text(after.tick) == BTT.price_text(before.tick)
            assert fine.size_text(after.lots) == BTT.size_text(before.lots)
            assert after.market == "X/Y@loopback"
    with pytest.raises(UserError, match="finer"):
        Regrid(fine, BTT)


def test_two_sources_of_one_market_share_the_finest_grid(tmp_path):
    book = written(tmp_path / "book.csv", small_book())
    trades = written(tmp_path / "trades.csv", small_trades())
    sources = wished(open_sources([book, trades]), {"BTCUSDT@binance": "BTC/USDT@mine"}, set())
    (one,), (other,) = (source.targets.values() for source in sources)
    assert one == other
    assert (one.market, one.base, one.quote) == ("BTC/USDT@mine", "BTC", "USDT")
    assert (one.price_exponent, one.size_exponent) == (1, 3)
    prepare(sources, Order.CORRECT)
    facts = list(on_one_clock(sources, Order.CORRECT))
    assert facts == sorted(facts, key=lambda fact: fact.at_ns)
    assert facts[0].bids[0] == (1001, 2000)
    assert {fact.lots for fact in facts if isinstance(fact, Trade)} == {125}


def test_a_name_that_is_in_no_source_is_refused_with_those_that_are(tmp_path):
    found = open_sources([written(tmp_path / "book.csv", small_book())])
    with pytest.raises(UserError, match=r"X/Y@z: no such market; there are: BTCUSDT@binance"):
        wished(found, {"X/Y@z": "A/B@c"}, set())
    with pytest.raises(UserError, match="no such market"):
        wished(found, {}, {"X/Y@z"})


# --- times


def trades_at(*pairs):
    return [
        Trade(market=MARKET, at_ns=at, venue_ns=venue, trade_id=n, tick=1, lots=1, aggressor=BUY)
        for n, (at, venue) in enumerate(pairs)
    ]


def test_a_small_step_back_of_the_local_clock_is_raised_to_the_latest_time():
    facts = trades_at((100, 50), (90, 60), (110, 70))
    clock = Clock()
    assert [f.at_ns for f in corrected(watched(facts, clock), 0, "x")] == [100, 100, 110]
    assert (clock.back, clock.back_ns_max, clock.negative) == (1, 10, 0)
    assert clock.has_violations


def test_a_large_step_back_is_refused_by_name():
    facts = trades_at((5 * NS_PER_S, 1), (1 * NS_PER_S, 1))
    with pytest.raises(UserError, match=r"x.csv: local time steps back by 4,000.000 ms"):
        list(corrected(facts, 0, "x.csv"))


def test_a_slow_local_clock_is_put_forward_by_the_least_that_is_enough():
    facts, clock = trades_at((100, 130), (110, 115), (120, 0)), Clock()
    list(watched(facts, clock))
    assert (clock.negative, clock.stamped, clock.shift_needed_ns) == (2, 2, 30)
    again = Clock()
    told = list(watched(corrected(facts, 30, "x"), again))
    assert [f.at_ns for f in told] == [130, 140, 150]
    assert again.negative == 0
    assert again.latency_ns_min == 0


def test_messages_of_the_venue_that_overtook_each_other_are_counted_and_stay():
    facts, clock = trades_at((100, 60), (110, 50), (120, 70)), Clock()
    assert list(watched(facts, clock)) == facts
    assert clock.venue_back == 1
    assert not clock.has_violations


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)), max_size=30))
def test_corrected_times_never_step_back_and_never_precede_the_venue(pairs):
    facts, clock = trades_at(*pairs), Clock()
    list(watched(facts, clock))
    told = list(corrected(facts, clock.shift_needed_ns, "x"))
    times = [fact.at_ns for fact in told]
    assert times == sorted(times)
    assert all(not fact.venue_ns or fact.at_ns >= fact.venue_ns for fact in told)
    assert [fact.trade_id for fact in told] == [fact.trade_id for fact in facts]


def test_the_wire_of_a_slow_recorder_is_corrected_by_its_known_error(tmp_path):
    sources = wished(open_sources(spot_wire()[:1]), {}, set())
    prepare(sources, Order.CORRECT)
    assert 1_270_000_000 < sources[0].clock.shift_ns < 1_280_000_000
    assert all(
        not getattr(fact, "venue_ns", 0) or fact.at_ns >= fact.venue_ns
        for fact in on_one_clock(sources, Order.CORRECT)
    )
    with pytest.raises(UserError, match="before the venue's time"):
        prepare(wished(open_sources(spot_wire()[:1]), {}, set()), Order.REFUSE)


def test_order_keep_changes_no_time(tmp_path):
    rows = [*small_trades(3), trade_row(1, "buy", "100.2", "1", "9", venue=500)]
    path = written(tmp_path / "t.csv", rows)
    sources = wished(open_sources([path]), {}, set())
    prepare(sources, Order.KEEP)
    assert list(on_one_clock(sources, Order.KEEP)) == read(path)[0]
    assert (sources[0].clock.back, sources[0].clock.negative) == (1, 1)


# --- the verbs


def asked(*words):
    done = ballast("data", *map(str, words), "--json")
    assert "Traceback" not in done.stderr
    return done, json.loads(done.stdout.splitlines()[-1]) if done.stdout else None


def test_info_tells_markets_facts_times_and_bad_rows(tmp_path):
    path = written(tmp_path / "book.csv", [*small_book(5), "rubbish"])
    done, told = asked("info", path)
    assert done.returncode == 1
    (source,) = told["sources"]
    assert source["kind"] == "tardis book"
    assert (source["bad"], source["first_bad"][0]["line"]) == (1, 10)
    (market,) = source["markets"]
    assert market["facts"] == {"BookSnapshot": 1, "BookDelta": 5}
    assert (market["tick"], market["lot"], market["crossed"]) == ("0.1", "0.01", 0)
    text = ballast("data", "info", str(path)).stdout
    assert f"bad row {path}:10" in text
    assert "BTCUSDT@binance" in text


def test_convert_to_parquet_and_on_to_facts_loses_nothing(tmp_path):
    path = written(tmp_path / "book.csv", small_book())
    done, told = asked("convert", path, "--out", tmp_path / "p", "--as", "BTCUSDT@binance=B/U@v")
    assert done.returncode == 0, done.stderr
    assert (told["form"], told["facts"]) == ("parquet", 41)
    done, told = asked("convert", tmp_path / "p", "--out", tmp_path / "f.jsonl.zst")
    assert done.returncode == 0
    assert told["form"] == "facts"
    wanted = [msgspec.structs.replace(fact, market="B/U@v") for fact in read(path)[0]]
    assert facts_in(open_facts(tmp_path / "f.jsonl.zst")) == wanted
    assert not list(tmp_path.glob(".part*"))


def test_merge_puts_two_recorders_on_one_clock(tmp_path):
    book = written(tmp_path / "book.csv", small_book())
    np.savez(tmp_path / "eth.npz", data=events(
        *((DEPTH | BOTH | BUYER, T_NS + n * 10**7, T_NS - 10**8 + n * 10**7, 5.0, 1.0 + n)
          for n in range(10))
    ))  # fmt: skip
    done, told = asked("merge", book, tmp_path / "eth.npz", "--out", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    facts = facts_in(open_parquet(tmp_path / "m"))
    assert [fact.at_ns for fact in facts] == sorted(fact.at_ns for fact in facts)
    assert {fact.market for fact in facts} == {"BTCUSDT@binance", "ETH@hftbacktest"}
    assert [source["clock"]["shift_ns"] for source in told["sources"]] == [0, 10**8]
    assert any("put forward by 100.000000 ms" in note for note in told["notes"])
    done, _ = asked("merge", book, "--out", tmp_path / "n")
    assert done.returncode == 2


def test_what_is_there_already_is_never_written_over(tmp_path):
    path = written(tmp_path / "book.csv", small_book())
    (tmp_path / "p").mkdir()
    done, _ = asked("convert", path, "--out", tmp_path / "p")
    assert done.returncode == 2
    assert "is there already" in done.stderr


def test_a_conversion_that_fails_leaves_nothing_behind(tmp_path):
    rows = [*small_book(), book_row(-9_000_000, "bid", "1", "1", venue=-9_100_000)]
    path = written(tmp_path / "book.csv", rows)
    done, _ = asked("convert", path, "--out", tmp_path / "p")
    assert done.returncode == 2
    assert "steps back" in done.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["book.csv"]


def test_refuse_names_the_violation(tmp_path):
    rows = [*small_book(2), book_row(30_000, "bid", "1", "1", venue=31_000)]
    path = written(tmp_path / "book.csv", rows)
    done, _ = asked("convert", path, "--out", tmp_path / "p", "--order", "refuse")
    assert done.returncode == 2
    assert "1 facts are known 1.000 ms before the venue's time" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["info", "none.csv"],
        ["convert", "BOOK", "--out", "p", "--as", "x"],
        ["convert", "BOOK", "--out", "p", "--as", "BTCUSDT@binance=noplace"],
        ["convert", "BOOK", "--out", "p", "--only", "X/Y@z"],
        ["convert", "BOOK", "--out", "BOOK/x"],
    ],
)
def test_a_mistake_is_one_line_with_exit_code_2(tmp_path, words):
    path = written(tmp_path / "book.csv", small_book(2))
    placed = [
        str(path) + word.removeprefix("BOOK") if word.startswith("BOOK") else word for word in words
    ]
    placed = [str(tmp_path / word) if word == "p" else word for word in placed]
    done = ballast("data", *placed)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_parquet_without_polars_is_a_word_on_what_to_install(tmp_path):
    path = written(tmp_path / "book.csv", small_book(2))
    program = (
        "import sys; sys.modules['polars'] = None\n"
        "from engine.cli.main import main\n"
        "sys.argv = ['ballast', 'data', 'convert', *sys.argv[1:]]\n"
        "main()"
    )
    words = [sys.executable, "-c", program, str(path), "--out", str(tmp_path / "p")]
    done = subprocess.run(words, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 2
    assert "pip install 'ballast[research]'" in done.stderr


def test_a_real_capture_of_ten_markets_converts(tmp_path):
    (path,) = recorded("venue_captures/KRAKEN.jsonl.zst")
    done, told = asked("convert", path, "--out", tmp_path / "p")
    assert done.returncode == 0
    assert told["facts"] == 4_289
    assert len(told["markets"]) == 10
    assert facts_in(open_parquet(tmp_path / "p")) == read(path)[0]
