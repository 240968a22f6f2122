"""What only the native way promises: two routes, and one connection after another without a gap."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from itertools import count
from typing import Any

import pytest
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from adapters.common.pulse import LinkLost, Pulse
from adapters.loopback.config import VenueConfig, atoms, btt_usdt
from adapters.loopback.keys import KeyPair, new_ed25519, new_hmac
from adapters.loopback.shaping import Frame
from adapters.loopback.venue import LoopbackVenue
from adapters.native.link import Link
from adapters.native.options import NativeOptions
from adapters.native.signing import Signer
from adapters.native.venue import NativeVenue, open_venue
from engine.cli.demo_venue import flat
from engine.values.commands import Cancel, CancelAll, QueryOrder, Reconcile
from engine.values.errors import Failure, UserError
from engine.values.events import (
    AllCanceled,
    BookLost,
    BookSnapshot,
    CancelFailed,
    Connected,
    Disconnected,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    OrderState,
    Stream,
    Trade,
    VenueState,
)
from engine.values.units import Side
from tests.loopback_builders import SYMBOL, Restless
from tests.patience import Bystander, in_time, until
from tests.tcp_proxy import TcpProxy
from tests.test_adapter_contract import MARKET, Desk, Facts, PairKeys, WallClock, ended

SHUTDOWN = b'{"e":"serverShutdown","E":1700000000000}'


class StillFacts(Facts):
    """Facts of a process whose stand-stills are known."""

    def __init__(self, bystander: Bystander) -> None:
        super().__init__()
        self.bystander = bystander


@asynccontextmanager
async def desk(
    pair: KeyPair | None = None, *, rest: bool = False, **options: Any
) -> AsyncIterator[tuple[Desk, LoopbackVenue]]:
    """One account, running, in a market whose depth never rests. With `rest`, REST goes through
    a proxy, which is the venue's attribute `proxy`."""
    pair = pair or new_ed25519("ours")
    ids = count(1).__next__
    config = VenueConfig(
        symbols=[btt_usdt()],
        keys=[pair.key],
        balances={"ours": {"BTT": atoms("100000000"), "USDT": atoms("1000")}},
    )
    venue = LoopbackVenue(config, {SYMBOL: Restless(ids)}, ids=ids)
    await venue.start()
    with Bystander() as bystander:
        async with TcpProxy(venue.port) as proxy:
            urls = flat(venue.urls())
            if rest:
                venue.proxy = proxy
                urls |= dict.fromkeys(
                    ("public", "private"), f"http://127.0.0.1:{proxy.port}/api/v3"
                )
            made = NativeOptions(name="venue", exchange="binance", urls=urls, **options)
            opened = open_venue(made, WallClock(), PairKeys(pair))
            (item,) = await opened.gateway.instruments(["BTT/USDT"])
            facts = StillFacts(bystander)
            runs = (opened.gateway.run(facts), opened.feed([item]).run(facts))
            tasks = [asyncio.create_task(run) for run in runs]
            try:
                await facts.connected(Stream.PRIVATE)
                await facts.until(lambda: facts.of(BookSnapshot))
                yield Desk(opened, item, facts), venue
            finally:
                for task in tasks:
                    await ended(task)
                await opened.gateway.close()
                await venue.stop()


def losses(ours: Desk) -> list[Any]:
    return [*ours.facts.of(Disconnected), *ours.facts.of(BookLost)]


def undisturbed(ours: Desk) -> AbstractContextManager[None]:
    """A machine that stands still loses every connection; what is asserted inside is no finding."""
    assert isinstance(ours.facts, StillFacts)
    return ours.facts.bystander.undisturbed(0.0)


async def opened_times(venue: LoopbackVenue, times: int) -> None:
    await until(lambda: venue.server.connections >= times, f"connection {times}")


async def agrees(ours: Desk, venue: LoopbackVenue) -> None:
    """The engine's book becomes the venue's own, once the last change has come through."""
    truth = venue.exchange.markets[SYMBOL].snapshot(5)
    item = ours.item
    bids = [(item.ticks(price), item.lots(size)) for price, size in truth["bids"]]
    await until(lambda: ours.book().levels(Side.BUY, 3)[:1] == bids[:1])


async def test_x02_connections_at_the_end_of_their_life_are_followed_without_a_gap() -> None:
    async with desk(connection_life_s=2.0) as (ours, venue):
        await opened_times(venue, 8)
        with undisturbed(ours):
            assert losses(ours) == []
            assert len(ours.facts.of(BookSnapshot)) == 1
            assert len(ours.facts.of(Connected)) == 2
        report = await ours.place(Side.BUY, 60)
        assert report.state is OrderState.OPEN
        await agrees(ours, venue)
        await until(lambda: len(venue.delivery.wires()) <= 4)


async def test_x02_an_announced_shutdown_is_left_before_it_comes() -> None:
    async with desk() as (ours, venue):
        before = venue.server.connections
        for wire in venue.delivery.wires():
            wire.push(Frame(SHUTDOWN))
        await opened_times(venue, before + 2)
        await until(lambda: len(venue.delivery.wires()) == 2)
        with undisturbed(ours):
            assert losses(ours) == []
        await ours.place(Side.BUY, 60)
        await agrees(ours, venue)


async def test_trades_are_told_once_while_one_connection_follows_another() -> None:
    async with desk(connection_life_s=1.5) as (ours, venue):
        while venue.server.connections < 8:
            await ours.place(Side.BUY, 64, lots=2_000_000, post_only=False)
            await asyncio.sleep(0.2)
        told = [fact.trade_id for fact in ours.facts.of(Trade)]
        assert told == sorted(set(told))
        with undisturbed(ours):
            assert told == list(range(told[0], told[0] + len(told)))


async def test_o26_without_its_session_cancels_go_over_rest_and_new_orders_wait() -> None:
    async with desk() as (ours, venue):
        resting = await ours.place(Side.BUY, 60)
        await ours.place(Side.BUY, 59)
        venue.faults.inject("P01", fills=0)
        await ours.facts.until(
            lambda: any(fact.stream is Stream.PRIVATE for fact in ours.facts.of(Disconnected))
        )
        (failed,) = await ours.gateway.execute(ours.order(Side.BUY, 58))
        assert isinstance(failed, OrderFailed)
        assert (failed.failure, failed.code) == (Failure.TRANSIENT, "no channel")
        (gone,) = await ours.gateway.execute(
            Cancel(market=MARKET, client_id=resting.client_id, at_ns=0)
        )
        assert isinstance(gone, OrderReport)
        assert gone.state is OrderState.CANCELED
        assert isinstance(await ours.query("b1-none"), OrderAbsent)
        *_, done = await ours.gateway.execute(CancelAll(market=MARKET, at_ns=0))
        assert isinstance(done, AllCanceled)
        assert done.count == 1
        assert venue.state().open_orders == []
        venue.faults.heal("P01")


async def test_o26_without_rest_orders_and_reconciliations_go_over_the_session() -> None:
    async with desk(rest=True) as (ours, venue):
        venue.proxy.refuses = True
        venue.proxy.cut()
        report = await ours.place(Side.BUY, 60)
        state = (await ours.gateway.execute(Reconcile(market=MARKET, trade_id_from=0, at_ns=0)))[0]
        assert isinstance(state, VenueState), state
        assert [each.client_id for each in state.open_orders] == [report.client_id]


async def test_a_request_before_there_is_a_session_never_left() -> None:
    pair = new_ed25519("ours")
    options = NativeOptions(
        name="venue", exchange="binance", urls={"private": "http://127.0.0.1:9"}
    )
    opened = open_venue(options, WallClock(), PairKeys(pair))
    async with desk(pair) as (ours, _):
        opened.gateway._session.instruments |= {MARKET: ours.item}
        (failed,) = await opened.gateway.execute(ours.order(Side.BUY, 60))
        assert isinstance(failed, OrderFailed)
        assert failed.failure is Failure.TRANSIENT
        (kept,) = await opened.gateway.execute(Cancel(market=MARKET, client_id="b1-1", at_ns=0))
        assert isinstance(kept, CancelFailed)
        assert kept.failure is Failure.TRANSIENT
    await opened.gateway.close()


@pytest.mark.parametrize("how", ["cut", "hang"])
async def test_o10_a_cancel_without_an_answer_is_unknown(how: str) -> None:
    async with desk(request_timeout_ms=1000) as (ours, venue):
        resting = await ours.place(Side.BUY, 60)
        venue.faults.inject("O02", on="cancel", how=how)
        (failed,) = await ours.gateway.execute(
            Cancel(market=MARKET, client_id=resting.client_id, at_ns=0)
        )
        assert isinstance(failed, CancelFailed)
        assert failed.failure is Failure.UNKNOWN
        query = QueryOrder(market=MARKET, client_id=resting.client_id, at_ns=0)
        (found,) = await ours.gateway.execute(query)
        assert isinstance(found, OrderReport)
        assert found.state is OrderState.CANCELED


async def test_a_session_that_answers_again_takes_new_orders_again() -> None:
    async with desk(request_timeout_ms=1000) as (ours, venue):
        venue.faults.inject("O02", on="place", how="hang")
        (failed,) = await ours.gateway.execute(ours.order(Side.BUY, 60))
        assert isinstance(failed, OrderFailed)
        assert (failed.failure, failed.code) == (Failure.UNKNOWN, "timeout")
        socket = ours.gateway._session.socket
        await until(lambda: socket.is_healthy)
        with undisturbed(ours):
            assert ours.facts.of(Disconnected) == []
        await ours.place(Side.BUY, 59)


class Broken:
    def put(self, event: object) -> None:
        raise ZeroDivisionError("ours")


async def test_a_fault_of_our_own_is_no_lost_connection() -> None:
    async with desk() as (ours, _):
        opened = ours.venue
        assert isinstance(opened, NativeVenue)

        class Trap(Broken):
            def put(self, event: object) -> None:
                if not isinstance(event, Connected | Disconnected):
                    super().put(event)

        with pytest.raises(BaseExceptionGroup) as caught:
            async with in_time("the fault"):
                await opened.feed([ours.item]).run(Trap())
        assert caught.group_contains(ZeroDivisionError)


class Pinger(WSListener):
    """A server that pings at once, and cuts a message into two frames."""

    heard: list[bytes]

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.heard = []
        transport.send_ping(b"1700000000123")
        transport.send(WSMsgType.TEXT, b'{"half":', False)
        transport.send(WSMsgType.CONTINUATION, b'"half"}')

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PONG:
            self.heard.append(frame.get_payload_as_bytes())
        if frame.msg_type == WSMsgType.TEXT:
            transport.disconnect(False)


async def test_pings_are_answered_in_kind_and_split_messages_are_joined() -> None:
    listener = Pinger()
    server = await ws_create_server(lambda request: listener, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clock, frames = WallClock(), []
    link = Link(f"ws://127.0.0.1:{port}/", Pulse("venue", Stream.PUBLIC, clock), clock)
    link.tap = lambda frame, at_ns: frames.append((frame, at_ns))
    await link.open()
    await until(lambda: listener.heard and frames)
    assert listener.heard == [b"1700000000123"]
    assert [frame for frame, _ in frames] == [b'{"half":"half"}']
    link.send(b"cut me")
    with pytest.raises(LinkLost, match="connection lost"):
        await link.watch()
    assert not link.is_open
    server.close()
    await server.wait_closed()


async def test_a_venue_that_is_not_there_is_a_lost_link() -> None:
    clock = WallClock()
    link = Link("ws://127.0.0.1:9/", Pulse("venue", Stream.PUBLIC, clock), clock)
    with pytest.raises(LinkLost, match="could not connect"):
        await link.open()


NO_CCXT = """
import asyncio, sys, time
from types import SimpleNamespace
from adapters.loopback.config import VenueConfig, atoms, btt_usdt
from adapters.loopback.keys import new_ed25519
from adapters.loopback.venue import LoopbackVenue
from engine.cli.adapters import adapter_of
from engine.cli.assemble import running
from engine.cli.demo_venue import flat
from engine.runtime.config import VenueConfig as Table
async def main():
    pair = new_ed25519("ours")
    money = {"ours": {"BTT": atoms("1000"), "USDT": atoms("10")}}
    venue = LoopbackVenue(VenueConfig(symbols=[btt_usdt()], keys=[pair.key], balances=money), {})
    await venue.start()
    hidden = lambda text: SimpleNamespace(reveal=lambda: text)
    keys = SimpleNamespace(api_key=hidden(pair.key.api_key), secret=hidden(pair.secret))
    adapter = adapter_of(Table(name="v", adapter="native", exchange="binance"))
    options = adapter.OPTIONS(name="v", exchange="binance", urls=flat(venue.urls()))
    opened = adapter.open_venue(options, SimpleNamespace(now_ns=time.time_ns), keys)
    (item,) = await opened.gateway.instruments(["BTT/USDT"])
    facts = []
    inbox = SimpleNamespace(put=facts.append)
    runs = [opened.gateway.run(inbox), opened.feed([item]).run(inbox)]
    tasks = [asyncio.ensure_future(run) for run in runs]
    while len([fact for fact in facts if type(fact).__name__ == "Connected"]) < 2:
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await opened.gateway.close()
    await venue.stop()
asyncio.run(asyncio.wait_for(main(), 120))
assert "picows" in sys.modules
print(*[name for name in sys.modules if name.split(".")[0] == "ccxt"])
"""


def test_the_native_way_never_imports_ccxt() -> None:
    command = [sys.executable, "-c", NO_CCXT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("pair", [new_hmac("ours"), new_ed25519("ours")], ids=["hmac", "ed25519"])
def test_a_signer_shows_no_key(pair: KeyPair) -> None:
    signer = Signer(PairKeys(pair))
    assert signer.can_log_on is bool(pair.key.ed25519_public)
    assert pair.secret not in repr(signer)
    assert pair.key.api_key not in repr(signer)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"exchange": "kraken"}, "binance"),
        ({"connection_life_s": 90_000.0}, "connection_life_s"),
        ({"recv_window_ms": 2000}, "recv_window_ms"),
        ({"urls": {"ws.spto": "ws://127.0.0.1:1"}}, "ws.spto"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        NativeOptions(**{"name": "venue", "exchange": "binance", **wrong})


async def test_an_unknown_symbol_and_a_missing_key_are_the_users_mistakes() -> None:
    async with desk() as (ours, _):
        with pytest.raises(UserError, match="has no market DOGE/USDT"):
            await ours.gateway.instruments(["DOGE/USDT"])
        with pytest.raises(UserError, match="has no market DOGE/USDT"):
            await ours.gateway.instruments(["BTT/USDT", "DOGE/USDT"])
        assert isinstance(ours.venue, NativeVenue)
        keyless = open_venue(ours.venue.options, WallClock(), None)
        with pytest.raises(UserError, match="needs a key"):
            await keyless.gateway.instruments(["BTT/USDT"])
        await keyless.gateway.close()
