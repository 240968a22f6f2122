"""Foreign market data become exact facts; what is wrong with them is said by file and line."""

import gzip
import json
import random
import re
from itertools import islice

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from adapters.importers.grid import Grid, assets_of, decimals
from adapters.importers.opening import open_all
from adapters.transport.capture import read_rows
from engine.market.book import Book
from engine.values.errors import UserError
from engine.values.events import BookDelta, BookLost, BookSnapshot, Trade
from engine.values.units import BUY, SELL
from tests.importer_builders import (
    BOTH,
    BUYER,
    CLEAR,
    DEPTH,
    SELLER,
    SNAPSHOT,
    T_NS,
    T_US,
    TARDIS_BOOK,
    TARDIS_TRADES,
    TRADE,
    book_row,
    events,
    read,
    small_book,
    small_trades,
    trade_row,
    written,
)
from tests.market_data import futures_wire, recorded, spot_wire

# --- numbers


@given(st.integers(1, 10**14), st.integers(0, 8))
def test_every_decimal_is_a_whole_number_of_its_own_units(whole, places):
    text = f"{whole}".rjust(places + 1, "0")
    text = f"{text[:-places]}.{text[-places:]}" if places else text
    needed = decimals(text)
    assert needed <= places
    grid = Grid(needed, needed)
    assert grid.tick(text) * 10 ** (places - needed) == whole
    assert grid.lots(text) == grid.tick(text)
    assert grid.rounded == 0


@pytest.mark.parametrize(
    ("text", "lots"),
    [("1e-05", 1), ("1.7885566900000001", 178_856), ("0.10099999999999999", 10_100), ("2E1", 2e6)],
)
def test_what_a_float_left_is_read_as_the_decimal_that_it_stands_for(text, lots):
    assert Grid(2, 5).lots(text) == lots


@pytest.mark.parametrize("text", ["nan", "inf", "", "1,5", "-1", "0x10", "1e99"])
def test_what_is_no_price_is_refused(text):
    with pytest.raises(ValueError, match=r"number|range|finer"):
        Grid(2, 2).tick(text)


def test_a_price_between_two_ticks_is_refused_and_a_size_is_rounded():
    grid = Grid(1, 1)
    with pytest.raises(ValueError, match="finer"):
        grid.tick("1.25")
    assert (grid.lots("1.25"), grid.lots("1.35"), grid.rounded) == (12, 14, 2)


def test_assets_are_told_by_a_separator_or_a_known_quote():
    assert assets_of("BTC-USD") == ("BTC", "USD")
    assert assets_of("bttusdt") == ("BTT", "USDT")
    assert assets_of("XYZQQQ") == ("XYZQQQ", "")


# --- Tardis


def test_tardis_rows_of_one_local_time_are_one_message(tmp_path):
    rows = [
        TARDIS_BOOK,
        book_row(0, "bid", "10.5", "2", whole=True),
        book_row(0, "bid", "10.25", "1", whole=True),
        book_row(0, "ask", "11", "3", whole=True),
        book_row(7, "bid", "10.5", "0", venue=6),
        book_row(7, "ask", "11", "4.5", venue=4),
        book_row(9, "ask", "12", "1"),
    ]
    facts, faults, targets = read(written(tmp_path / "book.csv.gz", rows))
    item = targets["BTCUSDT@binance"]
    assert (item.price_exponent, item.size_exponent, item.base) == (2, 1, "BTC")
    first, second, third = facts
    assert first == BookSnapshot(
        market="BTCUSDT@binance", at_ns=T_NS, venue_ns=T_NS - 5_000, sequence=1,
        bids=[(1050, 20), (1025, 10)], asks=[(1100, 30)],
    )  # fmt: skip
    assert second == BookDelta(
        market="BTCUSDT@binance", at_ns=T_NS + 7_000, venue_ns=T_NS + 6_000, sequence=2,
        bids=[(1050, 0)], asks=[(1100, 45)],
    )  # fmt: skip
    assert (third.sequence, third.asks) == (3, [(1200, 10)])
    assert (faults.rows, faults.bad) == (6, 0)


def test_a_tardis_snapshot_in_mid_file_replaces_the_book(tmp_path):
    rows = [*small_book(3), book_row(90_000, "bid", "99.9", "1", whole=True)]
    facts, _, _ = read(written(tmp_path / "book.csv", rows))
    assert isinstance(facts[-1], BookSnapshot)
    assert facts[-1].bids == [(999, 100)]


def test_tardis_changes_before_the_first_snapshot_are_counted_and_passed_over(tmp_path):
    rows = [TARDIS_BOOK, book_row(1, "bid", "1", "1"), *small_book()[1:]]
    facts, faults, _ = read(written(tmp_path / "book.csv", rows))
    assert isinstance(facts[0], BookSnapshot)
    assert faults.passed_over == {"rows before the first snapshot": 1}


def test_tardis_trades_keep_their_ids_and_takers(tmp_path):
    rows = [
        TARDIS_TRADES,
        trade_row(3, "buy", "10.5", "0.25", "77"),
        trade_row(4, "sell", "10.4", "1", "a-uuid"),
        trade_row(5, "unknown", "10.4", "1", "79"),
    ]
    facts, faults, _ = read(written(tmp_path / "t.csv", rows))
    assert [(f.trade_id, f.tick, f.lots, f.aggressor) for f in facts] == [
        (77, 105, 25, BUY),
        (2, 104, 100, SELL),
    ]
    assert faults.passed_over == {"trades without a side": 1}


@pytest.mark.parametrize(
    "bad",
    [
        "binance,BTCUSDT,1,2,false,bid,1",
        "binance,BTCUSDT,1,2,false,middle,1,1",
        "binance,BTCUSDT,1,2,perhaps,bid,1,1",
        "binance,BTCUSDT,1,x,false,bid,1,1",
        "binance,BTCUSDT,1,2,false,bid,-1,1",
        "binance,BTCUSDT,1,2,false,bid,nan,1",
    ],
)
def test_a_bad_row_is_left_out_and_named_by_file_and_line(tmp_path, bad):
    good = small_book(6)
    path = written(tmp_path / "book.csv", [*good[:6], bad, *good[6:]])
    facts, faults, _ = read(path)
    assert facts == read(written(tmp_path / "good.csv", good))[0]
    assert faults.bad == 1
    assert (faults.first[0].file, faults.first[0].line) == (str(path), 7)
    assert faults.first[0].reason


def test_too_many_bad_rows_are_a_file_of_another_kind(tmp_path):
    rows = [*small_book(3), *["rubbish"] * 20]
    with pytest.raises(UserError, match=r"book.csv:1[0-9]: more than 5 bad rows"):
        read(written(tmp_path / "book.csv", rows), bad_max=5)


@given(st.data())
def test_rubbish_between_rows_never_raises_and_is_always_counted(tmp_path_factory, data):
    good = small_book(8)
    at = data.draw(st.integers(1, len(good)))
    line = data.draw(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1))
    path = written(tmp_path_factory.mktemp("t") / "book.csv", [*good[:at], line, *good[at:]])
    _, faults, _ = read(path)
    assert faults.bad == 1


# --- hftbacktest


def feed_rows(unit=1):
    t = T_NS // unit
    return [
        (CLEAR | BOTH | BUYER, t - 3, t, 0.0, 0.0),
        (SNAPSHOT | BOTH | BUYER, t - 3, t, 100.1, 2.0),
        (SNAPSHOT | BOTH | SELLER, t - 3, t, 100.2, 1.5),
        (DEPTH | BOTH | BUYER, t + 5, t + 10, 100.0, 0.3),
        (DEPTH | BOTH | SELLER, t + 5, t + 10, 100.2, 0.0),
        (TRADE | BOTH | SELLER, t + 7, t + 12, 100.1, 0.1),
        (DEPTH | BOTH | BUYER, t + 7, t + 12, 100.1, 1.9),
    ]


def wanted_facts(unit=1):
    market = "BTCUSDT@hftbacktest"
    t = T_NS
    return [
        BookSnapshot(market=market, at_ns=t, venue_ns=t - 3 * unit, sequence=1,
                     bids=[(1001, 20)], asks=[(1002, 15)]),
        BookDelta(market=market, at_ns=t + 10 * unit, venue_ns=t + 5 * unit, sequence=2,
                  bids=[(1000, 3)], asks=[(1002, 0)]),
        Trade(market=market, at_ns=t + 12 * unit, venue_ns=t + 7 * unit, trade_id=1,
              tick=1001, lots=1, aggressor=SELL),
        BookDelta(market=market, at_ns=t + 12 * unit, venue_ns=t + 7 * unit, sequence=3,
                  bids=[(1001, 19)], asks=[]),
    ]  # fmt: skip


def test_npz_events_of_version_2_become_facts(tmp_path):
    np.savez_compressed(tmp_path / "btcusdt_20240808.npz", data=events(*feed_rows()))
    facts, faults, _ = read(tmp_path / "btcusdt_20240808.npz")
    assert facts == wanted_facts()
    assert (faults.rows, faults.bad) == (7, 0)


def test_npz_columns_of_version_1_become_the_same_facts(tmp_path):
    rows = [
        (ev & 0xFF, venue, local, 1 if ev & BUYER else -1, price, size)
        for ev, venue, local, price, size in feed_rows(unit=1_000)
    ]
    np.savez(tmp_path / "btcusdt_20240808.npz", data=np.array(rows))
    facts, _, _ = read(tmp_path / "btcusdt_20240808.npz")
    assert facts == wanted_facts(unit=1_000)


def test_npz_of_single_floats_are_read_by_the_decimals_that_they_hold(tmp_path):
    short = np.dtype(
        [("ev", "i8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f4"), ("qty", "f4")]
    )
    made = np.array([tuple(row) for row in feed_rows()], dtype=short)
    np.savez(tmp_path / "btcusdt_20240808.npz", data=made)
    assert read(tmp_path / "btcusdt_20240808.npz")[0] == wanted_facts()


def test_npz_rows_that_only_the_exchange_saw_are_not_ours(tmp_path):
    only = (DEPTH | 1 << 31 | BUYER, T_NS + 6, T_NS + 9, 99.0, 1.0)
    np.savez(tmp_path / "btcusdt.npz", data=events(*feed_rows(), only))
    facts, faults, _ = read(tmp_path / "btcusdt.npz")
    assert facts == wanted_facts()
    assert faults.passed_over == {"rows that only the exchange saw": 1}


def test_an_npz_book_without_a_snapshot_begins_empty(tmp_path):
    np.savez(tmp_path / "x.npz", data=events(*feed_rows()[3:]))
    facts, _, _ = read(tmp_path / "x.npz")
    assert isinstance(facts[0], BookSnapshot)
    assert (facts[0].bids, facts[0].asks) == ([(1000, 3)], [])


def test_an_npz_snapshot_of_its_own_without_a_time_goes_before_the_feed(tmp_path):
    snapshot = [(ev, 0, 0, price, size) for ev, _, _, price, size in feed_rows()[1:3]]
    np.savez(tmp_path / "btcusdt_20240807_eod.npz", data=events(*snapshot))
    np.savez(tmp_path / "btcusdt_20240808.npz", data=events(*feed_rows()[3:]))
    facts, _, _ = read(tmp_path / "btcusdt_20240807_eod.npz", tmp_path / "btcusdt_20240808.npz")
    assert (facts[0].bids, facts[0].at_ns) == ([(1001, 20)], T_NS + 10)
    assert facts[1:] == wanted_facts()[1:]


def test_npz_rows_of_single_orders_are_counted_and_passed_over(tmp_path):
    np.savez(
        tmp_path / "x.npz", data=events((10 | BOTH | BUYER, T_NS, T_NS, 5.0, 1.0), *feed_rows())
    )
    facts, faults, _ = read(tmp_path / "x.npz")
    assert len(facts) == len(wanted_facts())
    assert faults.passed_over == {"rows of kind 10": 1}


def test_a_second_npz_snapshot_replaces_the_book(tmp_path):
    later = [(ev, t + 99, t + 99, price + 1, 7.0) for ev, _, t, price, _ in feed_rows()[1:3]]
    np.savez(tmp_path / "x.npz", data=events(*feed_rows(), *later))
    facts, _, _ = read(tmp_path / "x.npz")
    assert isinstance(facts[-1], BookSnapshot)
    assert (facts[-1].bids, facts[-1].asks) == ([(1011, 70)], [(1012, 70)])


def test_bad_npz_rows_are_named_by_their_number(tmp_path):
    rows = [*feed_rows(), (DEPTH | BOTH | BUYER, T_NS + 9, T_NS + 20, float("nan"), 1.0)]
    np.savez(tmp_path / "btcusdt.npz", data=events(*rows))
    facts, faults, _ = read(tmp_path / "btcusdt.npz")
    assert facts == wanted_facts()
    assert [(bad.line, bad.file) for bad in faults.first] == [(8, str(tmp_path / "btcusdt.npz"))]


def test_an_npz_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", data=np.zeros((4, 3)))
    with pytest.raises(UserError, match="no hftbacktest events"):
        read(tmp_path / "x.npz")
    (tmp_path / "y.npz").write_bytes(b"PK not really")
    with pytest.raises(UserError, match="not a readable npz"):
        read(tmp_path / "y.npz")


def test_tardis_and_npz_of_the_same_market_say_the_same_book(tmp_path):
    dice, rows, made = random.Random(3), [TARDIS_BOOK], []
    for n in range(400):
        side, price = dice.choice(("bid", "ask")), 1000 + dice.randrange(-20, 20)
        price += 30 if side == "ask" else 0
        size, is_whole = dice.randrange(0, 50), n < 10
        late = 0 if is_whole else n // 3 * 10
        rows.append(book_row(late, side, price / 10, size / 4, whole=is_whole))
        flag = BUYER if side == "bid" else SELLER
        kind = SNAPSHOT if is_whole else DEPTH
        at = (T_US + late) * 1_000
        made.append((kind | BOTH | flag, at - 5_000, at, price / 10, size / 4))
    np.savez(tmp_path / "x.npz", data=events(*made))
    tardis, _, _ = read(written(tmp_path / "book.csv", rows))
    npz, _, _ = read(tmp_path / "x.npz")
    assert [(f.at_ns, f.bids, f.asks) for f in tardis] == [(f.at_ns, f.bids, f.asks) for f in npz]


# --- the recordings under ../shared/data

EXPECTED = {
    "BINANCE": (176, 2), "BYBIT": (2_148, 347), "GATEIO": (169, 9), "KRAKEN": (4_279, 10),
    "KUCOIN": (3_814, 18), "OKX": (290, 74),
}  # fmt: skip
"""Books and trades. KuCoin's counter also took the nine messages that end where a snapshot does."""


def capture(exchange):
    return recorded(f"venue_captures/{exchange}.jsonl.zst")[0]


def crossings(facts):
    books, crossed = {}, 0
    for fact in facts:
        if isinstance(fact, BookSnapshot):
            books.setdefault(fact.market, Book()).apply_snapshot(fact.bids, fact.asks)
        elif isinstance(fact, BookDelta):
            books[fact.market].apply_delta(fact.bids, fact.asks)
        else:
            continue
        crossed += books[fact.market].is_crossed()
    return crossed


@pytest.mark.parametrize("exchange", EXPECTED)
def test_a_capture_holds_the_books_and_trades_that_were_counted_in_it(exchange):
    facts, faults, _ = read(capture(exchange))
    books = sum(isinstance(fact, BookSnapshot | BookDelta) for fact in facts)
    trades = sum(isinstance(fact, Trade) for fact in facts)
    assert (books, trades) == EXPECTED[exchange]
    assert faults.bad == 0
    assert crossings(facts) == 0
    assert not any(isinstance(fact, BookLost) for fact in facts)


@pytest.mark.parametrize(("exchange", "mark"), [("OKX", '"update"'), ("KRAKEN", '"c":')])
def test_a_lost_change_breaks_the_checksum_and_the_book_is_given_up(tmp_path, exchange, mark):
    rows = [json.loads(line) for line in packed_lines(capture(exchange))]
    near = [n for n, row in enumerate(rows) if row["t"] == "recv" and mark in row["data"]]
    del rows[near[20]]
    facts, _, _ = read(repacked(tmp_path, rows))
    lost = [fact for fact in facts if isinstance(fact, BookLost)]
    assert lost
    assert "checksum" in lost[0].reason


@pytest.mark.parametrize(("exchange", "mark"), [("BYBIT", '"delta"'), ("KUCOIN", "l2update")])
def test_a_lost_change_is_a_gap_of_ids(tmp_path, exchange, mark):
    rows = [json.loads(line) for line in packed_lines(capture(exchange))]
    book = "orderbook" if exchange == "BYBIT" else "l2update"
    near = [n for n, row in enumerate(rows) if row["t"] == "recv" and book in row["data"]]
    near = [n for n in near if mark in rows[n]["data"]]
    del rows[near[len(near) // 2]]
    facts, _, _ = read(repacked(tmp_path, rows))
    (lost,) = [fact for fact in facts if isinstance(fact, BookLost)]
    assert "gap" in lost.reason


def packed_lines(path):
    assert next(read_rows(path)).t == "header"
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()


def repacked(tmp_path, rows):
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(json.dumps(row, separators=(",", ":")) for row in rows))
    return path


@pytest.mark.parametrize("exchange", ["BYBIT", "BINANCE"])
def test_a_bad_row_of_a_capture_is_named_by_its_line_and_the_rest_is_read(tmp_path, exchange):
    rows = packed_lines(capture(exchange))
    whole, _, _ = read(capture(exchange))
    bad = [*rows[:40], b'{"t":"recv","ts":"noon"}', b"rubbish", *rows[40:]]
    (tmp_path / "x.jsonl").write_bytes(b"\n".join(bad))
    facts, faults, _ = read(tmp_path / "x.jsonl")
    assert facts == whole
    assert [each.line for each in faults.first] == [41, 42]


@pytest.mark.parametrize("exchange", ["BYBIT", "KRAKEN"])
def test_a_change_that_names_no_number_costs_the_book(tmp_path, exchange):
    rows = [json.loads(line) for line in packed_lines(capture(exchange))]
    mark = '"type":"delta"' if exchange == "BYBIT" else '"c":'
    at = [n for n, row in enumerate(rows) if mark in row.get("data", "") and "book" in row["data"]]
    near = rows[at[30]]
    price = re.search(r'\[\["([0-9.]+)"', near["data"])[1]
    near["data"] = near["data"].replace(price, "x.y", 1)
    facts, faults, _ = read(repacked(tmp_path, rows))
    assert [each.line for each in faults.first] == [at[30] + 1]
    assert [fact.reason[:17] for fact in facts if isinstance(fact, BookLost)] == [
        "unreadable levels"
    ]
    assert crossings(facts) == 0


def test_bad_lines_and_frames_of_a_wire_are_named_and_a_lost_book_is_said(tmp_path):
    with gzip.open(spot_wire()[0]) as file:
        rows = [line.rstrip(b"\n") for line in islice(file, 2_000)]
    depth = next(n for n, row in enumerate(rows) if n > 1_500 and b"depthUpdate" in row)
    rows[depth] = rows[depth][:-30]
    rows.insert(700, b"no stamp at all")
    (tmp_path / "x.txt").write_bytes(b"\n".join(rows))
    facts, faults, _ = read(tmp_path / "x.txt")
    assert [each.line for each in faults.first] == [701, depth + 2]
    assert sum(isinstance(fact, BookLost) for fact in facts) == 1


def test_the_spot_wire_holds_what_it_is_known_to_hold():
    facts, faults, _ = read(*spot_wire())
    assert faults.rows == 99_574
    assert sum(isinstance(fact, Trade) for fact in facts) == 19_904
    assert crossings(facts) == 0


def test_the_futures_wire_holds_what_it_is_known_to_hold():
    facts, faults, targets = read(*futures_wire())
    assert faults.rows == 78_314
    assert sum(isinstance(fact, Trade) for fact in facts) == 3_595
    assert crossings(facts) == 0
    assert list(targets) == ["ETHUSD_PERP@binance"]


def test_the_bitstamp_log_gives_clean_books_and_sides_of_almost_all_trades():
    facts, faults, _ = read(*recorded("bitstamp_2015/2015-05-01_0000-0500.log.xz"))
    assert (faults.rows, faults.bad) == (56_000, 0)
    assert sum(isinstance(fact, BookSnapshot) for fact in facts) == 5_011
    assert sum(isinstance(fact, Trade) for fact in facts) == 574
    assert faults.passed_over["trades without a side"] == 1
    assert crossings(facts) == 0


def test_a_bitstamp_trade_was_taken_by_the_younger_of_its_two_orders(tmp_path):
    def order(ms, kind, number, amount, side):
        body = {"price": "236.47", "amount": amount, "id": number, "order_type": side}
        return f"{ms} {kind} {json.dumps(body)}"

    book = {"bids": [["236.40", "1"]], "asks": [["236.50", "1"]]}
    rows = [
        f"1430438404000 order_book {json.dumps(book)}",
        order(1430438404001, "order_created", 5, "0.30000000", 1),
        order(1430438404002, "order_created", 9, "2.00000000", 0),
        order(1430438404003, "order_changed", 9, "1.70000000", 0),
        order(1430438404004, "order_deleted", 5, "0.00000000", 1),
        '1430438404005 trade {"price": 236.47, "amount": 0.3, "id": 8}',
        '1430438404006 trade {"price": 236.40, "amount": 0.7, "id": 9}',
        '1430438404007 trade {"price": 236.45, "amount": 0.7, "id": 10}',
    ]
    facts, faults, _ = read(written(tmp_path / "x.log", rows))
    assert [(f.trade_id, f.aggressor) for f in facts[1:]] == [(8, BUY), (9, SELL)]
    assert faults.passed_over["trades without a side"] == 1


def test_the_coinbase_folder_is_one_book_that_never_crosses():
    facts, faults, targets = read(*recorded("coinbase_2018"))
    assert isinstance(facts[0], BookSnapshot)
    assert len(facts[0].bids) + len(facts[0].asks) > 20_000
    assert faults.bad == 0
    assert crossings(facts) == 0
    assert list(targets) == ["BTC-USD@coinbase"]


# --- what is nothing of the kind


def test_candles_and_other_texts_are_refused_with_the_list_of_what_is_read(tmp_path):
    (tmp_path / "x.json").write_text("[[1609459200000,0.1,0.2,0.1,0.2,5.0]]")
    with pytest.raises(UserError, match=r"x.json:1: no importer reads this; there are: recorded"):
        open_all([tmp_path / "x.json"])
    with pytest.raises(UserError, match="no importer reads this folder"):
        open_all([tmp_path])


def test_one_file_of_the_coinbase_set_asks_for_its_folder(tmp_path):
    path = written(tmp_path / "l2update_1.csv", ["side,price,size,time"])
    with pytest.raises(UserError, match="name the folder"):
        open_all([path])


def test_small_trades_are_what_the_builders_say(tmp_path):
    facts, _, _ = read(written(tmp_path / "t.csv", small_trades(4)))
    assert [fact.tick for fact in facts] == [1001, 1002, 1001, 1002]
