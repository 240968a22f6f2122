"""A venue with its own ledger, in plain integers. It shares the matching core with the engine's
simulator and nothing else: what it says of orders, fills and money is the truth of a test.
"""

from collections.abc import Callable

import msgspec

from engine.sim.market import SyntheticMarket
from engine.sim.market_presets import BTT_THIN
from engine.sim.matching.book import MatchingBook
from engine.sim.matching.terms import CancelOf, Kind, NewOrder, TimeInForce
from engine.values.events import (
    Balance,
    BookDelta,
    BookSnapshot,
    Fill,
    OrderReport,
    OrderState,
    TopOfBook,
    Trade,
)
from engine.values.instrument import Instrument
from engine.values.units import Side

US, BY_HAND = "us", "by hand"
BASE_ATOMS = 10**8
FEE_PPM = 1000
BTT = Instrument(
    symbol="BTT/USDT",
    venue="loopback",
    venue_symbol="BTTUSDT",
    base="BTT",
    quote="USDT",
    price_exponent=8,
    tick=1,
    size_exponent=0,
    lot=1,
    maker_fee_ppm=FEE_PPM,
    taker_fee_ppm=FEE_PPM,
    notional_min=10**8,
)
MARKET = BTT.market


class Violated(AssertionError):
    """An invariant does not hold; the text names it."""


class Row:
    """One order as the venue keeps it."""

    def __init__(self, order_id, client_id, order, now_ns):
        self.order_id, self.client_id, self.order = order_id, client_id, order
        self.lots, self.filled, self.state = order.lots, 0, OrderState.OPEN
        self.accepted_ns = self.update_ns = now_ns

    @property
    def is_open(self):
        return self.state in (OrderState.OPEN, OrderState.PARTIAL)

    @property
    def left(self):
        return self.lots - self.filled

    def report(self, now_ns, reason=""):
        return OrderReport(
            market=MARKET,
            client_id=self.client_id,
            venue_id=str(self.order_id),
            at_ns=now_ns,
            update_ns=self.update_ns,
            state=self.state,
            side=self.order.side,
            tick=self.order.tick,
            lots=self.lots,
            filled_lots=self.filled,
            reason=reason,
        )


class Venue:
    """One market, one account of ours and a synthetic crowd. Facts go to `tell_public` and
    `tell_private` as they happen; `on_change` is called after each change of our orders.
    """

    def __init__(self, seed: int, now_ns: int, base_lots: int, usdt_atoms: int) -> None:
        self.now = now_ns
        self.book = MatchingBook()
        self._order_ids = iter(range(1, 10**9))
        self.flow = SyntheticMarket(BTT_THIN, seed, lambda: next(self._order_ids))
        self.rows: dict[int, Row] = {}
        self.by_client: dict[str, Row] = {}
        self.fills: list[Fill] = []
        self.base_atoms, self.usdt_atoms = base_lots * BASE_ATOMS, usdt_atoms
        self.sequence = 1
        self.trade_id = 0
        self.tell_public: Callable = lambda fact: None
        self.tell_private: Callable = lambda fact: None
        self.on_change: Callable = lambda: None
        self._top = (0, 0, 0, 0)
        for act in self.flow.opening():
            self._act(act)
        self.book.take_changes()

    # --- the crowd

    def step_market(self):
        for act in self.flow.step(self.now, self.book):
            self._act(act)
        self._publish()

    def _act(self, act):
        if isinstance(act, CancelOf):
            self.book.cancel(act.order_id)
        else:
            self._matched(self.book.submit(act))

    def sweep(self, side, tick):
        """Somebody takes everything on this side of the book up to this price."""
        lots = sum(lots for at, lots in self.book.levels(side) if (tick - at) * side.sign <= 0)
        if lots:
            self._matched(self.book.submit(NewOrder(
                order_id=next(self._order_ids), owner="~whale", side=side.opposite, tick=tick,
                lots=lots, tif=TimeInForce.IOC,
            )))  # fmt: skip
        self._publish()

    def fill_ours(self, side=None):
        """Somebody fills our best order of this side (or of any) whole."""
        rows = [row for row in self.open_rows() if side in (None, row.order.side)]
        row = max(rows, key=lambda row: row.order.tick * row.order.side.sign)
        self.sweep(row.order.side, row.order.tick)
        return row

    # --- our requests

    def place(self, place, owner=US):
        """ "" if it rests or filled, else the venue's code of refusal."""
        if place.client_id in self.by_client:
            raise Violated(f"I7: client id {place.client_id} came twice")
        order = NewOrder(
            order_id=next(self._order_ids),
            owner=owner,
            side=place.side,
            tick=place.tick,
            lots=place.lots,
            kind=Kind.LIMIT_MAKER if place.post_only else Kind.LIMIT,
        )
        if not self._can_pay(order):
            return "-2010 insufficient balance"
        row = Row(order.order_id, place.client_id, order, self.now)
        self.rows[order.order_id] = self.by_client[place.client_id] = row
        outcome = self.book.submit(order)
        if outcome.rejected:
            del self.rows[order.order_id], self.by_client[place.client_id]
            return "-2010 would cross"
        self.tell_private(row.report(self.now))
        self._matched(outcome)
        self._publish()
        self.on_change()
        return ""

    def cancel(self, client_id):
        """True if it was open."""
        row = self.by_client.get(client_id)
        if row is None or not row.is_open:
            return False
        self.book.cancel(row.order_id)
        row.state, row.update_ns = OrderState.CANCELED, self.now
        self.tell_private(row.report(self.now))
        self._publish()
        self.on_change()
        return True

    def cancel_all(self):
        return sum(self.cancel(row.client_id) for row in self.open_rows())

    # --- what it says

    def open_rows(self):
        return [row for row in self.rows.values() if row.is_open]

    def snapshot(self):
        return BookSnapshot(
            market=MARKET,
            at_ns=self.now,
            venue_ns=self.now,
            sequence=self.sequence,
            bids=self.book.levels(Side.BUY),
            asks=self.book.levels(Side.SELL),
        )

    def balances(self):
        base, usdt = self._locked()
        return [
            Balance(asset="BTT", free_atoms=self.base_atoms - base, locked_atoms=base),
            Balance(asset="USDT", free_atoms=self.usdt_atoms - usdt, locked_atoms=usdt),
        ]

    @property
    def position_lots(self):
        return self.base_atoms // BASE_ATOMS

    def working(self):
        """(bid, ask) lots of ours that could still fill."""
        bid = sum(row.left for row in self.open_rows() if row.order.side is Side.BUY)
        return bid, sum(row.left for row in self.open_rows()) - bid

    # --- how

    def _locked(self):
        rows = self.open_rows()
        base = sum(row.left for row in rows if row.order.side is Side.SELL) * BASE_ATOMS
        return base, sum(row.left * row.order.tick for row in rows if row.order.side is Side.BUY)

    def _can_pay(self, order):
        base, usdt = self._locked()
        if order.side is Side.SELL:
            return self.base_atoms - base >= order.lots * BASE_ATOMS
        return self.usdt_atoms - usdt >= order.lots * order.tick

    def _matched(self, outcome):
        for match in outcome.matches:
            self.trade_id += 1
            owners = (match.maker_owner, match.taker_owner)
            if owners == (US, US):
                raise Violated("I13: we traded with ourselves")
            if match.taker_owner == US:
                raise Violated("I14: a quote of ours took")
            for order_id, is_maker in ((match.maker_id, True), (match.taker_id, False)):
                if order_id in self.rows:
                    self._fill(self.rows[order_id], match, is_maker)
            self.tell_public(
                Trade(
                    market=MARKET,
                    at_ns=self.now,
                    venue_ns=self.now,
                    trade_id=self.trade_id,
                    tick=match.tick,
                    lots=match.lots,
                    aggressor=match.aggressor,
                )
            )

    def _fill(self, row, match, is_maker):
        row.filled += match.lots
        row.update_ns = self.now
        row.state = OrderState.PARTIAL if row.left else OrderState.FILLED
        is_buy = row.order.side is Side.BUY
        base, cost = match.lots * BASE_ATOMS, match.lots * match.tick
        fee = (base if is_buy else cost) * FEE_PPM // 1_000_000
        self.base_atoms += base - fee if is_buy else -base
        self.usdt_atoms += -cost if is_buy else cost - fee
        fill = Fill(
            market=MARKET,
            client_id=row.client_id,
            venue_id=str(row.order_id),
            trade_id=self.trade_id,
            at_ns=self.now,
            venue_ns=self.now,
            side=row.order.side,
            tick=match.tick,
            lots=match.lots,
            fee_atoms=fee,
            fee_asset="BTT" if is_buy else "USDT",
            is_maker=is_maker,
        )
        self.fills.append(fill)
        self.tell_private(row.report(self.now))
        self.tell_private(fill)
        self.on_change()

    def _publish(self):
        bids, asks = self.book.take_changes()
        if not (bids or asks):
            return
        self.sequence += 1
        top = self.book.top()
        if top != self._top:
            self._top = top
            self.tell_public(
                TopOfBook(
                    market=MARKET,
                    at_ns=self.now,
                    venue_ns=self.now,
                    sequence=self.sequence,
                    bid_tick=top[0],
                    bid_lots=top[1],
                    ask_tick=top[2],
                    ask_lots=top[3],
                )
            )
        self.tell_public(
            BookDelta(
                market=MARKET,
                at_ns=self.now,
                venue_ns=self.now,
                sequence=self.sequence,
                bids=bids,
                asks=asks,
            )
        )


def stamped(fact, now_ns):
    """The fact as this host learns it."""
    return msgspec.structs.replace(fact, at_ns=now_ns)
