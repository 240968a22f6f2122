"""Each adapter against the loopback venue: what every way to a venue has to hold to."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import msgspec
import pytest

from adapters.ccxt_pro.gateway import CcxtGateway
from adapters.ccxt_pro.options import VenueOptions
from adapters.ccxt_pro.private import ParsedPrivate
from adapters.ccxt_pro.session import Session
from adapters.codec.binance import BinanceCodec
from adapters.common.client_ids import ClientIds
from adapters.common.pulse import Pulse
from adapters.loopback.config import VenueConfig, atoms, btt_usdt
from adapters.loopback.keys import KeyPair, new_ed25519, new_hmac
from adapters.loopback.venue import LoopbackVenue
from adapters.native.link import Link
from adapters.transport.capture import read_lines
from engine.cli.adapters import OpenVenue, adapter_of
from engine.market.book import Book
from engine.runtime.config import VenueConfig as VenueTable
from engine.runtime.volume_watch import atoms_of
from engine.values.commands import Amend, Cancel, CancelAll, Place, QueryOrder, Reconcile
from engine.values.errors import Failure
from engine.values.events import (
    AllCanceled,
    Balances,
    BookDelta,
    BookLost,
    BookSnapshot,
    Connected,
    Disconnected,
    Event,
    Fill,
    Grade,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    OrderState,
    QueryFailed,
    Stream,
    Trade,
    VenueState,
)
from engine.values.instrument import Instrument
from engine.values.ports import TellsVolumes
from engine.values.units import NS_PER_S, Side
from tests.patience import PATIENCE_S, Bystander, RanOut, in_time, until

ADAPTERS = ("ccxt", "native")
MARKET = "BTT/USDT@venue"
LOTS = 8_000_000


class WallClock:
    def now_ns(self) -> int:
        return time_ns()


class Hidden:
    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text


class PairKeys:
    password = None

    def __init__(self, pair: KeyPair) -> None:
        self.api_key = Hidden(pair.key.api_key)
        self.secret = Hidden(pair.secret)


class Facts:
    """An inbox that a test can wait on."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self._news = asyncio.Event()

    def put(self, event: Event) -> None:
        self.all.append(event)
        self._news.set()

    def of(self, kind: type[Any], *, after: int = 0) -> list[Any]:
        return [event for event in self.all[after:] if isinstance(event, kind)]

    async def until(self, is_so: Callable[[], Any]) -> Any:
        async with in_time("a fact", instead=lambda: [type(f).__name__ for f in self.all[-9:]]):
            while not (found := is_so()):
                self._news.clear()
                await self._news.wait()
        return found

    async def connected(self, stream: Stream, times: int = 1) -> None:
        await self.until(lambda: sum(fact.stream is stream for fact in self.of(Connected)) >= times)


class Desk:
    """One account's adapter at the venue, running."""

    def __init__(self, venue: OpenVenue, item: Instrument, facts: Facts) -> None:
        self.venue = venue
        self.item = item
        self.facts = facts
        self.gateway = venue.gateway
        self._ids = count(1)

    def order(self, side: Side, tick: int, *, lots: int = LOTS, post_only: bool = True) -> Place:
        return Place(
            market=MARKET,
            client_id=f"b1-{next(self._ids)}",
            side=side,
            tick=tick,
            lots=lots,
            post_only=post_only,
            at_ns=0,
        )

    async def place(self, side: Side, tick: int, **options: Any) -> OrderReport:
        (fact,) = await self.gateway.execute(self.order(side, tick, **options))
        _answered(fact)
        assert isinstance(fact, OrderReport), fact
        return fact

    async def query(self, client_id: str) -> Event:
        (fact,) = await self.gateway.execute(
            QueryOrder(market=MARKET, client_id=client_id, at_ns=0)
        )
        return fact

    async def reconcile(self, after_id: int = 0) -> VenueState:
        command = Reconcile(market=MARKET, trade_id_from=after_id, at_ns=0)
        (fact,) = await self.gateway.execute(command)
        _answered(fact)
        assert isinstance(fact, VenueState), fact
        return fact

    def book(self) -> Book:
        """The book as an engine would hold it by now."""
        book = Book()
        for fact in self.facts.all:
            match fact:
                case BookSnapshot():
                    book.apply_snapshot(fact.bids, fact.asks)
                case BookDelta():
                    book.apply_delta(fact.bids, fact.asks)
                case _:
                    pass
        return book


def _answered(fact: Event) -> None:
    """The adapter waits for an answer only so long; a machine that stands still waits longer."""
    if isinstance(fact, OrderFailed | QueryFailed) and fact.code == "timeout":
        raise RanOut(f"no answer in time: {fact}")


class TradingPlace:
    """A venue with two accounts: ours, and somebody to trade with, both through one adapter.

    Our key is Ed25519 and theirs is HMAC, so both kinds trade in every test.
    """

    def __init__(self, adapter: str) -> None:
        self._adapter = adapter
        self.pairs = {"ours": new_ed25519("ours"), "theirs": new_hmac("theirs")}
        money = {"BTT": atoms("100000000"), "USDT": atoms("1000")}
        self.venue = LoopbackVenue(
            VenueConfig(
                symbols=[btt_usdt()],
                keys=[pair.key for pair in self.pairs.values()],
                balances={"ours": dict(money), "theirs": dict(money)},
            ),
            {},
        )
        self._stack = AsyncExitStack()

    async def desk(
        self, name: str, *, with_feed: bool = False, grade: Grade = Grade.VERIFIED
    ) -> Desk:
        opened = self._opened(name, grade)
        self._stack.push_async_callback(opened.gateway.close)
        (item,) = await opened.gateway.instruments(["BTT/USDT"])
        facts = Facts()
        runs = [opened.gateway.run(facts)]
        if with_feed:
            runs.append(opened.feed([item]).run(facts))
        for run in runs:
            task = asyncio.create_task(run)
            self._stack.push_async_callback(ended, task)
        await facts.connected(Stream.PRIVATE)
        return Desk(opened, item, facts)

    def _opened(self, name: str, grade: Grade) -> OpenVenue:
        """As a config's word opens it; the native way has but one grade."""
        table = VenueTable(name="venue", adapter=self._adapter, exchange="binance")
        more = {"grade": grade} if self._adapter == "ccxt" else {}
        adapter = adapter_of(table)
        options = adapter.OPTIONS(
            name="venue", exchange="binance", urls=flat(self.venue.urls()), **more
        )
        return adapter.open_venue(options, WallClock(), PairKeys(self.pairs[name]))

    async def close(self) -> None:
        await self._stack.aclose()
        await self.venue.stop()


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def flat(urls: dict[str, Any]) -> dict[str, str]:
    return {
        "public": urls["public"],
        "private": urls["private"],
        "ws.spot": urls["ws"]["spot"],
        "ws.ws-api.spot": urls["ws"]["ws-api"]["spot"],
    }


@asynccontextmanager
async def trading_place(adapter: str) -> AsyncIterator[TradingPlace]:
    place = TradingPlace(adapter)
    await place.venue.start()
    try:
        yield place
    finally:
        await place.close()


async def quoted(theirs: Desk) -> None:
    """A market to look at: 60/61 bid, 64/65 asked."""
    for side, tick in ((Side.BUY, 60), (Side.BUY, 61), (Side.SELL, 64), (Side.SELL, 65)):
        await theirs.place(side, tick)


async def synced(ours: Desk, theirs: Desk, times: int = 1) -> None:
    """Stir the market until the book is proved: the stream of a quiet one proves nothing."""
    async with in_time("a proved book", 2 * PATIENCE_S):
        while len(ours.facts.of(BookSnapshot)) < times:
            far = await theirs.place(Side.SELL, 200)
            command = Cancel(market=MARKET, client_id=far.client_id, at_ns=0)
            await theirs.gateway.execute(command)
            await asyncio.sleep(0.3)


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_the_book_that_comes_equals_the_venues_own(adapter: str) -> None:
    async with trading_place(adapter) as place:
        theirs = await place.desk("theirs")
        await quoted(theirs)
        ours = await place.desk("ours", with_feed=True)
        await synced(ours, theirs)
        await theirs.place(Side.BUY, 62)
        await theirs.gateway.execute(CancelAll(market=MARKET, at_ns=0))
        await theirs.place(Side.SELL, 66)
        await ours.facts.until(lambda: ours.book().levels(Side.SELL, 5) == [(66, LOTS)])
        assert ours.book().levels(Side.BUY, 5) == []
        assert ours.facts.of(BookSnapshot)[0].grade is Grade.VERIFIED


async def test_a_parsed_book_that_comes_equals_the_venues_own() -> None:
    async with trading_place("ccxt") as place:
        theirs = await place.desk("theirs")
        await quoted(theirs)
        ours = await place.desk("ours", with_feed=True, grade=Grade.SNAPSHOT)
        assert ours.venue.grade is Grade.SNAPSHOT
        await theirs.place(Side.BUY, 62)
        expected = [(62, LOTS), (61, LOTS), (60, LOTS)]
        await ours.facts.until(lambda: ours.book().levels(Side.BUY, 5) == expected)
        assert {fact.grade for fact in ours.facts.of(BookSnapshot)} == {Grade.SNAPSHOT}
        await ours.place(Side.SELL, 62, post_only=False)
        await ours.facts.until(lambda: ours.facts.of(Trade))


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_an_order_is_acknowledged_filled_and_paid_for(adapter: str) -> None:
    async with trading_place(adapter) as place:
        ours, theirs = await place.desk("ours"), await place.desk("theirs")
        report = await ours.place(Side.BUY, 62)
        assert (report.state, report.lots, report.filled_lots) == (OrderState.OPEN, LOTS, 0)
        await theirs.place(Side.SELL, 62, lots=3_000_000, post_only=False)
        (fill,) = await ours.facts.until(lambda: ours.facts.of(Fill))
        assert (fill.client_id, fill.venue_id) == (report.client_id, report.venue_id)
        assert (fill.tick, fill.lots, fill.is_maker) == (62, 3_000_000, True)
        await ours.facts.until(lambda: ours.facts.of(Balances))
        state = await ours.reconcile()
        assert [each.trade_id for each in state.fills] == [fill.trade_id]
        assert [each.client_id for each in state.fills] == [report.client_id]
        assert (state.fills[0].fee_atoms, state.fills[0].fee_asset) == (
            fill.fee_atoms,
            fill.fee_asset,
        )
        assert [(each.client_id, each.filled_lots) for each in state.open_orders] == [
            (report.client_id, 3_000_000)
        ]
        truth = place.venue.state().balances["ours"]
        told = {row.asset: (row.free_atoms, row.locked_atoms) for row in state.balances}
        assert told == truth


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_venue_says_what_anybody_traded_in_a_day(adapter: str) -> None:
    async with trading_place(adapter) as place:
        ours, theirs = await place.desk("ours"), await place.desk("theirs")
        assert isinstance(ours.gateway, TellsVolumes)
        assert atoms_of(await ours.gateway.day_volume("BTT/USDT") or "", 0) == 0
        await ours.place(Side.BUY, 62)
        await theirs.place(Side.SELL, 62, lots=3_000_000, post_only=False)
        await ours.facts.until(lambda: ours.facts.of(Fill))
        assert atoms_of(await ours.gateway.day_volume("BTT/USDT") or "", 0) == 3_000_000


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_reconcile_after_a_restart_still_names_the_order_of_each_fill(adapter: str) -> None:
    async with trading_place(adapter) as place:
        ours, theirs = await place.desk("ours"), await place.desk("theirs")
        report = await ours.place(Side.BUY, 62)
        await theirs.place(Side.SELL, 62, post_only=False)
        again = await place.desk("ours")
        (fill,) = (await again.reconcile()).fills
        assert fill.client_id == report.client_id
        assert (await again.reconcile(fill.trade_id)).fills == []


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_o13_a_crossing_limit_maker_is_rejected(adapter: str) -> None:
    async with trading_place(adapter) as place:
        ours, theirs = await place.desk("ours"), await place.desk("theirs")
        await quoted(theirs)
        (failed,) = await ours.gateway.execute(ours.order(Side.BUY, 64))
        assert isinstance(failed, OrderFailed)
        assert (failed.failure, failed.code) == (Failure.REJECTED, "-2010")


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_orders_are_canceled_one_by_one_and_all_at_once(adapter: str) -> None:
    async with trading_place(adapter) as place:
        ours = await place.desk("ours")
        first = await ours.place(Side.BUY, 60)
        await ours.place(Side.BUY, 61)
        (gone,) = await ours.gateway.execute(
            Cancel(market=MARKET, client_id=first.client_id, at_ns=0)
        )
        assert isinstance(gone, OrderReport)
        assert (gone.client_id, gone.state) == (first.client_id, OrderState.CANCELED)
        *_, done = await ours.gateway.execute(CancelAll(market=MARKET, at_ns=0))
        assert isinstance(done, AllCanceled)
        assert done.count == 1
        assert place.venue.state().open_orders == []
        await ours.facts.until(
            lambda: [
                fact for fact in ours.facts.of(OrderReport) if fact.state is OrderState.CANCELED
            ][1:]
        )


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_an_amend_moves_an_order_and_reports_both_legs(adapter: str) -> None:
    async with trading_place(adapter) as place:
        ours = await place.desk("ours")
        old = await ours.place(Side.BUY, 60)
        command = ours.order(Side.BUY, 61)
        first, second = await ours.gateway.execute(
            Amend(market=MARKET, client_id=old.client_id, replacement=command, at_ns=0)
        )
        assert isinstance(first, OrderReport)
        assert isinstance(second, OrderReport)
        assert (first.client_id, first.state) == (old.client_id, OrderState.CANCELED)
        assert (second.client_id, second.state, second.tick) == (
            command.client_id,
            OrderState.OPEN,
            61,
        )


async def test_parsed_private_facts_are_complete_though_nobody_waits_for_them() -> None:
    async with trading_place("ccxt") as place:
        theirs = await place.desk("theirs")
        options = VenueOptions(name="venue", exchange="binance", urls=flat(place.venue.urls()))
        session = Session(options, WallClock(), PairKeys(place.pairs["ours"]))
        client_ids = ClientIds()
        gateway = CcxtGateway(session, client_ids, ParsedPrivate(session, client_ids))
        (item,) = await gateway.instruments(["BTT/USDT"])
        facts = Facts()
        task = asyncio.create_task(gateway.run(facts))
        await facts.connected(Stream.PRIVATE)
        report = (await gateway.execute(theirs.order(Side.BUY, 62, lots=50_000_000)))[0]
        count_fills = 20
        for _ in range(count_fills):
            await theirs.place(Side.SELL, 62, lots=2_000_000, post_only=False)
        fills = await facts.until(lambda: len(facts.of(Fill)) >= count_fills and facts.of(Fill))
        assert isinstance(report, OrderReport)
        assert item.market == MARKET
        assert {fill.client_id for fill in fills} == {report.client_id}
        assert len({fill.trade_id for fill in fills}) == len(fills) == count_fills
        assert {(fill.tick, fill.lots, fill.fee_atoms) for fill in fills} == {
            (62, 2_000_000, 200_000_000_000)
        }
        assert max(each.filled_lots for each in facts.of(OrderReport)) == 40_000_000
        assert facts.of(Balances)
        await ended(task)
        await gateway.close()


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_an_order_that_never_was_is_absent(adapter: str) -> None:
    async with trading_place(adapter) as place:
        ours = await place.desk("ours")
        assert isinstance(await ours.query("b1-none"), OrderAbsent)


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("how", ["cut", "hang"])
async def test_o02_an_order_whose_answer_is_lost_is_unknown_and_found_by_query(
    adapter: str,
    how: str,
) -> None:
    async with trading_place(adapter) as place:
        ours = await place.desk("ours")
        place.venue.faults.inject("O02", on="place", how=how)
        command = ours.order(Side.BUY, 62)
        (failed,) = await ours.gateway.execute(command)
        assert isinstance(failed, OrderFailed)
        assert failed.failure is Failure.UNKNOWN
        found = await ours.query(command.client_id)
        assert isinstance(found, OrderReport)
        assert (found.state, found.tick) == (OrderState.OPEN, 62)
        assert len(place.venue.state().orders) == 1


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("answer", ["-1006", "-1007", "500", "502", "503", "504"])
async def test_o04_every_answer_that_proves_nothing_is_unknown(adapter: str, answer: str) -> None:
    async with trading_place(adapter) as place:
        ours = await place.desk("ours")
        place.venue.faults.inject("O04", on="place", answer=answer)
        (failed,) = await ours.gateway.execute(ours.order(Side.BUY, 62))
        assert isinstance(failed, OrderFailed)
        assert failed.failure is Failure.UNKNOWN


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_o15_after_a_429_places_wait_and_cancels_go_out(adapter: str) -> None:
    async with trading_place(adapter) as place:
        ours = await place.desk("ours")
        resting = await ours.place(Side.BUY, 60)
        began_s = monotonic()
        place.venue.faults.inject("O15", retry=3)
        with Bystander() as bystander, bystander.undisturbed(began_s):
            (failed,) = await ours.gateway.execute(ours.order(Side.BUY, 61))
            assert isinstance(failed, OrderFailed)
            assert failed.failure is Failure.TRANSIENT
            assert 0 < failed.retry_after_ns <= 3 * NS_PER_S
            (held,) = await ours.gateway.execute(ours.order(Side.BUY, 61))
            assert isinstance(held, OrderFailed)
            assert held.text == "rate budget"
        await asyncio.sleep(held.retry_after_ns / NS_PER_S + 0.5)
        (gone,) = await ours.gateway.execute(
            Cancel(market=MARKET, client_id=resting.client_id, at_ns=0)
        )
        assert isinstance(gone, OrderReport)


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_p01_fills_of_a_dead_private_stream_are_found_by_reconciling(adapter: str) -> None:
    async with trading_place(adapter) as place:
        ours = await place.desk("ours")
        report = await ours.place(Side.BUY, 62)
        place.venue.faults.inject("P01", fills=1, account="ours")
        await ours.facts.until(
            lambda: any(fact.stream is Stream.PRIVATE for fact in ours.facts.of(Disconnected))
        )
        place.venue.faults.heal("P01")
        await ours.facts.connected(Stream.PRIVATE, times=2)
        state = await ours.reconcile()
        assert [(fill.client_id, fill.lots) for fill in state.fills] == [(report.client_id, LOTS)]
        assert state.open_orders == []


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_p02_a_fill_told_three_times_has_one_name(adapter: str) -> None:
    async with trading_place(adapter) as place:
        ours, theirs = await place.desk("ours"), await place.desk("theirs")
        await ours.place(Side.BUY, 62)
        await ours.facts.until(lambda: ours.facts.of(Balances))
        place.venue.faults.inject("P02", times=3, count=20)
        await theirs.place(Side.SELL, 62, post_only=False)
        fills = await ours.facts.until(lambda: ours.facts.of(Fill)[2:] and ours.facts.of(Fill))
        assert len({fill.trade_id for fill in fills}) == 1


def first_losses(facts: Facts) -> list[Disconnected]:
    """The first loss of either stream, once both were lost."""
    lost = facts.of(Disconnected)
    firsts = [next((f for f in lost if f.stream is s), None) for s in Stream]
    return [f for f in firsts if f is not None] if None not in firsts else []


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_f10_a_silent_venue_is_noticed_on_both_streams_within_three_seconds(
    adapter: str,
) -> None:
    async with trading_place(adapter) as place:
        theirs = await place.desk("theirs")
        await quoted(theirs)
        ours = await place.desk("ours", with_feed=True)
        await synced(ours, theirs)
        with Bystander() as bystander:
            began_s, began_ns = monotonic(), time_ns()
            place.venue.faults.inject("F10")
            lost = await ours.facts.until(lambda: first_losses(ours.facts))
            for fact in lost:
                lost_s = (fact.at_ns - began_ns) / NS_PER_S
                assert bystander.ran_s(began_s, began_s + lost_s) < 4
        assert ours.facts.of(BookLost)
        await theirs.facts.until(lambda: theirs.facts.of(Disconnected))
        place.venue.faults.heal("F10")
        await ours.facts.connected(Stream.PUBLIC, times=2)
        for desk in (ours, theirs):
            await desk.facts.connected(Stream.PRIVATE, times=2)
        await synced(ours, theirs, times=2)


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_f01_a_lost_delta_loses_the_book_and_it_comes_back_right(adapter: str) -> None:
    async with trading_place(adapter) as place:
        theirs = await place.desk("theirs")
        await quoted(theirs)
        ours = await place.desk("ours", with_feed=True)
        await synced(ours, theirs)
        place.venue.faults.inject("F01")
        await theirs.place(Side.BUY, 62)
        await until(lambda: place.venue.faults.log, "the frame that is lost")
        await theirs.place(Side.BUY, 59)
        await ours.facts.until(lambda: ours.facts.of(BookLost))
        await theirs.place(Side.BUY, 58)
        expected = [(tick, LOTS) for tick in (62, 61, 60, 59, 58)]
        await ours.facts.until(lambda: ours.book().levels(Side.BUY, 9) == expected)


async def test_a_recorded_wire_brings_the_same_book_as_the_wire_itself(tmp_path: Path) -> None:
    async with trading_place("native") as place:
        theirs = await place.desk("theirs")
        await quoted(theirs)
        ours = await place.desk("ours", with_feed=True)
        lines: list[bytes] = []
        link = Link(
            f"{place.venue.urls()['ws']['spot']}/bttusdt@depth@100ms",
            Pulse("venue", Stream.PUBLIC, WallClock()),
            WallClock(),
        )
        link.tap = lambda frame, at_ns: lines.append(b"%d %b\n" % (at_ns, frame))
        await link.open()
        await synced(ours, theirs)
        row = place.venue.exchange.markets["BTTUSDT"].snapshot(100)
        lines.append(b"%d %b\n" % (time_ns(), msgspec.json.encode(row)))
        await theirs.place(Side.BUY, 62)
        await theirs.place(Side.SELL, 63)
        await ours.facts.until(lambda: ours.book().levels(Side.SELL, 1) == [(63, LOTS)])
        last = place.venue.exchange.markets["BTTUSDT"].update_id
        await until(lambda: b'"u":%d,' % last in lines[-1], "the last frame on the other wire")
        await link.close()
    file = tmp_path / "wire.gz"
    file.write_bytes(gzip.compress(b"".join(lines)))
    codec, book = BinanceCodec([ours.item]), Book()
    for _, at_ns, frame in read_lines([file]):
        for fact in codec.decode(frame, at_ns):
            if isinstance(fact, BookSnapshot):
                book.apply_snapshot(fact.bids, fact.asks)
            if isinstance(fact, BookDelta):
                book.apply_delta(fact.bids, fact.asks)
    for side in Side:
        assert book.levels(side, 5) == ours.book().levels(side, 5)
    assert codec.counts["quarantined"] == 0
