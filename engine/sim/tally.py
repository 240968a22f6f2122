"""What a back-test earned and did: counted from the venue's own ledger, never from the engine's."""

from collections import deque

import msgspec

from engine.sim.matching.shadow import ShadowBook
from engine.sim.trail import Trail
from engine.values.commands import Amend, Command, Place
from engine.values.events import Event, Fill, OrderFailed, OrderReport, OrderState
from engine.values.instrument import Instrument
from engine.values.records import Decision
from engine.values.step import Step
from engine.values.units import NS_PER_S, Atoms, Lot, Ns, Tick

HORIZONS_NS = (NS_PER_S, 5 * NS_PER_S, 30 * NS_PER_S, 60 * NS_PER_S)
BPS = 10_000
NEVER_NS = 2**63 - 1


class Markout(msgspec.Struct, kw_only=True):
    """What maker fills were worth `horizon_ns` later: mid then against the price, before fees.

    `bps` is the mean over money traded. `fills` leaves out those whose moment the data ends before.
    """

    horizon_ns: Ns
    fills: int = 0
    atoms: Atoms = 0
    traded_atoms: Atoms = 0

    @property
    def bps(self) -> float | None:
        """None where no fill's moment has come."""
        return BPS * self.atoms / self.traded_atoms if self.traded_atoms else None


class Point(msgspec.Struct, frozen=True):
    """One moment of the equity curve: profit so far in quote atoms, after fees, at mid."""

    at_ns: Ns
    profit_atoms: Atoms
    position_lots: Lot
    mid_half_ticks: Tick


class MarketTally(msgspec.Struct, kw_only=True):
    """One market's result, in atoms of its quote asset; fees by the asset that they were paid in.

    `spread_atoms` is the distance of maker fills from the mid of their moment, times their size.
    """

    market: str
    fills: list[Fill] = []
    curve: list[Point] = []
    markouts: list[Markout] = []
    fees: dict[str, Atoms] = {}
    spread_atoms: Atoms = 0
    turnover_atoms: Atoms = 0
    cash_atoms: Atoms = 0
    net_lots: Lot = 0
    placed: int = 0
    cancelled: int = 0
    refused: int = 0
    decisions: list[Decision] = []

    @property
    def profit_atoms(self) -> Atoms:
        return self.curve[-1].profit_atoms if self.curve else 0

    @property
    def drawdown_atoms(self) -> Atoms:
        """The deepest fall of the curve from its high so far."""
        high = worst = 0
        for point in self.curve:
            high = max(high, point.profit_atoms)
            worst = max(worst, high - point.profit_atoms)
        return worst


class Tally:
    """Follows one market through a back-test."""

    def __init__(self, instrument: Instrument, book: ShadowBook, opening_base_atoms: Atoms) -> None:
        self.item = instrument
        self.trail = Trail(opening_base_atoms)
        self.told = MarketTally(
            market=instrument.market,
            markouts=[Markout(horizon_ns=horizon) for horizon in HORIZONS_NS],
        )
        self._book = book
        self._due: tuple[deque[tuple[Ns, Fill]], ...] = tuple(deque() for _ in HORIZONS_NS)

    def on_command(self, command: Command) -> None:
        self.told.placed += isinstance(command, Place | Amend)

    def on_market(self, now_ns: Ns) -> None:
        """The recorded market may have moved."""
        bid, _, ask, _ = self._book.top()
        self.trail.on_top(now_ns, bid, ask)

    def on_venue(self, fact: Event) -> None:
        """The venue's word at the venue's moment."""
        match fact:
            case Fill():
                self._on_fill(fact)
            case OrderReport():
                self.told.cancelled += fact.state is OrderState.CANCELED
                self.trail.on_report(fact)
            case OrderFailed():
                self.told.refused += 1
            case _:
                pass

    def on_step(self, step: Step) -> None:
        for record in step.records:
            if isinstance(record, Decision) and record.market == self.item.market:
                self.told.decisions.append(record)

    def on_time(self, now_ns: Ns) -> None:
        """Judge the fills whose horizon has come, at the mid of now."""
        mid = self.mid_half_ticks()
        for markout, waiting in zip(self.told.markouts, self._due, strict=True):
            while waiting and waiting[0][0] <= now_ns:
                self._judge(markout, waiting.popleft()[1], mid)

    @property
    def due_ns(self) -> Ns:
        """Before this moment `on_time` has nothing to judge."""
        return min((waiting[0][0] for waiting in self._due if waiting), default=NEVER_NS)

    def sample(self, now_ns: Ns) -> None:
        mid = self.mid_half_ticks()
        if mid:
            point = Point(now_ns, self._profit(mid), self.told.net_lots, mid)
            self.told.curve.append(point)

    def mid_half_ticks(self) -> Tick:
        """Bid plus ask of the recorded market, the last one known; 0 before there was any."""
        bid, _, ask, _ = self._book.top()
        return bid + ask if bid and ask else self.trail.mid_last

    def _on_fill(self, fill: Fill) -> None:
        told, mid = self.told, self.mid_half_ticks()
        _, cash = self.item.flows(fill.side, fill.tick, fill.lots)
        told.fills.append(fill)
        self.trail.fill_mids.append(mid)
        told.cash_atoms += cash
        told.net_lots += fill.side.sign * fill.lots
        told.turnover_atoms += abs(cash)
        told.fees[fill.fee_asset] = told.fees.get(fill.fee_asset, 0) + fill.fee_atoms
        if fill.is_maker:
            told.spread_atoms += self._edge(fill, mid)
            for markout, waiting in zip(told.markouts, self._due, strict=True):
                waiting.append((fill.at_ns + markout.horizon_ns, fill))

    def _judge(self, markout: Markout, fill: Fill, mid: Tick) -> None:
        markout.fills += 1
        markout.atoms += self._edge(fill, mid)
        markout.traded_atoms += self.item.quote_atoms(fill.tick, fill.lots)

    def _edge(self, fill: Fill, mid_half_ticks: Tick) -> Atoms:
        distance = fill.side.sign * (mid_half_ticks - 2 * fill.tick)
        return distance * self.item.quote_atoms(1, fill.lots) // 2

    def _profit(self, mid_half_ticks: Tick) -> Atoms:
        """Cash and position at mid, less fees in base and in quote, rounded down."""
        told, item = self.told, self.item
        unit = 2 * item.lot_base_atoms
        held = item.base_atoms(told.net_lots) - told.fees.get(item.base, 0)
        cash = told.cash_atoms - told.fees.get(item.quote, 0)
        return (unit * cash + held * mid_half_ticks * item.tick_lot_atoms) // unit
