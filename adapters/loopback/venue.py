"""A whole venue on 127.0.0.1, to be started inside a process: `await venue.start()`."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from itertools import count

import msgspec
from aiohttp import web

from adapters.loopback import reports
from adapters.loopback.api import Api
from adapters.loopback.config import VenueConfig
from adapters.loopback.delivery import Delivery
from adapters.loopback.exchange import Exchange
from adapters.loopback.faults import Fault, Faults
from adapters.loopback.order_faults import check_options
from adapters.loopback.orders import Fill, Order
from adapters.loopback.recorded import RecordedMarket, Recording, shadow_book
from adapters.loopback.replay import Replay
from adapters.loopback.server import Parts, Server
from adapters.loopback.shaping import check_kind
from adapters.loopback.streams import Hub
from adapters.loopback.tickers import TickerStream
from engine.sim.matching.flow import Flow
from engine.values.units import NS_PER_S, Atoms, Ns

HOST = "127.0.0.1"
_STEP_S_MAX = 0.02
_SHUTDOWN_S = 0.2
_RETRY_S, _REFUSALS_BEFORE_BAN, _BAN_S = "2", "3", "30"


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue itself holds: account -> asset -> (free, locked) atoms, orders, fills."""

    orders: list[Order]
    open_orders: list[Order]
    fills: list[Fill]
    balances: dict[str, dict[str, tuple[Atoms, Atoms]]]
    fees: dict[str, Atoms]
    self_trades: int
    counters: dict[str, int]
    faults: list[tuple[Ns, str, str]]


class LoopbackVenue:
    """`flows` are the other traders by symbol, or a recording; without one a book starts empty.

    `ids` gives order ids: share it with the flows, so that no two orders have the same.
    """

    def __init__(
        self,
        config: VenueConfig,
        flows: dict[str, Flow | Recording],
        *,
        ids: Callable[[], int] | None = None,
        script: list[Fault] | None = None,
        clock: Callable[[], Ns] = time.time_ns,
    ) -> None:
        self._clock = clock
        self._flows = flows
        self._script = script or []
        for fault in self._script:
            check_fault(fault)
        books = {s: shadow_book() for s, f in flows.items() if isinstance(f, Recording)}
        self.exchange = Exchange(config, ids or count(1).__next__, books)
        self.api = Api(self.exchange)
        self._tickers = TickerStream(self.exchange)
        self.faults = Faults(clock)
        self.hub = Hub(self.exchange.outbox.wanted)
        self.delivery = Delivery(self.exchange.outbox, self.hub, self.faults)
        self.server: Server
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.replays: dict[str, Replay] = {}
        self.faults.on_start(self._begin)

    def __repr__(self) -> str:
        return f"<loopback venue {HOST}:{self.port} {', '.join(self.exchange.markets)}>"

    async def start(self, port: int = 0) -> int:
        """Open the markets and listen. Returns the port; OSError where it is taken."""
        parts = Parts(
            api=self.api,
            hub=self.hub,
            delivery=self.delivery,
            faults=self.faults,
            clock=self._clock,
        )
        self.server = Server(parts)
        now_ns = self._clock()
        for symbol, flow in self._flows.items():
            if isinstance(flow, Recording):
                self._open_recording(symbol, flow)
            else:
                self.exchange.open_market(symbol, flow, now_ns)
        self._runner = web.AppRunner(
            self.server.application(), access_log=None, shutdown_timeout=_SHUTDOWN_S
        )
        await self._runner.setup()
        await self._listen(port)
        self.port = self._runner.addresses[0][1]
        self.faults.plan(self._script, now_ns)
        self._tasks.append(asyncio.create_task(self._live(), name="loopback venue"))
        for symbol, replay in self.replays.items():
            act = replay.run(self.hub, self.delivery, self.server.depth_asked, self._clock)
            self._tasks.append(asyncio.create_task(act, name=f"replay {symbol}"))
        return self.port

    async def wait(self) -> None:
        """Return or raise when a part of the venue ends: a capture's end is no such part."""
        await self._tasks[0]

    async def stop(self) -> None:
        """Ends every connection. Raises what the venue itself failed with, if it did."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        if self._runner is not None:
            self.server.stop()
            for wire in self.delivery.wires():
                wire.cut()
            await self._runner.cleanup()

    async def shut(self) -> None:
        """Nobody is answered: connections end and new ones are refused. Its markets live on."""
        assert self._runner is not None
        assert self._runner.server is not None
        if self._site is not None:
            await self._site.stop()
            self._site = None
        for wire in self.delivery.wires():
            wire.cut()
        await self._runner.server.shutdown(_SHUTDOWN_S)

    async def reopen(self) -> None:
        """Listen again at the same address. Raises OSError where it was taken meanwhile."""
        if self._site is None:
            await self._listen(self.port)

    async def _listen(self, port: int) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, HOST, port)
        await self._site.start()

    def urls(self) -> dict[str, object]:
        """What an unmodified ccxt needs: `exchange.urls["api"]` extended by this, deeply."""
        rest, ws = f"http://{HOST}:{self.port}", f"ws://{HOST}:{self.port}"
        return {
            "public": f"{rest}/api/v3",
            "private": f"{rest}/api/v3",
            "v1": f"{rest}/api/v1",
            "sapi": f"{rest}/sapi/v1",
            "sapiV2": f"{rest}/sapi/v2",
            "sapiV3": f"{rest}/sapi/v3",
            "sapiV4": f"{rest}/sapi/v4",
            "fapiPublic": f"{rest}/fapi/v1",
            "fapiPrivate": f"{rest}/fapi/v1",
            "dapiPublic": f"{rest}/dapi/v1",
            "dapiPrivate": f"{rest}/dapi/v1",
            "ws": {"spot": f"{ws}/ws", "margin": f"{ws}/ws", "ws-api": {"spot": f"{ws}/ws-api/v3"}},
        }

    def state(self) -> Truth:
        """A checker's truth, read at once: nothing happens in between."""
        accounts, store = self.exchange.accounts, self.exchange.store
        names = accounts.names()
        calls = {f"call {name}": times for name, times in self.api.counters.items()}
        return Truth(
            orders=[copy(order) for order in store.by_id.values()],
            open_orders=[copy(order) for name in names for order in store.open_orders(name)],
            fills=[fill for name in names for fill in store.fills_of(name)],
            balances={
                name: {
                    asset: (accounts[name].free[asset], accounts[name].locked.get(asset, 0))
                    for asset in accounts[name].free
                }
                for name in names
            },
            fees=dict(accounts.fees),
            self_trades=self.exchange.settlement.self_trades,
            counters=calls | self.exchange.counters | self.api.limiter.counters,
            faults=list(self.faults.log),
        )

    def move(self, account: str, asset: str, amount: Atoms) -> None:
        """A deposit, or a withdrawal where it is below 0. Raises Refusal where it is not free."""
        accounts, now_ns = self.exchange.accounts, self._clock()
        accounts.move(account, asset, amount)
        accounts[account].updated_ns = now_ns
        shown = reports.position(accounts[account], [asset], now_ns)
        self.exchange.outbox.tell(account, shown)
        self.delivery.deliver()

    def _open_recording(self, symbol: str, recording: Recording) -> None:
        market = RecordedMarket(self.exchange, symbol)
        market.open(recording.lines)
        self.replays[symbol] = Replay(market, recording, symbol)

    async def _live(self) -> None:
        """Let time pass: faults begin and end, traders act, frames leave."""
        while True:
            now_ns = self._clock()
            self.faults.advance(now_ns)
            self._follow_silence()
            self.exchange.advance(now_ns)
            self._tickers.advance(now_ns)
            self.delivery.deliver()
            wait_s = (self.exchange.next_ns(now_ns) - self._clock()) / NS_PER_S
            await asyncio.sleep(min(max(wait_s, 0.0), _STEP_S_MAX))

    def _follow_silence(self) -> None:
        """F10: close or open every gate as the fault says."""
        is_silent = self.faults.is_on("F10")
        if is_silent == (not self.server.gate.is_set()):
            return
        if is_silent:
            self.server.gate.clear()
        else:
            self.server.gate.set()
        for wire in self.delivery.wires():
            if is_silent:
                wire.freeze()
            else:
                wire.thaw()

    def _begin(self, fault: Fault) -> None:
        """What happens at the very moment when a fault begins."""
        check_fault(fault)
        match fault.fault_id:
            case "F10":
                self.faults.strike("F10", "", "silence")
                self._follow_silence()
            case "F04":
                for market in self.exchange.markets.values():
                    market.freeze()
            case "O15":
                self.faults.strike("O15", "", "429")
                self.api.limiter.refuse(
                    self._clock(),
                    retry_s=int(fault.option("retry", _RETRY_S)),
                    refusals_before_ban=int(fault.option("before_ban", _REFUSALS_BEFORE_BAN)),
                    ban_s=int(fault.option("ban", _BAN_S)),
                )
            case "P01":
                self._cut_private(fault)
            case _:
                pass

    def _cut_private(self, fault: Fault) -> None:
        """P01: end the private streams, then let somebody take open orders."""
        self.faults.strike("P01", "", "cut")
        self.delivery.cut_private()
        for name in self.exchange.accounts.names():
            if fault.option("account", name) != name:
                continue
            for order in self.exchange.store.open_orders(name)[: fault.number("fills", 1)]:
                self.exchange.force_fill(order, order.lots_left, self._clock())
        self.delivery.deliver()


def check_fault(fault: Fault) -> None:
    """Raises UserError for an option whose value names nothing."""
    check_options(fault)
    check_kind(fault.option("kind", ""))
