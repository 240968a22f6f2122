"""Frames of a Binance connection: read right, or quarantined; nothing raises."""

import json
import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.codec.binance import BinanceCodec, CodecParams
from adapters.codec.binance_survey import survey
from adapters.codec.continuity import Dialect
from adapters.codec.grid import Grid
from adapters.transport.capture import read_lines, read_rows
from engine.market.book import Book
from engine.values.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    Event,
    Quarantined,
    TopOfBook,
    Trade,
)
from engine.values.instrument import Instrument
from engine.values.units import Side
from tests.market_data import recorded, spot_wire


def instrument(base: str, price_exponent: int, size_exponent: int) -> Instrument:
    return Instrument(
        symbol=f"{base}/USDT", venue="binance", venue_symbol=f"{base}USDT", base=base,
        quote="USDT", price_exponent=price_exponent, tick=1, size_exponent=size_exponent, lot=1,
        maker_fee_ppm=1_000, taker_fee_ppm=1_000,
    )  # fmt: skip


BTT, BTC = instrument("BTT", 8, 0), instrument("BTC", 2, 5)
BTT_MARKET, BTC_MARKET = BTT.market, BTC.market
SNAPSHOT = b'{"lastUpdateId":10,"bids":[["0.00000062","5.00"]],"asks":[["0.00000064","3.00"]]}'


def a_codec(**limits: int) -> BinanceCodec:
    return BinanceCodec([BTT, BTC], params=CodecParams(**limits))


def depth_data(symbol: str = "BTTUSDT", first: int = 11, last: int = 11) -> dict[str, object]:
    return {
        "e": "depthUpdate", "E": 3, "s": symbol, "U": first, "u": last,
        "b": [["0.00000062", "7.00"]], "a": [["0.00000064", "0.00"]],
    }  # fmt: skip


def packed(data: object, stream: str = "") -> bytes:
    frame = {"stream": stream, "data": data} if stream else data
    return json.dumps(frame, separators=(",", ":")).encode()


def synced() -> BinanceCodec:
    codec = a_codec()
    codec.decode(packed(depth_data(first=9, last=10)), 1)
    assert kinds(codec.snapshot(BTT_MARKET, SNAPSHOT, 2)) == ["BookSnapshot"]
    return codec


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.mark.parametrize("stream", ["", "bttusdt@depth@100ms", "bttusdt@depth"])
def test_a_depth_message_reads_the_same_bare_and_wrapped(stream):
    (delta,) = synced().decode(packed(depth_data(), stream), 5)
    assert delta == BookDelta(
        market=BTT_MARKET, at_ns=5, venue_ns=3_000_000, sequence=11, bids=[(62, 7)], asks=[(64, 0)]
    )  # fmt: skip


@pytest.mark.parametrize("stream", ["", "bttusdt@bookTicker"])
def test_a_book_ticker_is_the_venues_own_top(stream):
    data = {"u": 12, "s": "BTTUSDT", "b": "0.00000062", "B": "5.00", "a": "0.00000064", "A": "3.00"}
    (top,) = a_codec().decode(packed(data, stream), 5)
    assert isinstance(top, TopOfBook)
    assert (top.sequence, top.bid_tick, top.bid_lots) == (12, 62, 5)
    assert (top.ask_tick, top.ask_lots) == (64, 3)


def test_an_empty_side_of_the_top_is_zero():
    data = {"u": 12, "s": "BTTUSDT", "b": "0.00000000", "B": "0.00", "a": "0.00000064", "A": "3.00"}
    (top,) = a_codec().decode(packed(data), 5)
    assert (top.bid_tick, top.bid_lots) == (0, 0)


@pytest.mark.parametrize(("kind", "id_name"), [("trade", "t"), ("aggTrade", "a")])
@pytest.mark.parametrize(("is_maker", "aggressor"), [(True, Side.SELL), (False, Side.BUY)])
def test_a_trade_names_the_side_that_took(kind, id_name, is_maker, aggressor):
    data = {
        "e": kind, "E": 3, "s": "BTTUSDT", id_name: 8, "p": "0.00000063", "q": "400.00", "T": 2,
        "m": is_maker,
    }  # fmt: skip
    (trade,) = a_codec().decode(packed(data, f"bttusdt@{kind}"), 5)
    assert trade == Trade(
        market=BTT_MARKET, at_ns=5, venue_ns=3_000_000, trade_id=8, tick=63, lots=400,
        aggressor=aggressor,
    )  # fmt: skip


def test_each_market_of_a_connection_keeps_its_own_chain():
    codec = synced()
    data = depth_data("BTCUSDT", 500, 501) | {"b": [["61837.63000000", "1.50000000"]], "a": []}
    assert codec.decode(packed(data, "btcusdt@depth@100ms"), 5) == []
    assert kinds(codec.decode(packed(depth_data()), 6)) == ["BookDelta"]
    assert codec.snapshots_due(6) == [BTC_MARKET]


def test_klines_answers_and_new_types_are_counted_and_make_no_fact():
    codec = a_codec()
    assert (
        codec.decode(packed({"e": "kline", "s": "BTTUSDT", "k": {}}, "bttusdt@kline_1m"), 1) == []
    )
    assert codec.decode(b'{"result":null,"id":1}', 1) == []
    assert codec.decode(b'{"e":"serverShutdown","E":1}', 1) == []
    assert codec.counts == {"kline": 1, "control": 1, "serverShutdown": 1}


def test_an_error_of_the_venue_is_kept_for_a_person_and_harms_no_book():
    events = synced().decode(b'{"error":{"code":2,"msg":"Invalid request"},"id":1}', 1)
    assert kinds(events) == ["Quarantined"]


def test_unknown_fields_are_no_fault():
    assert kinds(synced().decode(packed(depth_data() | {"new": [{}]}), 5)) == ["BookDelta"]


def bad_levels(price: str = "0.00000062", size: str = "1.00") -> bytes:
    return packed(depth_data() | {"b": [[price, size]]}, "bttusdt@depth")


F13 = {
    "cut short": packed(depth_data(), "bttusdt@depth")[:-9],
    "empty": b"",
    "not json": b"<html>busy</html>",
    "a number": b"7",
    "no known shape": b'{"a":1}',
    "invalid utf-8": packed(depth_data(), "bttusdt@depth").replace(b"0.00000062", b"0.0000\xff62"),
    "binary": bytes(range(256)),
    "deep": b"[" * 200_000,
    "wrong type": packed(depth_data() | {"u": "eleven"}, "bttusdt@depth"),
    "float id": packed(depth_data() | {"u": 1e30}, "bttusdt@depth"),
    "missing field": packed({"e": "depthUpdate", "s": "BTTUSDT"}, "bttusdt@depth"),
    "nan": bad_levels("NaN"),
    "1e999": bad_levels("1e999"),
    "infinity": bad_levels(size="Infinity"),
    "negative price": bad_levels("-0.00000062"),
    "zero price": bad_levels("0.00000000"),
    "negative size": bad_levels(size="-1"),
    "plus sign": bad_levels(size="+1"),
    "underscore": bad_levels(size="1_0"),
    "other digits": bad_levels(size="\u0661"),
    "off the tick grid": bad_levels("0.000000625"),
    "too large": bad_levels(size="9" * 40),
    "ends before it begins": packed(depth_data(first=20, last=15), "bttusdt@depth"),
    "huge array": packed(depth_data() | {"a": [["0.00000064", "1"]] * 10_001}, "bttusdt@depth"),
    "10 MB": packed(depth_data() | {"x": "y" * 10_000_000}, "bttusdt@depth"),
    "symbol of another": packed(depth_data("BTCUSDT"), "bttusdt@depth"),
    "foreign symbol": packed(depth_data("XRPUSDT")),
}


@pytest.mark.parametrize("name", F13)
def test_f13_f14_an_unreadable_frame_is_quarantined_and_its_book_lost(name):
    codec = synced()
    events = codec.decode(F13[name], 5)
    assert kinds(events) == ["Quarantined", "BookLost"]
    assert codec.counts["quarantined"] == 1
    assert len(events[0].excerpt) <= 80
    assert events[0].excerpt.isprintable()
    assert len(events[0].digest) == 64
    assert codec.snapshots_due(5) == [BTT_MARKET, BTC_MARKET]


def test_f13_after_a_quarantine_the_connection_lives_on():
    codec = synced()
    codec.decode(F13["not json"], 5)
    assert codec.decode(packed(depth_data(first=11, last=12)), 6) == []
    answer = SNAPSHOT.replace(b'"lastUpdateId":10', b'"lastUpdateId":11')
    assert kinds(codec.snapshot(BTT_MARKET, answer, 7)) == ["BookSnapshot", "BookDelta"]


def test_f13_an_unreadable_trade_or_ticker_leaves_the_book_alone():
    codec = synced()
    for stream in ("bttusdt@trade", "bttusdt@bookTicker"):
        assert kinds(codec.decode(packed({"s": "BTTUSDT"}, stream), 5)) == ["Quarantined"]
    assert kinds(codec.decode(packed(depth_data()), 6)) == ["BookDelta"]


def test_an_unreadable_snapshot_is_quarantined_and_still_wanted():
    codec = a_codec()
    codec.decode(packed(depth_data(first=9, last=10)), 1)
    for body in (b"busy", SNAPSHOT.replace(b"62", b"65"), b'{"code":-1003,"msg":"slow down"}'):
        assert kinds(codec.snapshot(BTT_MARKET, body, 2)) == ["Quarantined"]
    assert BTT_MARKET in codec.snapshots_due(2)


def test_a_disconnect_loses_every_book_that_was_good():
    assert [event.market for event in synced().disconnected(9)] == [BTT_MARKET]


def test_the_cache_forgets_and_reads_the_same():
    codec = synced()
    for step in range(3):
        rows = [[f"{i / 100:.2f}", f"{i}.00"] for i in range(1 + step * 9_000, 9_000 * (step + 1))]
        data = depth_data(first=11 + step, last=11 + step) | {"b": rows}
        for _ in range(2):
            events = codec.decode(packed(data), 5)
            if events:
                expected = [(BTT.ticks(price), BTT.lots(size)) for price, size in rows]
                assert events[0].bids == expected


DIGITS = st.text("0123456789", min_size=1, max_size=9)


@given(whole=DIGITS, fraction=DIGITS, coarse=st.integers(1, 500))
@settings(max_examples=300, deadline=None)
def test_texts_become_integers_as_decimal_arithmetic_has_it(whole, fraction, coarse):
    text = f"{whole}.{fraction}"
    market = msgspec.structs.replace(BTC, tick=coarse, lot=coarse)
    grid = Grid(market)
    ticks = Decimal(text) / (Decimal(coarse) / 10**market.price_exponent)
    lots = Decimal(text) / (Decimal(coarse) / 10**market.size_exponent)
    for _ in range(2):
        assert grid.lots(text) == (max(1, int(lots)) if lots else 0)
        if ticks == int(ticks) and ticks:
            assert grid.tick(text) == ticks == market.ticks(text)
        else:
            with pytest.raises(ValueError, match="price"):
                grid.tick(text)


@given(st.binary(max_size=300))
@settings(max_examples=400, deadline=None)
def test_no_bytes_raise(frame):
    codec = synced()
    assert all(isinstance(e, Quarantined | BookLost) for e in codec.decode(frame, 5)) or frame
    prefix = b'{"stream":"bttusdt@depth","data":'
    codec.decode(prefix + frame, 6)


RUBBISH = (b"NaN", b"1e999", b"-", b"\xff", b"null", b'"', b"[", b"}")


def mutated(frame: bytes, rng: random.Random) -> bytes:
    """One to three acts of damage: flips, cuts, repeats, and grammar-aware replacements."""
    data = bytearray(frame)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randint(1, 40)]
            case 2:
                data[at:at] = data[at : at + rng.randint(1, 60)]
            case 3:
                data[at:at] = rng.choice(RUBBISH)
            case 4:
                data[at : at + 1] = b"%d" % rng.randrange(10)
            case _:
                del data[at:]
    return bytes(data)


def test_f13_twenty_thousand_damaged_real_frames_raise_nothing():
    """Whatever comes out is well-formed, and a book built from it never breaks."""
    rng = random.Random(13)
    frames = [frame for number, _, frame in read_lines(spot_wire()) if number <= 4_000]
    seen = survey(frames, "binance")
    codec = BinanceCodec(seen.instruments, seen.dialect)
    book, count = Book(), 0
    for frame in frames * 6:
        damaged = mutated(frame, rng) if len(frame) < 20_000 else frame
        count += damaged is not frame
        for event in codec.decode(damaged, 1):
            if isinstance(event, BookSnapshot):
                book.apply_snapshot(event.bids, event.asks)
            elif isinstance(event, BookDelta):
                book.apply_delta(event.bids, event.asks)
            elif isinstance(event, TopOfBook | Trade):
                assert event.market == seen.instruments[0].market
    book.check()
    assert count > 20_000
    assert codec.counts["quarantined"] > 10_000


def test_the_other_recorded_client_counted_what_we_count():
    """A second recording, of four thin markets: 4 snapshots and 172 deltas are its 176 books."""
    folder = "venue_captures"
    path, counts = recorded(f"{folder}/BINANCE.jsonl.zst", f"{folder}/expected_counts.json")
    rows = [row for row in read_rows(path) if row.data]
    frames = [row.data.encode() for row in rows if row.t == "recv"]
    seen = survey(frames, "binance")
    assert seen.dialect is Dialect.SPOT
    codec = BinanceCodec(seen.instruments, seen.dialect)
    facts: list[Event] = []
    for row in rows:
        at_ns = int(row.ts * 1e9)
        if row.t == "recv":
            facts += codec.decode(row.data.encode(), at_ns)
        elif "/depth?symbol=" in row.url:
            symbol = row.url.split("symbol=")[1].split("&")[0]
            facts += codec.snapshot(f"{symbol}@binance", row.data.encode(), at_ns)
    expected = json.loads(counts.read_text())["BINANCE"]
    assert not any(isinstance(fact, Quarantined | BookLost) for fact in facts)
    assert sum(book.gaps for book in codec.books.values()) == 0
    assert kinds(facts).count("Trade") == expected["trades"]
    books = [fact for fact in facts if isinstance(fact, BookSnapshot | BookDelta)]
    assert len(books) == expected["l2_book"]
