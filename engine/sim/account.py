"""Our account at a simulated venue: orders in the recorded market, money, and the venue's word.

It keeps its own ledger and shares nothing with the engine's. Every fact carries the venue's moment;
the driver stamps it anew when it arrives.
"""

from collections.abc import Iterable
from itertools import count
from typing import assert_never

from engine.sim.account_orders import (
    US,
    Order,
    absent,
    exponents_of,
    failed,
    new_order,
    too_many,
)
from engine.sim.matching.queue import QueueModel
from engine.sim.matching.shadow import ShadowBook
from engine.sim.matching.terms import Match, Outcome
from engine.sim.venue_terms import OrderWindows, Terms, Turnover
from engine.values.commands import Amend, Cancel, CancelAll, Command, Place, QueryOrder, Reconcile
from engine.values.errors import Failure
from engine.values.events import (
    AllCanceled,
    Balance,
    BookDelta,
    BookSnapshot,
    CancelFailed,
    Event,
    Fill,
    OrderReport,
    OrderState,
    Trade,
    VenueState,
)
from engine.values.instrument import Instrument
from engine.values.units import PPM, Atoms, Lot, Ns, Ppm, Side

NO_TERMS = Terms()


class Account:
    """Some markets of one venue. `opening` holds atoms by asset, in the finest exponent of each.

    Fees are taken from what is received, by `terms` or else as the instrument says, rounded up:
    never flattering. All that is traded for one quote asset counts for the tier of its markets.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        opening: dict[str, Atoms],
        model: QueueModel,
        terms: Terms = NO_TERMS,
    ) -> None:
        self.instruments = {each.market: each for each in instruments}
        self.books = {market: ShadowBook(model) for market in self.instruments}
        self.orders: dict[str, Order] = {}
        self.fills: dict[str, list[Fill]] = {market: [] for market in self.instruments}
        self.exponents = exponents_of(self.instruments.values())
        self.atoms = {asset: opening.get(asset, 0) for asset in self.exponents}
        self._open: dict[str, dict[int, Order]] = {market: {} for market in self.instruments}
        self._ids = count(1)
        self._trade_ids = count(1)
        self._windows = OrderWindows(terms.limits)
        quotes = {each.quote for each in self.instruments.values()} if terms.tiers else set()
        self._turnovers = {
            quote: Turnover(terms, 10 ** self.exponents[quote]) for quote in sorted(quotes)
        }

    def __repr__(self) -> str:
        return f"<account {self.atoms} {len(self.open_orders())} open>"

    # --- the market moves -----------------------------------------------------------------------

    def public(self, fact: Event, now_ns: Ns) -> list[Event]:
        """Move the recorded market; returns what it did to our orders, in order."""
        match fact:
            case BookDelta() if fact.market in self.books:
                book = self.books[fact.market]
                matches = book.apply_public(fact.bids, fact.asks, False)
            case BookSnapshot() if fact.market in self.books:
                book = self.books[fact.market]
                matches = book.apply_public(fact.bids, fact.asks, True)
            case Trade() if fact.market in self.books:
                book = self.books[fact.market]
                matches = book.public_trade(fact.tick, fact.lots, fact.aggressor)
            case _:
                return []
        return self.matched(fact.market, matches, now_ns) if matches else []

    def matched(self, market: str, matches: Iterable[Match], now_ns: Ns) -> list[Event]:
        """Move what these matches in the book of a market filled; returns what to tell us of it."""
        facts: list[Event] = []
        for match in matches:
            for order_id, is_maker in ((match.maker_id, True), (match.taker_id, False)):
                order = self._open[market].get(order_id)
                if order is not None:
                    facts += self._filled(order, match, is_maker, now_ns)
        return facts

    # --- our requests ---------------------------------------------------------------------------

    def execute(self, command: Command, now_ns: Ns) -> list[Event]:
        """Do it as of now and answer."""
        match command:
            case Place():
                return self._place(command, now_ns)
            case Cancel():
                return self._cancel(command, now_ns)
            case Amend():
                gone = Cancel(market=command.market, client_id=command.client_id, at_ns=now_ns)
                return [*self._cancel(gone, now_ns), *self._place(command.replacement, now_ns)]
            case CancelAll():
                mine = self.open_orders(command.market)
                ended: list[Event] = [self._end(each, now_ns) for each in mine]
                told = AllCanceled(market=command.market, at_ns=now_ns, count=len(mine))
                return [*ended, told]
            case QueryOrder():
                order = self.orders.get(command.client_id)
                return [order.report(now_ns) if order else absent(command, now_ns)]
            case Reconcile():
                return [self._state(command, now_ns)]
            case _:
                assert_never(command)

    def open_orders(self, market: str = "") -> list[Order]:
        """Oldest first; "" for all markets."""
        markets = [market] if market else list(self._open)
        return [order for name in markets for order in self._open[name].values()]

    def balances(self) -> list[Balance]:
        locked = dict.fromkeys(self.atoms, 0)
        for order in self.open_orders():
            asset, atoms = self._needed(order.place, order.left_lots)
            locked[asset] += atoms
        return [
            Balance(asset=asset, free_atoms=atoms - locked[asset], locked_atoms=locked[asset])
            for asset, atoms in self.atoms.items()
        ]

    def base_atoms(self, market: str) -> Atoms:
        """All of a market's base asset, free and locked, in that market's own exponent."""
        item = self.instruments[market]
        return self.atoms[item.base] // self._finer(item, item.base)

    def check(self) -> None:
        """Raise AssertionError where orders, book and money disagree."""
        for market, book in self.books.items():
            book.check()
            theirs = {resting.order_id: resting.lots_left for resting in book.orders_of(US)}
            ours = {order.order_id: order.left_lots for order in self.open_orders(market)}
            assert ours == theirs, "open orders"
        assert all(each.free_atoms >= 0 for each in self.balances()), "more locked than there is"

    # --- how ------------------------------------------------------------------------------------

    def _place(self, place: Place, now_ns: Ns) -> list[Event]:
        assert place.client_id not in self.orders, f"client id {place.client_id} came twice"
        rest_ns, limit = self._windows.rest_ns(now_ns)
        if rest_ns:
            return [too_many(place, now_ns, limit, rest_ns)]
        self._windows.add(now_ns)
        if refusal := self._refusal(place):
            return [failed(place, now_ns, refusal)]
        order = Order(
            order_id=next(self._ids),
            place=place,
            filled_lots=0,
            state=OrderState.OPEN,
            update_ns=now_ns,
        )
        outcome = self.books[place.market].submit(new_order(order))
        if outcome.rejected:
            return [failed(place, now_ns, "-2010 would cross")]
        self.orders[place.client_id] = self._open[place.market][order.order_id] = order
        return [order.report(now_ns), *self._came_of(outcome, order, now_ns)]

    def _came_of(self, outcome: Outcome, order: Order, now_ns: Ns) -> list[Event]:
        """What a new order took, and whether the rest of it was expired."""
        facts = self.matched(order.place.market, outcome.matches, now_ns)
        if order.is_open and not outcome.rested_lots:
            facts.append(self._end(order, now_ns, OrderState.EXPIRED))
        return facts

    def _refusal(self, place: Place) -> str:
        item = self.instruments[place.market]
        if not item.lots_min <= place.lots <= item.lots_max:
            return "-1013 LOT_SIZE"
        if item.quote_atoms(place.tick, place.lots) < item.notional_min:
            return "-1013 NOTIONAL"
        asset, needed = self._needed(place, place.lots)
        for order in self.open_orders():
            locked_in, atoms = self._needed(order.place, order.left_lots)
            needed += atoms if locked_in == asset else 0
        return "" if needed <= self.atoms[asset] else "-2010 insufficient balance"

    def _needed(self, place: Place, lots: Lot) -> tuple[str, Atoms]:
        """The asset that an order locks and how much of it."""
        item = self.instruments[place.market]
        if place.side is Side.BUY:
            return item.quote, item.quote_atoms(place.tick, lots) * self._finer(item, item.quote)
        return item.base, item.base_atoms(lots) * self._finer(item, item.base)

    def _finer(self, item: Instrument, asset: str) -> int:
        own = item.base_exponent if asset == item.base else item.quote_exponent
        return int(10 ** (self.exponents[asset] - own))

    def _cancel(self, command: Cancel, now_ns: Ns) -> list[Event]:
        order = self.orders.get(command.client_id)
        if order is None or not order.is_open:
            return [
                CancelFailed(
                    market=command.market,
                    client_id=command.client_id,
                    at_ns=now_ns,
                    failure=Failure.REJECTED,
                    code="-2011",
                    text="unknown order",
                )
            ]
        return [self._end(order, now_ns)]

    def _end(
        self, order: Order, now_ns: Ns, state: OrderState = OrderState.CANCELED
    ) -> OrderReport:
        """An order that is expired has left the book already; a cancelled one leaves it now."""
        market = order.place.market
        self.books[market].cancel(order.order_id)
        del self._open[market][order.order_id]
        order.state, order.update_ns = state, now_ns
        return order.report(now_ns)

    def _filled(self, order: Order, match: Match, is_maker: bool, now_ns: Ns) -> list[Event]:
        order.filled_lots += match.lots
        order.update_ns = now_ns
        order.state = OrderState.PARTIAL
        if not order.left_lots:
            order.state = OrderState.FILLED
            del self._open[order.place.market][order.order_id]
        fill = self._fill(order, match, is_maker, now_ns)
        self.fills[fill.market].append(fill)
        return [order.report(now_ns), fill]

    def _fill(self, order: Order, match: Match, is_maker: bool, now_ns: Ns) -> Fill:
        """Move the money of one match."""
        place = order.place
        item = self.instruments[place.market]
        base, quote = item.flows(place.side, match.tick, match.lots)
        asset, got = (item.base, base) if place.side is Side.BUY else (item.quote, quote)
        fee = -(-got * self._rate(item, abs(quote), is_maker, now_ns) // PPM)
        self.atoms[item.base] += base * self._finer(item, item.base)
        self.atoms[item.quote] += quote * self._finer(item, item.quote)
        self.atoms[asset] -= fee * self._finer(item, asset)
        return Fill(
            market=place.market,
            client_id=place.client_id,
            venue_id=str(order.order_id),
            trade_id=next(self._trade_ids),
            at_ns=now_ns,
            venue_ns=now_ns,
            side=place.side,
            tick=match.tick,
            lots=match.lots,
            fee_atoms=fee,
            fee_asset=asset,
            is_maker=is_maker,
        )

    def _rate(self, item: Instrument, paid: Atoms, is_maker: bool, now_ns: Ns) -> Ppm:
        """The fee of one fill, which counts in the turnover of the days to come."""
        turnover = self._turnovers.get(item.quote)
        if turnover is None:
            return item.maker_fee_ppm if is_maker else item.taker_fee_ppm
        tier = turnover.tier(now_ns)
        turnover.add(now_ns, paid * self._finer(item, item.quote))
        return tier.maker_ppm if is_maker else tier.taker_ppm

    def _state(self, command: Reconcile, now_ns: Ns) -> VenueState:
        mine = [
            each for each in self.fills[command.market] if each.trade_id > command.trade_id_from
        ]
        return VenueState(
            market=command.market,
            asked_ns=command.at_ns,
            at_ns=now_ns,
            open_orders=[order.report(now_ns) for order in self.open_orders(command.market)],
            fills=mine,
            balances=self.balances(),
        )
