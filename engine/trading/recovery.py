"""A reading of the venue against what we know: the same path at start-up and at every turn.

The venue wins for what exists, our journal for what we intended; every difference is recorded. A
reading joins the orders as facts do, so an older one never overwrites what a stream said since.
"""

from collections.abc import Callable

import msgspec

from engine.trading.order_evidence import Change, Kind
from engine.trading.orders import Order, Orders, Status
from engine.trading.portfolio import Gap, Portfolio
from engine.values.commands import Cancel, Command, QueryOrder
from engine.values.events import Fill, OrderReport, VenueState
from engine.values.records import Difference
from engine.values.units import Atoms

READ_AGAIN = "to be read again"


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a reading asks for, what it found, and what it changed, its new fills among them."""

    commands: list[Command]
    differences: list[Difference]
    changes: list[Change]

    @property
    def is_explained(self) -> bool:
        """Nothing found that a person must look at: the market need not freeze."""
        return all(difference.explained for difference in self.differences)


def open_account(orders: Orders, portfolio: Portfolio, state: VenueState) -> None:
    """The very first reading of a market: its trades so far are in the opening balances."""
    last_id = max((fill.trade_id for fill in state.fills), default=-1)
    orders.settle_trades(state.market, last_id)
    portfolio.settle_trades(state.market, last_id)
    portfolio.open(state.balances, state.market)


def recover(
    orders: Orders, portfolio: Portfolio, state: VenueState, is_ours: Callable[[str], bool]
) -> Recovery:
    """Join a reading. Books its new fills in `portfolio`; the account must be open.

    `is_ours` knows the client ids that any epoch of this engine made. Our orders of which we have
    no intent are cancelled, those of others are left alone and explained by nothing.
    """
    reading = _Reading(orders, portfolio, state, is_ours)
    reading.join_fills()
    reading.join_open_orders()
    reading.look_for_missing()
    reading.compare_balances()
    due = orders.due_queries(state.market, state.at_ns)
    queries: list[Command] = [
        QueryOrder(market=state.market, client_id=client_id, at_ns=state.at_ns) for client_id in due
    ]
    return Recovery(
        commands=reading.cancels + queries,
        differences=reading.differences,
        changes=reading.changes,
    )


class _Reading:
    """One reading while it is being joined."""

    def __init__(
        self,
        orders: Orders,
        portfolio: Portfolio,
        state: VenueState,
        is_ours: Callable[[str], bool],
    ) -> None:
        self._orders = orders
        self._portfolio = portfolio
        self._state = state
        self._is_ours = is_ours
        self.cancels: list[Command] = []
        self.differences: list[Difference] = []
        self.changes: list[Change] = []

    def join_fills(self) -> None:
        """Fills that the stream did not bring (P01). The lists' lag is left above the mark."""
        market = self._state.market
        for fill in sorted(self._state.fills, key=lambda fill: fill.trade_id):
            change = self._orders.apply(fill)
            if change.new_fill is None:
                continue
            self.changes.append(change)
            self._portfolio.book_fill(self._portfolio.instrument(market), fill)
            theirs = f"{fill.side} {fill.lots} lots at {fill.tick}, trade {fill.trade_id}"
            self._note("fill", "", theirs, self._why_fill(fill, change))
        last_id = max((fill.trade_id for fill in self._state.fills), default=-1)
        self._orders.trades_read(market, last_id)
        self._portfolio.settle_trades(market, self._orders.trades(market).mark)

    def _why_fill(self, fill: Fill, change: Change) -> str:
        if change.kind is Kind.OVERFILL:
            return ""
        is_strange = change.kind is Kind.EXTERNAL and not self._is_ours(fill.client_id)
        return "" if is_strange else "booked"

    def join_open_orders(self) -> None:
        for report in self._state.open_orders:
            change = self._orders.apply(report)
            if change.kind is Kind.UNCHANGED:
                self._cancel_orphan(change.after)
                continue
            self.changes.append(change)
            theirs = f"{report.side} {report.lots} lots at {report.tick} {report.state}"
            self._name(change, report, theirs)
            self._cancel_orphan(change.after)

    def _name(self, change: Change, report: OrderReport, theirs: str) -> None:
        """Record what is worth a look; a report that only outran its stream is not."""
        ours = f"{change.before.status}" if change.before else "never intended"
        name = f"order {report.client_id or report.venue_id}"
        match change.kind:
            case Kind.EXTERNAL:
                why = "of an earlier session: cancelled" if self._is_ours(report.client_id) else ""
                self._note(name, ours, theirs, why)
            case Kind.REVIVED:
                self._note(name, ours, theirs, "was given up: cancelled")
            case Kind.UNEXPECTED | Kind.OVERFILL:
                self._note(name, repr(change.before), theirs, "")
            case _:
                pass

    def _cancel_orphan(self, order: Order | None) -> None:
        """Adopted orders of ours and those that we gave up go, again until they are gone."""
        if order is None or order.status not in (Status.OPEN, Status.PARTIAL):
            return
        is_orphan = order.is_external and self._is_ours(order.client_id)
        if is_orphan or order.is_given_up:
            at_ns = self._state.at_ns
            self._orders.cancel_sent(order.client_id, at_ns)
            cancel = Cancel(market=order.market, client_id=order.client_id, at_ns=at_ns)
            self.cancels.append(cancel)

    def look_for_missing(self) -> None:
        """Live orders that the venue did not list: lists lag, so two readings, then a question."""
        listed = {(row.client_id, row.venue_id) for row in self._state.open_orders}
        names = {name for pair in listed for name in pair if name}
        params = self._orders.params
        for order in self._orders.live(self._state.market):
            is_listed = order.client_id in names or order.venue_id in names
            is_young = order.intent_ns + params.settle_ns > self._state.asked_ns
            is_newer = order.seen_ns + params.lag_ns > self._state.asked_ns
            if is_listed or is_young or is_newer:
                continue
            again = self._orders.miss(order.client_id) >= 2
            why = "asked for by its id" if again else READ_AGAIN
            self._note(f"order {order.client_id}", order.status, "not open", why)

    def compare_balances(self) -> None:
        market = self._state.market
        gaps = self._portfolio.gaps(self._state.balances, market)
        state = self._state
        repeated = self._portfolio.repeated(gaps, state.asked_ns, state.at_ns)
        for gap in gaps:
            why = "" if gap.asset in repeated else self._why_gap(gap)
            self._note(f"balance {gap.asset}", str(gap.ours_atoms), str(gap.theirs_atoms), why)

    def _why_gap(self, gap: Gap) -> str:
        """A reading races the stream: what fills on their way could explain is read once more."""
        if self._portfolio.touched_ns(gap.asset) >= self._state.asked_ns:
            return READ_AGAIN
        least = most = 0
        for market in self._portfolio.markets:
            below, above = self._under_way(market, gap.asset)
            least, most = least + below, most + above
        return READ_AGAIN if least <= gap.atoms <= most else ""

    def _under_way(self, market: str, asset: str) -> tuple[Atoms, Atoms]:
        """What orders of one market can still take from and bring to the account, fees and all."""
        item = self._portfolio.instrument(market)
        least = most = 0
        for order in self._orders.active(market):
            base, quote = item.flows(order.side, order.tick, order.working_lots)
            flow = {item.base: base, item.quote: quote}.get(asset, 0)
            fee = abs(flow) * max(item.maker_fee_ppm, item.taker_fee_ppm) // 1_000_000 + 1
            least += min(0, flow) - fee
            most += max(0, flow) + fee
        if not least and not most:
            return 0, 0
        factor = self._portfolio.finer(market=market, asset=asset)
        return least * factor, most * factor

    def _note(self, what: str, ours: str, theirs: str, explained: str) -> None:
        self.differences.append(
            Difference(
                market=self._state.market,
                at_ns=self._state.at_ns,
                what=what,
                ours=ours,
                theirs=theirs,
                explained=explained,
            )
        )
