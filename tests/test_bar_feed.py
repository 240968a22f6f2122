"""Bars from the venue over both adapters: history, stream, what was missed, and what is no bar."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count, pairwise
from time import time_ns

import ccxt.pro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.codec.binance_bars import (
    INTERVALS,
    BarsCodec,
    BarTold,
    interval_of,
    is_kline,
    rows_of,
)
from adapters.common.bar_lane import PENDING_MAX, TRIES_MAX, BarLane
from adapters.loopback.klines import INTERVALS_MS, Candle, Klines, start_of
from adapters.loopback.shaping import Frame
from adapters.loopback.venue import LoopbackVenue
from engine.signals.spans import SPANS
from engine.values.errors import UserError
from engine.values.events import BarForming, BarsClosed, BookSnapshot, Event, Grade, Quarantined
from engine.values.facts import Bar
from engine.values.units import NS_PER_MS, NS_PER_S, Side
from tests.loopback_builders import SYMBOL, Restless
from tests.patience import RanOut, until
from tests.test_adapter_contract import (
    ADAPTERS,
    MARKET,
    Desk,
    Facts,
    TradingPlace,
    ended,
)
from tests.test_ccxt_feed import BTT

SHUTDOWN = b'{"e":"serverShutdown","E":1700000000000}'
SECOND, MINUTE = NS_PER_S, 60 * NS_PER_S
OPEN_MS = 1_700_000_040_000


# --- the codec ----------------------------------------------------------------------------------


def kline(**changes: object) -> bytes:
    shown = {
        "t": OPEN_MS, "T": OPEN_MS + 59_999, "s": "BTTUSDT", "i": "1m", "f": 1, "L": 9,
        "o": "0.00000062", "c": "0.00000063", "h": "0.00000064", "l": "0.00000061",
        "v": "1234567.00", "n": 9, "x": True, "q": "0.7", "V": "5", "Q": "0.1", "B": "0",
    } | changes  # fmt: skip
    packed = {"e": "kline", "E": OPEN_MS + 60_001, "s": "BTTUSDT", "k": shown}
    return json.dumps(packed, separators=(",", ":")).encode()


def row(open_ms: int = OPEN_MS, **changes: str) -> list[object]:
    texts = {"o": "0.00000062", "h": "0.00000064", "l": "0.00000061", "c": "0.00000063", "v": "7"}
    return [open_ms, *(texts | changes).values(), open_ms + 59_999, "0.1", 3, "1", "0.1", "0"]


LANE = ("BTT/USDT@small", MINUTE)


def test_a_closed_candle_becomes_a_bar_in_ticks_and_lots() -> None:
    told = BarsCodec([BTT]).decode(kline(), 1)
    bar = Bar(OPEN_MS * NS_PER_MS, 62, 64, 61, 63, 1_234_567)
    assert told == BarTold(LANE, bar, is_closed=True)


def test_a_forming_candle_says_so_wrapped_or_not() -> None:
    bare = kline(x=False)
    wrapped = b'{"stream":"bttusdt@kline_1m","data":' + bare + b"}"
    assert is_kline(bare)
    assert is_kline(wrapped)
    codec = BarsCodec([BTT])
    assert codec.decode(bare, 1) == codec.decode(wrapped, 1)
    assert not codec.decode(bare, 1).is_closed


@pytest.mark.parametrize(
    "frame",
    [b'{"e":"depthUpdate","s":"BTTUSDT"}', b'{"stream":"bttusdt@trade","data":{}}', b"", b"[]"],
)
def test_other_frames_are_left_to_others(frame: bytes) -> None:
    assert not is_kline(frame)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"h": "0.00000062"}, "high and low"),
        ({"l": "0.00000063"}, "high and low"),
        ({"o": "0.000000625"}, "off the tick grid"),
        ({"c": "0"}, "out of range"),
        ({"v": "-1"}, "not a plain decimal"),
        ({"v": "1e9"}, "not a plain decimal"),
        ({"t": OPEN_MS + 1}, "is none of 1m"),
        ({"T": OPEN_MS + 60_000}, "is none of 1m"),
        ({"i": "1M"}, "unknown interval"),
        ({"x": 1}, "bool"),
        ({"o": 0.00000062}, "str"),
    ],
)
def test_what_cannot_be_a_bar_is_quarantined(changes: dict[str, object], reason: str) -> None:
    found = BarsCodec([BTT]).decode(kline(**changes), 5)
    assert isinstance(found, Quarantined)
    assert reason in found.reason


@pytest.mark.parametrize(
    "frame", [b'{"e":"kline"', b'{"e":"kline","k":' + b"[" * 3_000, b'{"e":"kline"}', kline()[:-9]]
)
def test_a_broken_candle_is_quarantined_and_raises_nothing(frame: bytes) -> None:
    assert isinstance(BarsCodec([BTT]).decode(frame, 5), Quarantined)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_to_a_candle_or_a_page_raises(data: st.DataObject) -> None:
    codec = BarsCodec([BTT])
    whole = data.draw(st.sampled_from([kline(), json.dumps([row(), row()]).encode()]))
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    frame = whole[:start] + data.draw(st.binary(max_size=12)) + whole[end:]
    assert isinstance(codec.decode(frame, 1), BarTold | Quarantined)
    rows = codec.rows(frame, 1)
    if not isinstance(rows, Quarantined):
        for raw in rows:
            assert isinstance(codec.bar(LANE, raw, -1, 1), Bar | Quarantined)


def test_a_row_out_of_order_is_no_bar() -> None:
    codec = BarsCodec([BTT])
    (raw,) = codec.rows(json.dumps([row()]).encode(), 1)
    first = codec.bar(LANE, raw, -1, 1)
    assert isinstance(first, Bar)
    assert isinstance(codec.bar(LANE, raw, first.open_ns, 1), Quarantined)


def test_the_codec_reads_what_ccxts_own_parser_reads() -> None:
    """Every row of a loopback venue's history, in every interval, through both."""
    exchange, codec = ccxt.pro.binance(), BarsCodec([BTT])
    klines, lane_of = (
        Klines(),
        {name: ("BTT/USDT@small", span_ns) for span_ns, name in INTERVALS.items()},
    )
    for name, candles in synthetic().items():
        klines.load(name, candles)
        body = page(klines, name)
        raws = codec.rows(body, 1)
        assert isinstance(raws, list)
        assert len(raws) > 20
        for raw, theirs in zip(raws, exchange.parse_ohlcvs(json.loads(body)), strict=True):
            ours = codec.bar(lane_of[name], raw, -1, 1)
            assert isinstance(ours, Bar)
            told = [BTT.price_text(tick) for tick in (ours.open, ours.high, ours.low, ours.close)]
            assert [ours.open_ns // NS_PER_MS, *map(float, told), float(ours.lots)] == theirs


class SpotClient:
    """Just enough of ccxt's client for its parser of candles."""

    url = "wss://stream.binance.com:9443/ws"

    def __init__(self) -> None:
        self.resolved: list[list[object]] = []

    def resolve(self, result: list[object], _hash: str) -> None:
        self.resolved.append(result)


def test_the_stream_reads_what_ccxts_own_parser_reads() -> None:
    exchange, client, told = ccxt.pro.binance(), SpotClient(), BarsCodec([BTT]).decode(kline(), 1)
    assert isinstance(told, BarTold)
    exchange.handle_ohlcv(client, json.loads(kline()))
    (_, timeframe, cache) = client.resolved[0]
    ours, grid = told.bar, BTT.price_text
    prices = [float(grid(tick)) for tick in (ours.open, ours.high, ours.low, ours.close)]
    assert timeframe == interval_of(told.lane[1])
    assert [ours.open_ns // NS_PER_MS, *prices, float(ours.lots)] == next(iter(cache))


def test_every_span_that_people_name_has_an_interval() -> None:
    assert {interval_of(span_ns) for span_ns in SPANS.values()} == set(SPANS)
    with pytest.raises(ValueError, match="no bars of 7 s"):
        interval_of(7 * SECOND)


def synthetic() -> dict[str, list[Candle]]:
    return {name: walk(name, OPEN_MS, 40) for name in INTERVALS_MS}


def walk(interval: str, now_ms: int, count: int) -> list[Candle]:
    """Candles up to the one that holds `now_ms`, each opening where the last closed."""
    span, last = INTERVALS_MS[interval], start_of(interval, now_ms)
    made, tick = [], 62
    for number in range(count):
        open_ms, first = last - (count - 1 - number) * span, tick
        tick = max(30, tick + (7 * number * number + 3) % 5 - 2)
        made.append(
            Candle(
                open_ms=open_ms, close_ms=open_ms + span - 1, first=first, last=tick,
                high=max(first, tick) + 1, low=min(first, tick) - 1, lots=9 * number, count=number,
            )
        )  # fmt: skip
    return made


def page(klines: Klines, name: str) -> bytes:
    rows = [
        [
            c.open_ms, *(BTT.price_text(tick) for tick in (c.first, c.high, c.low, c.last)),
            str(c.lots), c.close_ms, "0", c.count, "0", "0", "0",
        ]
        for c in klines.until(name, OPEN_MS)
    ]  # fmt: skip
    return json.dumps(rows).encode()


# --- a lane -------------------------------------------------------------------------------------


def bar(number: int, close: int = 62) -> Bar:
    return Bar(number * MINUTE, 62, 64, 60, close, 5)


def joined(*numbers: int) -> BarLane:
    """A lane that has told these; the next one is forming."""
    lane = BarLane(MINUTE, 500)
    lane.join([*map(bar, numbers), bar(numbers[-1] + 1)])
    assert lane.settle(0) == []
    return lane


def test_the_newest_row_of_history_may_still_form_and_is_not_told() -> None:
    lane = BarLane(MINUTE, 500)
    assert lane.wants_page(0)
    assert lane.join([bar(1), bar(2), bar(3)]) == [bar(1), bar(2)]
    assert lane.settle(0) == []
    assert not lane.wants_page(10**18)
    assert lane.closed(bar(3)) == [bar(3)]


def test_a_bar_that_closes_before_history_comes_is_told_after_it() -> None:
    lane = BarLane(MINUTE, 500)
    assert lane.closed(bar(3)) == []
    assert lane.join([bar(1), bar(2), bar(3)]) == [bar(1), bar(2)]
    assert lane.settle(0) == [bar(3)]


def test_a_skipped_bar_is_asked_for_and_the_later_one_waits_for_it() -> None:
    lane = joined(1, 2)
    assert lane.closed(bar(4)) == []
    assert lane.wants_page(0)
    assert lane.rows_missing(5 * MINUTE) == 5
    assert lane.join([bar(2), bar(3), bar(4), bar(5)]) == [bar(3), bar(4)]
    assert lane.settle(0) == []
    assert not lane.is_doubtful


def test_a_forming_bar_betrays_one_that_was_missed() -> None:
    lane = joined(1, 2)
    assert lane.is_next(bar(3))
    assert not lane.is_next(bar(4))
    assert lane.wants_page(0)


def test_a_late_forming_bar_is_not_told_after_it_has_closed() -> None:
    assert not joined(1, 2).is_next(bar(2))


def test_a_corrected_bar_is_told_again() -> None:
    lane = joined(1, 2)
    assert lane.closed(bar(1, close=63)) == [bar(1, close=63)]
    assert lane.newest_ns == 2 * MINUTE


def test_a_bar_that_the_stream_repeats_is_told_once() -> None:
    lane = joined(1, 2)
    assert lane.closed(bar(3)) == [bar(3)]
    assert lane.closed(bar(3)) == []
    assert lane.closed(bar(3, close=63)) == [bar(3, close=63)]


def test_a_page_that_comes_too_early_is_asked_for_again() -> None:
    lane = joined(1, 2)
    lane.closed(bar(5))
    assert lane.join([bar(2), bar(3)]) == []
    assert lane.settle(0) == []
    assert not lane.wants_page(0)
    assert lane.wants_page(2 * NS_PER_S)
    assert lane.join([bar(2), bar(3), bar(4), bar(5), bar(6)]) == [bar(3), bar(4), bar(5)]


def test_a_hole_that_the_venue_has_itself_is_passed_at_once() -> None:
    lane = joined(1, 2)
    lane.closed(bar(5))
    assert lane.join([bar(2), bar(5), bar(6)]) == [bar(5)]
    assert lane.settle(0) == []
    assert lane.closed(bar(6)) == [bar(6)]


def test_a_venue_whose_pages_never_catch_up_is_not_asked_for_ever() -> None:
    lane = joined(1, 2)
    lane.closed(bar(9))
    for tries in range(TRIES_MAX + 1):
        lane.join([bar(1), bar(2)])
        told = lane.settle(0)
        assert told == ([bar(9)] if tries == TRIES_MAX else [])
    assert not lane.is_doubtful


def test_refused_pages_are_asked_for_later_and_later() -> None:
    lane, waits, now_ns = BarLane(MINUTE, 500), [], 0
    for _ in range(9):
        lane.failed(now_ns, 0)
        while not lane.wants_page(now_ns):
            now_ns += NS_PER_S // 2
        waits.append(now_ns // NS_PER_S)
    assert waits[:3] == [1, 3, 7]
    assert waits[-1] - waits[-2] == 60


def test_what_waits_is_bounded() -> None:
    lane = BarLane(MINUTE, 500)
    for number in range(PENDING_MAX + 50):
        lane.closed(bar(number))
    lane.join([])
    assert len(lane.settle(0)) == PENDING_MAX


# --- both adapters against the loopback venue ---------------------------------------------------


@asynccontextmanager
async def trading_place(adapter: str) -> AsyncIterator[TradingPlace]:
    """One whose depth never rests, so that books stand within a moment."""
    place, ids = TradingPlace(adapter), count(1).__next__
    place.venue = LoopbackVenue(place.venue.exchange.config, {SYMBOL: Restless(ids)}, ids=ids)
    await place.venue.start()
    try:
        yield place
    finally:
        await place.close()


@asynccontextmanager
async def feeding(place: TradingPlace, *spans_ns: int) -> AsyncIterator[Desk]:
    """Our desk, whose feed brings bars too."""
    desk = await place.desk("ours")
    facts = Facts()
    task = asyncio.create_task(desk.venue.feed([desk.item], {MARKET: spans_ns}).run(facts))
    try:
        yield Desk(desk.venue, desk.item, facts)
    finally:
        await ended(task)


def history(place: TradingPlace, interval: str, count: int) -> list[Candle]:
    candles = walk(interval, time_ns() // NS_PER_MS, count)
    place.venue.exchange.markets[SYMBOL].klines.load(interval, candles)
    return candles


@contextmanager
def one_hour() -> Iterator[None]:
    """What is asserted inside is about the hour that forms. One test in a thousand sees it turn."""
    began_ms = start_of("1h", time_ns() // NS_PER_MS)
    try:
        yield
    except AssertionError:
        if start_of("1h", time_ns() // NS_PER_MS) != began_ms:
            raise RanOut("the hour turned in the middle of it") from None
        raise


def closed(facts: Facts, span_ns: int) -> list[Bar]:
    return [bar for fact in facts.of(BarsClosed) if fact.span_ns == span_ns for bar in fact.bars]


def steps(bars: list[Bar], span_ns: int) -> set[int]:
    opens = [each.open_ns for each in bars]
    return {(after - before) // span_ns for before, after in pairwise(opens)}


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_history_comes_once_after_the_books_and_without_the_forming_bar(adapter: str) -> None:
    with one_hour():
        await _history_comes_once(adapter)


async def _history_comes_once(adapter: str) -> None:
    async with trading_place(adapter) as place:
        candles = history(place, "1h", 700)
        async with feeding(place, SPANS["1h"]) as ours:
            (fact,) = await ours.facts.until(lambda: ours.facts.of(BarsClosed))
            (forming,) = (await ours.facts.until(lambda: ours.facts.of(BarForming)))[:1]
        last = candles[-2]
        assert fact.is_history
        assert len(fact.bars) == 500
        assert fact.bars[-1] == Bar(
            last.open_ms * NS_PER_MS, last.first, last.high, last.low, last.last, last.lots
        )
        assert steps(fact.bars, SPANS["1h"]) == {1}
        assert forming.bar.open_ns == fact.bars[-1].open_ns + SPANS["1h"]
        kinds: list[type[Event]] = [type(each) for each in ours.facts.all]
        assert kinds.index(BookSnapshot) < kinds.index(BarsClosed)


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_history_longer_than_a_page_is_read_page_by_page(
    adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.common.bars.PAGE_ROWS", 120)
    with one_hour():
        await _history_page_by_page(adapter)


async def _history_page_by_page(adapter: str) -> None:
    async with trading_place(adapter) as place:
        candles = history(place, "1h", 400)
        async with feeding(place, SPANS["1h"]) as ours:
            (fact,) = await ours.facts.until(lambda: ours.facts.of(BarsClosed))
        assert [each.open_ns for each in fact.bars] == [c.open_ms * NS_PER_MS for c in candles[:-1]]
        assert place.venue.state().counters["call klines"] == 4


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_the_stream_goes_on_where_history_ends(adapter: str) -> None:
    async with trading_place(adapter) as place:
        history(place, "1s", 60)
        async with feeding(place, SECOND) as ours:
            await ours.facts.until(lambda: len(closed(ours.facts, SECOND)) >= 62)
            facts = ours.facts.of(BarsClosed)
            await ours.facts.until(lambda: ours.facts.of(BarForming))
        assert facts[0].is_history
        assert not facts[-1].is_history
        bars = closed(ours.facts, SECOND)
        assert steps(bars, SECOND) == {1}
        for fact in ours.facts.of(BarForming):
            assert fact.bar.open_ns > min(each.open_ns for each in bars)


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_bars_missed_while_disconnected_are_read_as_history(adapter: str) -> None:
    async with trading_place(adapter) as place:
        history(place, "1s", 60)
        async with feeding(place, SECOND) as ours:
            await ours.facts.until(lambda: len(closed(ours.facts, SECOND)) >= 61)
            before = len(ours.facts.of(BarsClosed))
            for _ in range(25):  # at least two bars close meanwhile
                for wire in place.venue.delivery.wires():
                    wire.cut()
                await asyncio.sleep(0.1)
            await ours.facts.until(
                lambda: any(fact.is_history for fact in ours.facts.of(BarsClosed)[before:])
            )
            told = len(closed(ours.facts, SECOND))
            await ours.facts.until(lambda: len(closed(ours.facts, SECOND)) > told)
        assert steps(closed(ours.facts, SECOND), SECOND) == {1}


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_the_venues_bars_are_those_of_its_trades(adapter: str) -> None:
    async with trading_place(adapter) as place:
        theirs = await place.desk("theirs")
        async with feeding(place, SECOND) as ours:
            await ours.facts.until(lambda: ours.facts.of(BookSnapshot))
            await theirs.place(Side.SELL, 63)
            await ours.place(Side.BUY, 63, lots=2_000_000, post_only=False)
            found = await ours.facts.until(
                lambda: [each for each in closed(ours.facts, SECOND) if each.lots]
            )
        assert (found[0].low, found[0].high, found[0].lots) == (63, 63, 2_000_000)


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_bars_of_a_span_or_market_that_is_not_there_are_refused(adapter: str) -> None:
    async with trading_place(adapter) as place:
        desk = await place.desk("ours")
        with pytest.raises(UserError, match="no bars of 7 s"):
            desk.venue.feed([desk.item], {MARKET: (7 * SECOND,)})
        with pytest.raises(UserError, match="no such market"):
            desk.venue.feed([desk.item], {"DOGE/USDT@venue": (MINUTE,)})


async def test_a_snapshot_grade_says_that_it_has_no_bars() -> None:
    async with trading_place("ccxt") as place:
        desk = await place.desk("ours", grade=Grade.SNAPSHOT)
        with pytest.raises(UserError, match="verified grade"):
            desk.venue.feed([desk.item], {MARKET: (MINUTE,)})


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_the_last_bars_of_a_symbol_need_no_key_and_no_instrument(adapter: str) -> None:
    with one_hour():
        await _last_bars(adapter)


async def _last_bars(adapter: str) -> None:
    async with trading_place(adapter) as place:
        candles = history(place, "1h", 300)
        desk = await place.desk("ours")
        rows = await desk.venue.recent_bars("BTT/USDT", SPANS["1h"], 250)
        assert [each[0] for each in rows] == [candle.open_ms for candle in candles[-250:]]
        with pytest.raises(UserError, match="venue has no market DOGE/USDT"):
            await desk.venue.recent_bars("DOGE/USDT", SPANS["1h"], 250)


async def test_native_connections_follow_each_other_without_losing_a_bar() -> None:
    """X02: candles of the old connection end, those of the new begin; a page closes the seam."""
    async with trading_place("native") as place:
        history(place, "1s", 60)
        async with feeding(place, SECOND) as ours:
            await ours.facts.until(lambda: len(closed(ours.facts, SECOND)) >= 61)
            connections = place.venue.server.connections
            for wire in place.venue.delivery.wires():
                wire.push(Frame(SHUTDOWN))
            await until(lambda: place.venue.server.connections > connections, "the next one")
            told = len(closed(ours.facts, SECOND))
            await until(lambda: len(closed(ours.facts, SECOND)) > told + 3, "bars of the next one")
        assert steps(closed(ours.facts, SECOND), SECOND) == {1}


def test_a_page_as_it_stands_keeps_its_texts() -> None:
    (found,) = rows_of(json.dumps([row()]).encode())
    assert found[:3] == (OPEN_MS, "0.00000062", "0.00000064")
    with pytest.raises(ValueError, match="Expected"):
        rows_of(b'[["x"]]')
