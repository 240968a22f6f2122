"""Our orders and money at one venue: what facts did to them, what to ask, what freezes."""

from collections.abc import Callable

import msgspec

from engine.trading.asking import Asking
from engine.trading.orders import Change, Kind, Orders
from engine.trading.orders import Params as OrdersParams
from engine.trading.portfolio import Portfolio
from engine.trading.quoter import Quoter
from engine.trading.recovery import READ_AGAIN, Recovery, recover
from engine.trading.standing import Standing
from engine.trading.witness import Witness
from engine.values.commands import Cancel, CancelAll, QueryOrder, Reconcile
from engine.values.errors import WITHDRAWN, Failure
from engine.values.events import (
    CancelFailed,
    Fill,
    OrderAbsent,
    OrderFact,
    OrderFailed,
    OrderReport,
    OrderSent,
    QueryFailed,
    Resume,
    VenueState,
)
from engine.values.instrument import Instrument
from engine.values.records import Adjusted, Opening, OrderIntent, Record
from engine.values.step import Step
from engine.values.units import NS_PER_S, Atoms, Lot, Ns, Side

ENDED_KEPT_NS = 3_600 * NS_PER_S
FAILURES = (OrderFailed, CancelFailed, QueryFailed)
NO_NEWS = frozenset({Kind.UNCHANGED, Kind.DUPLICATE})
CANCELED = "canceled"
"""Why a strategy is asked when an order has left whose place somebody may wait for."""
FREEZING = {
    Kind.EXTERNAL: "an order or fill that we never intended",
    Kind.OVERFILL: "more was filled than ordered",
    Kind.UNEXPECTED: "the venue reports another order than we sent",
}


class KeeperParams(msgspec.Struct, frozen=True, kw_only=True):
    orders: OrdersParams = OrdersParams()
    reconcile_every_ns: Ns


class Keeper:
    """One venue account. Facts about orders and money are joined here, once, on any path."""

    def __init__(
        self, instruments: list[Instrument], params: KeeperParams, is_ours: Callable[[str], bool]
    ) -> None:
        self.orders = Orders(params.orders)
        self.portfolio = Portfolio(instruments)
        self._params = params
        self._is_ours = is_ours
        self._instruments = {item.market: item for item in instruments}
        self._asking = {item.market: Asking(params.reconcile_every_ns) for item in instruments}
        self._rest_ns: Ns = 0
        self._unclaimed: dict[str, Atoms] = {}
        self._venue = instruments[0].venue
        self._opened: set[str] = set()
        self._witness = Witness(self._instruments)

    # --- facts ----------------------------------------------------------------------------------

    def on_order(self, fact: OrderFact, quoter: Quoter, step: Step) -> str:
        """Join a fact about an order. Returns why the strategy is to be asked, "" for no cause."""
        if isinstance(fact, FAILURES) and fact.retry_after_ns:
            self._rest_ns = max(self._rest_ns, fact.at_ns + fact.retry_after_ns)
            quoter.standing.doubt("rate limit", f"the venue asks us to wait: {fact.code}")
        if isinstance(fact, QueryFailed) and not fact.client_id:
            self._asking[fact.market].failed(fact)
        change = self.orders.apply(fact)
        if isinstance(fact, OrderFailed) and _is_refusal(fact):
            side = change.after.side if change.after else Side.BUY
            quoter.gate.note("reject", side, fact.at_ns)
        if change.kind not in NO_NEWS and not isinstance(fact, OrderSent):
            step.records.append(fact)
        if change.new_fill is not None:
            self._book(change.new_fill, quoter)
        if change.kind is not Kind.CHANGED or isinstance(fact, FAILURES):
            self._consequences(fact, change, quoter, step)
        if change.new_fill is not None:
            return "fill"
        return CANCELED if _has_left(change) else ""

    def _book(self, fill: Fill, quoter: Quoter) -> None:
        book = quoter.book
        mid_half_ticks = book.bid_tick + book.ask_tick if book.bid_tick and book.ask_tick else None
        instrument = self._instruments[fill.market]
        self.portfolio.book_fill(instrument, fill, mid_half_ticks)
        quoter.gate.note("fill", fill.side, fill.at_ns)

    def _consequences(self, fact: OrderFact, change: Change, quoter: Quoter, step: Step) -> None:
        if change.kind in FREEZING and change.after is not None:
            quoter.standing.freeze(f"{FREEZING[change.kind]}: {change.after!r}")
        elif change.kind is Kind.REVIVED and change.after is not None:
            order = self.orders.cancel_sent(change.after.client_id, fact.at_ns)
            cancel = Cancel(market=fact.market, client_id=order.client_id, at_ns=fact.at_ns)
            step.commands.append(cancel)
            step.records.append(cancel)
        elif change.kind is Kind.UNSOLICITED and change.after is not None:
            step.alert(fact.market, fact.at_ns, "warning", f"the venue ended {change.after!r}")
        if isinstance(fact, FAILURES):
            self._heed_fatal(fact, quoter, step)

    def _heed_fatal(
        self, fact: OrderFailed | CancelFailed | QueryFailed, quoter: Quoter, step: Step
    ) -> None:
        """A refused account waits for a person; a ban that ends by itself only calls one (O15)."""
        if fact.failure is not Failure.FATAL:
            return
        why = f"the venue refuses this account: {fact.code} {fact.text}"
        if fact.retry_after_ns:
            step.alert(fact.market, fact.at_ns, "critical", why)
        else:
            quoter.standing.freeze(why)

    def on_state(self, state: VenueState, quoter: Quoter, step: Step) -> None:
        """The venue's answer to a Reconcile: adopt, cancel, book, compare, or freeze."""
        standing = quoter.standing
        step.records += self._witness.listed(state)
        if state.market not in self._opened:
            self._open(state, step)
        found = recover(self.orders, self.portfolio, state, self._is_ours)
        step.commands += found.commands
        step.records += [command for command in found.commands if isinstance(command, Cancel)]
        step.records += _news(found, state)
        step.records += self._witness.kept(state, found.differences)
        for row in found.differences:
            if row.explained != READ_AGAIN:
                step.records.append(row)
                told = f"{row.what}: ours {row.ours or 'none'}, the venue's {row.theirs}"
                step.alert(row.market, row.at_ns, "notice", f"{told}: {row.explained or 'FROZEN'}")
        for change in found.changes:
            if change.new_fill is not None:
                quoter.gate.note("fill", change.new_fill.side, state.at_ns)
        if not found.is_explained:
            strange = next(row for row in found.differences if not row.explained)
            standing.freeze(f"{strange.what}: ours {strange.ours}, the venue's {strange.theirs}")
        self._note_gaps(found, state)
        is_settled = not (found.differences or found.commands or self.orders.unknown(state.market))
        self._asking[state.market].heard(state, is_settled=is_settled)
        if is_settled:
            standing.proved(state.asked_ns)

    def _note_gaps(self, found: Recovery, state: VenueState) -> None:
        """Remember what a person may claim: gaps that nothing explained, as they were then."""
        strange = {row.what for row in found.differences if not row.explained}
        for balance in state.balances:
            self._unclaimed.pop(balance.asset, None)
        for gap in self.portfolio.gaps(state.balances, state.market):
            if f"balance {gap.asset}" in strange:
                self._unclaimed[gap.asset] = gap.atoms

    def _open(self, state: VenueState, step: Step) -> None:
        """The first answer is where the ledger starts; trades before it are in its balances."""
        opening = Opening(
            venue=self._venue,
            market=state.market,
            at_ns=state.at_ns,
            balances=state.balances,
            trade_id=max((fill.trade_id for fill in state.fills), default=-1),
        )
        step.records.append(opening)
        self.remember(opening)

    def claim(self, word: Resume, step: Step) -> None:
        """A person takes responsibility for money that moved without a trade of ours (P09, P10)."""
        for asset, atoms in self._unclaimed.items():
            adjusted = Adjusted(
                venue=self._venue,
                at_ns=word.at_ns,
                asset=asset,
                atoms=atoms,
                who=word.who,
                reason=word.reason,
            )
            step.records.append(adjusted)
            self.remember(adjusted)
        self._unclaimed.clear()

    # --- the past -------------------------------------------------------------------------------

    def remember(self, record: Record) -> None:
        """Join one record of the journal; those of other accounts and kinds pass by."""
        match record:
            case Opening() if record.market in self._instruments:
                self._opened.add(record.market)
                self.portfolio.open(record.balances, record.market)
                self.portfolio.settle_trades(record.market, record.trade_id)
                self.orders.settle_trades(record.market, record.trade_id)
            case Adjusted() if record.venue == self._venue:
                self.portfolio.adjust(record.asset, record.atoms, record.at_ns)
            case OrderIntent() if record.order.market in self._instruments:
                self.orders.intend(record.order)
            case Cancel() if record.market in self._instruments:
                self.orders.cancel_sent(record.client_id, record.at_ns)
            case CancelAll() if record.market in self._instruments:
                for order in self.orders.live(record.market):
                    self.orders.cancel_sent(order.client_id, record.at_ns)
            case (
                OrderReport() | OrderFailed() | CancelFailed() | OrderAbsent() | Fill()
            ) if record.market in self._instruments:  # fmt: skip
                change = self.orders.apply(record)
                if change.new_fill is not None:
                    self.portfolio.book_fill(self._instruments[record.market], change.new_fill)
            case _:
                pass

    def lost_sight(self, market: str, now_ns: Ns, step: Step) -> None:
        """After a start or a lost connection: what was never answered may be out there."""
        for order in self.orders.doubt_unacknowledged(market, now_ns):
            step.records.append(
                OrderFailed(
                    market=market,
                    client_id=order.client_id,
                    at_ns=now_ns,
                    failure=Failure.UNKNOWN,
                    code="sight",
                    text="the private stream was lost before an answer came",
                )
            )
        self.ask_anew(market)

    def ask_anew(self, market: str) -> None:
        self._asking[market].anew()

    # --- questions to the venue -----------------------------------------------------------------

    def ask(self, market: str, standing: Standing, now_ns: Ns, step: Step) -> None:
        """Query what is unresolved, and read the venue's own state when it is time.

        Nothing is asked while the venue wants us to wait; what was to be cancelled still is (O15).
        """
        if now_ns < self._rest_ns:
            standing.doubt("rate limit", standing.doubts.get("rate limit", "asked to wait"))
            return
        standing.settle("rate limit")
        for client_id in self.orders.due_queries(market, now_ns):
            step.commands.append(QueryOrder(market=market, client_id=client_id, at_ns=now_ns))
        asking = self._asking[market]
        if not asking.is_due(standing, now_ns):
            return
        asking.left(now_ns)
        from_id = self.orders.trade_id_from(market)
        step.commands.append(Reconcile(market=market, trade_id_from=from_id, at_ns=now_ns))
        self.orders.forget_ended(now_ns - ENDED_KEPT_NS)

    def open_orders_after(self, market: str, since_ns: Ns) -> int:
        """The venue's count in an answer to a question that left after `since_ns`; -1 for none.

        Orders that we still believe live count too: an answer of none does not overrule them.
        """
        state = self._asking[market].answered
        if state is None or state.asked_ns <= since_ns:
            return -1
        return max(len(state.open_orders), len(self.orders.live(market)))

    # --- numbers --------------------------------------------------------------------------------

    def position_lots(self, market: str) -> Lot:
        return self.portfolio.position_lots(market)


def _is_refusal(fact: OrderFailed) -> bool:
    return fact.failure is not Failure.UNKNOWN and fact.code != WITHDRAWN


def _has_left(change: Change) -> bool:
    """An order that we asked to cancel is gone: what waited for its place may be quoted now."""
    before, after = change.before, change.after
    if before is None or after is None or not before.cancel_wanted:
        return False
    return before.is_live and not after.is_live


def _news(found: Recovery, state: VenueState) -> list[Record]:
    """The facts of a reading that changed something: what a restart must join again."""
    changed = {change.after.client_id for change in found.changes if change.after is not None}
    fills = [change.new_fill for change in found.changes if change.new_fill is not None]
    reports = [report for report in state.open_orders if report.client_id in changed]
    return [*fills, *reports]
