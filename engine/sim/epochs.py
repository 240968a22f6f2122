"""What each decision of a playbook led to, from the journal alone: epochs from ruling to ruling.

Money is in quote atoms and exact. Each figure is the difference of a running sum between the two
ends of an epoch, so that epochs add up to the whole. Marks are the mids that decisions looked at,
and those that hedges here for another market were sent at.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping

import msgspec

from engine.trading.results import Results
from engine.values.events import Fill
from engine.values.instrument import Instrument
from engine.values.records import Decision, Ruled
from engine.values.units import Atoms, Lot, Ns, Tick

BEFORE_RULING = ""
"""The row of what happened in a session before its first ruling, or without a playbook."""
ACTIONS = ("bid_size", "ask_size", "bid_closer", "room_bid_lots", "worst_lots")
"""What a ruling did to the quotes, by the names of its numbers."""


def unit_instrument(market: str) -> Instrument:
    """Stands for a market whose tick and lot nobody wrote down: money in it is ticks x lots."""
    symbol, _, venue = market.rpartition("@")
    base, _, quote = symbol.partition("/")
    return Instrument(
        symbol=symbol,
        venue=venue,
        venue_symbol=symbol,
        base=base,
        quote=quote,
        price_exponent=8,
        tick=1,
        size_exponent=0,
        lot=1,
        maker_fee_ppm=0,
        taker_fee_ppm=0,
    )


class Marks(msgspec.Struct, frozen=True):
    """Mids over time in half ticks (bid plus ask); `at` gives the last known one, 0 before any."""

    moments_ns: list[Ns]
    mids: list[Tick]

    def at(self, at_ns: Ns) -> Tick:
        place = bisect_right(self.moments_ns, at_ns)
        return self.mids[place - 1] if place else 0

    def note(self, at_ns: Ns, mid_half_ticks: Tick) -> None:
        """Take a mid that is known from `at_ns` on; moments come in order."""
        if mid_half_ticks and (not self.mids or self.mids[-1] != mid_half_ticks):
            self.moments_ns.append(at_ns)
            self.mids.append(mid_half_ticks)


class Markout(msgspec.Struct, kw_only=True):
    """What maker fills were worth `horizon_ns` later: mid then against the price, before fees.

    `fills` leaves out those whose moment came after the end of their session. `atoms` is rounded
    down from `half_atoms`.
    """

    horizon_ns: Ns
    fills: int = 0
    half_atoms: Atoms = 0
    traded_atoms: Atoms = 0

    @property
    def atoms(self) -> Atoms:
        return self.half_atoms // 2


class Hedged(msgspec.Struct, kw_only=True):
    """Fills of orders for cover, in atoms of their own market's quote asset by that market.

    `slippage_half` is the price paid against the mid when the order was sent, cost positive.
    """

    fills: int = 0
    lots: dict[str, Lot] = {}
    slippage_half: dict[str, Atoms] = {}


class Outcome(msgspec.Struct, kw_only=True):
    """What happened while one ruling held. `profit_atoms` is `trading` plus `carried`, before fees.

    `trading_atoms`: the fills of this epoch at its last mark. `carried_atoms`: what was bought or
    sold before it, moved from its first mark to its last. `realised_atoms`: of all that, what was
    closed, by average cost. `fees_atoms`: what `fees` were worth at its last mark, rounded up; None
    where one was paid in a third asset, or no mark or tick is known. Positions are the whole
    inventory; `worst_lots` is where it would have stood had every bid of a ladder been filled, less
    what confirmed cover stood against it.
    """

    decisions: int = 0
    fills: int = 0
    maker_fills: int = 0
    bought_lots: Lot = 0
    sold_lots: Lot = 0
    turnover_atoms: Atoms = 0
    spread_atoms: Atoms = 0
    profit_atoms: Atoms = 0
    trading_atoms: Atoms = 0
    carried_atoms: Atoms = 0
    realised_atoms: Atoms = 0
    fees: dict[str, Atoms] = {}
    fees_atoms: Atoms | None = 0
    mark_start: Tick = 0
    mark_end: Tick = 0
    position_start: Lot | None = None
    position_end: Lot | None = None
    position_low: Lot | None = None
    position_high: Lot | None = None
    worst_lots: Lot | None = None
    markouts: list[Markout] = []
    hedged: Hedged = msgspec.field(default_factory=Hedged)
    hedge_stances: list[str] = []
    tripped: list[str] = []


class Epoch(msgspec.Struct, kw_only=True):
    """From one ruling of a market to the next: conditions, row, action and outcome."""

    market: str
    number: int
    session: int
    began_ns: Ns
    ended_ns: Ns
    playbook: str
    row: str
    reason: str
    answers: dict[str, str]
    numbers: dict[str, float | None]
    action: dict[str, float | None]
    conflict: bool
    careful: list[str]
    event: int
    outcome: Outcome

    def __repr__(self) -> str:
        told = self.outcome
        return f"<epoch {self.number} {self.row!r} {told.fills} fills {told.profit_atoms}>"


class Sums(msgspec.Struct, frozen=True):
    """A market's running sums at one moment."""

    net_lots: Lot
    equity_atoms: Atoms
    realised_atoms: Atoms
    spread_atoms: Atoms
    mark: Tick


class Market:
    """One market's ledger and its epochs, as the records come."""

    def __init__(
        self, instrument: Instrument, horizons_ns: Iterable[Ns], *, is_known: bool
    ) -> None:
        self.item = instrument
        self.is_known = is_known
        self.epochs: list[Epoch] = []
        self.fills: list[tuple[Fill, Epoch]] = []
        self.marks = Marks([], [])
        self.settled_id = -1
        self.covered_lots: Lot = 0
        self._horizons_ns = tuple(horizons_ns)
        self._results = Results(instrument)
        self._booked: set[int] = set()
        self._spread_half: Atoms = 0
        self._mark: Tick = 0
        self._position: Lot | None = None
        self._from = Sums(0, 0, 0, 0, 0)

    def begin(self, at_ns: Ns, session: int, ruled: Ruled | None) -> None:
        """A ruling, or the start of a session. Whatever was before has been ended."""
        self._from = self._sums()
        at = self._position
        outcome = Outcome(
            mark_start=self._mark,
            position_start=at,
            position_low=at,
            position_high=at,
            markouts=[Markout(horizon_ns=horizon) for horizon in self._horizons_ns],
        )
        numbers = ruled.numbers if ruled else {}
        epoch = Epoch(
            market=self.item.market,
            number=len(self.epochs) + 1,
            session=session,
            began_ns=at_ns,
            ended_ns=at_ns,
            playbook=ruled.playbook if ruled else "",
            row=ruled.row if ruled else BEFORE_RULING,
            reason=ruled.reason if ruled else "",
            answers=ruled.answers if ruled else {},
            numbers=numbers,
            action={name: numbers.get(name) for name in ACTIONS if name in numbers},
            conflict=bool(ruled and ruled.conflict),
            careful=list(ruled.careful) if ruled else [],
            event=ruled.event if ruled else 0,
            outcome=outcome,
        )
        self.epochs.append(epoch)

    def end(self, at_ns: Ns) -> None:
        """Settle the open epoch as of now; what comes later is settled anew."""
        if not self.epochs:
            return
        epoch, before, now = self.epochs[-1], self._from, self._sums()
        told, item = epoch.outcome, self.item
        epoch.ended_ns = max(epoch.ended_ns, at_ns)
        told.mark_end = now.mark
        told.mark_start = told.mark_start or now.mark
        told.profit_atoms = now.equity_atoms - before.equity_atoms
        moved = now.mark - before.mark if before.mark else 0
        told.carried_atoms = before.net_lots * moved * item.tick_lot_atoms // 2
        told.trading_atoms = told.profit_atoms - told.carried_atoms
        told.realised_atoms = now.realised_atoms - before.realised_atoms
        told.spread_atoms = now.spread_atoms - before.spread_atoms
        told.position_end = self._position
        told.fees_atoms = fees_value(item, told.fees, now.mark) if self.is_known else None

    def on_decision(self, decision: Decision) -> None:
        inputs, told = decision.inputs, self.epochs[-1].outcome
        bid, ask = int(inputs.get("bid_tick", 0)), int(inputs.get("ask_tick", 0))
        if bid and ask:
            self.look(decision.at_ns, bid + ask)
        told.decisions += 1
        self._stand(int(inputs["position_lots"]))
        bids = sum(bid.lots for bid in decision.ladder.bids)
        worst = int(inputs["position_lots"]) + bids - self.covered_lots
        told.worst_lots = worst if told.worst_lots is None else max(worst, told.worst_lots)

    def look(self, at_ns: Ns, mid_half_ticks: Tick) -> None:
        """Somebody decided by this mid: a ladder here, or a hedge of another market."""
        if mid_half_ticks:
            self._mark = mid_half_ticks
            self.marks.note(at_ns, mid_half_ticks)

    def on_fill(self, fill: Fill) -> bool:
        """Book it once; False for one that was booked, or lies in the opening balances."""
        if fill.trade_id in self._booked or fill.trade_id <= self.settled_id:
            return False
        self._booked.add(fill.trade_id)
        told, lots = self.epochs[-1].outcome, fill.side.sign * fill.lots
        self._results.book(fill, None)
        told.fills += 1
        told.maker_fills += fill.is_maker
        told.bought_lots += max(0, lots)
        told.sold_lots += max(0, -lots)
        told.turnover_atoms += self.item.quote_atoms(fill.tick, fill.lots)
        told.fees[fill.fee_asset] = told.fees.get(fill.fee_asset, 0) + fill.fee_atoms
        if fill.is_maker:
            self.fills.append((fill, self.epochs[-1]))
            self._spread_half += edge_half(self.item, fill, self._mark) if self._mark else 0
        if self._position is not None:
            self._stand(self._position + lots)
        return True

    def _stand(self, position: Lot) -> None:
        told, self._position = self.epochs[-1].outcome, position
        if told.position_start is None:
            told.position_start = position
        low, high = told.position_low, told.position_high
        told.position_low = position if low is None else min(low, position)
        told.position_high = position if high is None else max(high, position)

    def _sums(self) -> Sums:
        results, lots = self._results, self._results.net_lots
        equity_half = 2 * results.cash_atoms + self._mark * lots * self.item.tick_lot_atoms
        return Sums(
            lots, equity_half // 2, results.realised_atoms, self._spread_half // 2, self._mark
        )


def edge_half(item: Instrument, fill: Fill, mid_half_ticks: Tick) -> Atoms:
    """Distance of a fill from a mid times its size, in half atoms, better for us positive."""
    return fill.side.sign * (mid_half_ticks - 2 * fill.tick) * item.quote_atoms(1, fill.lots)


def fees_value(item: Instrument, fees: Mapping[str, Atoms], mid_half_ticks: Tick) -> Atoms | None:
    """Fees in quote atoms at a mid, rounded up; None where that cannot be told."""
    base, others = fees.get(item.base, 0), fees.keys() - {item.base, item.quote}
    if any(fees[asset] for asset in others) or (base and not mid_half_ticks):
        return None
    value = -(-base * mid_half_ticks * item.tick_lot_atoms // (2 * item.lot_base_atoms))
    return fees.get(item.quote, 0) + value
