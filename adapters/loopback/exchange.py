"""The venue itself, without a wire: orders in, answers and events out, time in the arguments."""

from collections.abc import Callable

import msgspec

from adapters.loopback import filters, refusals
from adapters.loopback.accounts import Accounts
from adapters.loopback.config import VenueConfig
from adapters.loopback.market import Market
from adapters.loopback.orders import Fill, Order, OrderStore, Status
from adapters.loopback.outbox import Outbox
from adapters.loopback.settlement import Settlement
from engine.sim.matching.book import MatchingBook
from engine.sim.matching.flow import Flow
from engine.sim.matching.shadow import ShadowBook
from engine.sim.matching.terms import (
    ENDED_MARKET,
    CancelOf,
    Ended,
    Kind,
    Match,
    NewOrder,
    Outcome,
    SelfTrade,
    TimeInForce,
)
from engine.values.units import Atoms, Lot, Ns, Side, Tick

_CATCH_UP_NS = 1_000_000_000
_OUTSIDER = "~fault"


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it was asked for; sizes and prices in units of 1e-8."""

    symbol: str
    side: Side
    kind: Kind
    tif: TimeInForce
    price_atoms: Atoms
    size_atoms: Atoms
    quote_atoms: Atoms = 0
    client_id: str = ""
    self_trade: SelfTrade


class Exchange:
    """Markets and accounts. Every act leaves money conserved; `check` proves it."""

    def __init__(
        self,
        config: VenueConfig,
        ids: Callable[[], int],
        recorded: dict[str, ShadowBook] | None = None,
    ) -> None:
        self.config = config
        self.outbox = Outbox()
        self.accounts = Accounts(config.balances)
        self.store = OrderStore()
        self.settlement = Settlement(self.accounts, self.store, self.outbox)
        books = recorded or {}
        self.markets = {
            spec.symbol: Market(spec, books.get(spec.symbol, MatchingBook()), self.outbox)
            for spec in config.symbols
        }
        self.counters = {"placed": 0, "canceled": 0, "refused": 0, "cancel_refused": 0}
        self._ids = ids
        self._generated = 0

    def open_market(self, symbol: str, flow: Flow, now_ns: Ns) -> None:
        """Let a flow's traders fill the book and go on from there."""
        market = self.markets[symbol]
        market.flow, market.flow_ns = flow, flow.next_ns(now_ns)
        for act in flow.opening():
            self._act(market, act, now_ns)

    def market(self, symbol: str) -> Market:
        market = self.markets.get(symbol)
        if market is None:
            raise refusals.bad_symbol()
        return market

    def advance(self, now_ns: Ns) -> None:
        """Let the other traders act and send what is due, up to this moment."""
        for market in self.markets.values():
            if market.flow is not None:
                self._let_trade(market, market.flow, now_ns)
            market.flush(now_ns)

    def next_ns(self, now_ns: Ns) -> Ns:
        """When `advance` should be called again at the latest."""
        dues = [now_ns + _CATCH_UP_NS]
        for market in self.markets.values():
            dues.append(market.next_ns())
            dues += [market.flow_ns] if market.flow else []
        return min(dues)

    def check_ticket(self, account: str, ticket: Ticket) -> Market:
        """All that is checked before money is: filters, post-only, a client id in use."""
        market = self.market(ticket.symbol)
        wanted = filters.Wanted(
            side=ticket.side,
            kind=ticket.kind,
            price_atoms=ticket.price_atoms,
            size_atoms=ticket.size_atoms,
            quote_atoms=ticket.quote_atoms,
        )
        open_count = len(self.store.open_orders(account, ticket.symbol))
        filters.check(market.spec, wanted, market.reference(), open_count)
        if ticket.client_id and self.store.is_open_id(account, ticket.symbol, ticket.client_id):
            raise refusals.duplicate_order()
        if ticket.kind is Kind.LIMIT_MAKER and _crosses(market, ticket):
            raise refusals.would_match()
        return market

    def place(self, account: str, ticket: Ticket, now_ns: Ns) -> tuple[Order, list[Fill]]:
        """Raises Refusal where nothing happened. The order returned is the venue's own record."""
        try:
            market = self.check_ticket(account, ticket)
            order = self._order_of(market, account, ticket, now_ns)
            asset, locked = self._cost_of(market, order)
            self.accounts[account].lock(asset, locked)
        except refusals.Refusal:
            self.counters["refused"] += 1
            raise
        order.locked_atoms = locked
        self.counters["placed"] += 1
        self.store.add(order)
        self.settlement.report(market, order, "NEW", now_ns)
        first = self.store.fill_count(account)
        outcome = self._submit(market, order)
        self.settlement.settle(market, outcome, now_ns)
        fills = self.store.fills_after(account, first)
        return order, [fill for fill in fills if fill.order_id == order.order_id]

    def cancel(self, order: Order | None, cancel_client_id: str, now_ns: Ns) -> Order:
        """Raises Refusal -2011 where there is no such open order."""
        if order is None or not order.is_open:
            self.counters["cancel_refused"] += 1
            raise refusals.unknown_cancel()
        market = self.markets[order.symbol]
        market.book.cancel(order.order_id)
        self.counters["canceled"] += 1
        order.cancel_client_id = cancel_client_id or self.generated_id()
        self.settlement.close(market, order, Status.CANCELED, now_ns)
        self.settlement.report(market, order, "CANCELED", now_ns)
        market.announce_book(now_ns)
        return order

    def force_fill(self, order: Order, lots: Lot, now_ns: Ns) -> None:
        """Somebody takes this very order, wherever it stands in the queue: for fault scripts."""
        market = self.markets[order.symbol]
        lots = min(lots, order.lots_left)
        if lots == order.lots_left:
            market.book.cancel(order.order_id)
        else:
            market.book.reduce(order.order_id, lots)
        match = Match(
            maker_id=order.order_id,
            maker_owner=order.account,
            taker_id=0,
            taker_owner=_OUTSIDER,
            tick=order.tick,
            lots=lots,
            aggressor=order.side.opposite,
            maker_left_lots=order.lots_left - lots,
            taker_left_lots=0,
        )
        self.settlement.match(market, match, now_ns)
        market.announce_trades(1, now_ns)
        market.announce_book(now_ns)

    def generated_id(self) -> str:
        """A client id for those who sent none."""
        self._generated += 1
        return f"loopback{self.config.seed}-{self._generated}"

    def check(self) -> None:
        """Raise AssertionError where money, locks or books disagree with the orders."""
        self.accounts.check()
        for name in self.accounts.names():
            locked: dict[str, Atoms] = {}
            for order in self.store.open_orders(name):
                market = self.markets[order.symbol]
                asset, needed = market.scale.needed(order.side, order.tick, order.lots_left)
                assert order.locked_atoms == needed, order
                locked[asset] = locked.get(asset, 0) + needed
            held = {a: v for a, v in self.accounts[name].locked.items() if v}
            assert held == {a: v for a, v in locked.items() if v}, (held, locked)

    def _let_trade(self, market: Market, flow: Flow, now_ns: Ns) -> None:
        assert isinstance(market.book, MatchingBook), market
        market.flow_ns = max(market.flow_ns, now_ns - _CATCH_UP_NS)
        while market.flow_ns <= now_ns:
            at_ns = market.flow_ns
            market.flush(at_ns)
            for act in flow.step(at_ns, market.book):
                self._act(market, act, at_ns)
            market.flow_ns = flow.next_ns(at_ns)

    def _act(self, market: Market, act: NewOrder | CancelOf, now_ns: Ns) -> None:
        if isinstance(act, CancelOf):
            market.book.cancel(act.order_id)
            market.announce_book(now_ns)
        else:
            self.settlement.settle(market, market.book.submit(act), now_ns)

    def _order_of(self, market: Market, account: str, ticket: Ticket, now_ns: Ns) -> Order:
        lots = ticket.size_atoms // market.scale.lot_atoms
        return Order(
            order_id=self._ids(),
            account=account,
            symbol=ticket.symbol,
            client_id=ticket.client_id or self.generated_id(),
            side=ticket.side,
            kind=ticket.kind,
            tif=ticket.tif,
            tick=ticket.price_atoms // market.scale.tick_atoms,
            lots=lots or _lots_for(market, ticket),
            self_trade=ticket.self_trade,
            created_ns=now_ns,
            updated_ns=now_ns,
            quote_wanted_atoms=ticket.quote_atoms,
        )

    def _cost_of(self, market: Market, order: Order) -> tuple[str, Atoms]:
        """What to lock. A market buy locks as if all of it cost the worst price it needs."""
        if order.kind is not Kind.MARKET or order.side is Side.SELL:
            return market.scale.needed(order.side, order.tick, order.lots)
        return market.scale.needed(order.side, _worst_tick(market, order), order.lots)

    def _submit(self, market: Market, order: Order) -> Outcome:
        """A market buy goes as a limit at the worst price that it locked money for."""
        worst = 0
        if order.kind is Kind.MARKET and order.side is Side.BUY:
            worst = _worst_tick(market, order)
            if not worst:
                return _nothing_to_take(order)
        kind, tif = (Kind.LIMIT, TimeInForce.IOC) if worst else (order.kind, order.tif)
        outcome = market.book.submit(
            NewOrder(
                order_id=order.order_id,
                owner=order.account,
                side=order.side,
                tick=worst or order.tick,
                lots=order.lots,
                kind=kind,
                tif=tif,
                self_trade=order.self_trade,
            )
        )
        assert not outcome.rejected, outcome
        return outcome


def _crosses(market: Market, ticket: Ticket) -> bool:
    bid, _, ask, _ = market.book.top()
    tick = ticket.price_atoms // market.scale.tick_atoms
    return bool(ask and tick >= ask) if ticket.side is Side.BUY else bool(bid and tick <= bid)


def _lots_for(market: Market, ticket: Ticket) -> Lot:
    """How many lots a quoteOrderQty buys or sells at the prices in the book."""
    lots, left = 0, ticket.quote_atoms
    for tick, shown in market.book.levels(ticket.side.opposite):
        fits = min(shown, left // market.scale.quote_atoms(tick, 1))
        lots += fits
        left -= market.scale.quote_atoms(tick, fits)
        if fits < shown:
            break
    if not lots:
        raise refusals.filter_failure("LOT_SIZE")
    return lots


def _worst_tick(market: Market, order: Order) -> Tick:
    """The deepest price that a market buy may need, own orders in its way counted; 0 for none."""
    own = sum(r.lots_left for r in market.book.orders_of(order.account) if r.side is Side.SELL)
    left, worst = order.lots + own, 0
    for tick, shown in market.book.levels(Side.SELL):
        worst = tick
        left -= shown
        if left <= 0:
            break
    return worst


def _nothing_to_take(order: Order) -> Outcome:
    ended = Ended(
        order_id=order.order_id, owner=order.account, lots_left=order.lots, reason=ENDED_MARKET
    )
    return Outcome(ended=(ended,))
