"""What quoting one market has earned since the ledger opened, in that market's quote atoms."""

from engine.values.events import Fill
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Atoms, Lot, Ns, Tick

NS_PER_DAY = 86_400 * NS_PER_S


class Results:
    """Cash, cost and profit by the average-cost method; every division keeps its remainder.

    `net_lots` is what was bought less what was sold since the opening, `open_cost_atoms` what of
    the cash paid belongs to it (negative for a net sale). Whatever cash left and is not the cost of
    what is still open was realised, so `realised = cash + open cost` holds to the atom. Fees in
    an asset that is neither base nor quote are in `fees` but in no profit: their price is not known
    here.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._item = instrument
        self.net_lots: Lot = 0
        self.cash_atoms: Atoms = 0
        self.open_cost_atoms: Atoms = 0
        self.realised_atoms: Atoms = 0
        self.fees: dict[str, Atoms] = {}
        self.fill_count = 0
        self._spread_half_atoms: Atoms = 0
        self._turnover: tuple[int, Atoms] = (0, 0)
        self._high: tuple[int, Atoms] | None = None
        self.marked_atoms: Atoms = 0
        """The profit at the last mark."""
        self.mark_tick: Tick = 0
        """The last mark: the price of a moment with two sides; 0 before the first."""

    def book(self, fill: Fill, mid_half_ticks: Tick | None) -> None:
        """Add a fill that was not booked before."""
        _, cash = self._item.flows(fill.side, fill.tick, fill.lots)
        self.cash_atoms += cash
        self._move(fill.side.sign * fill.lots, cash)
        self.fees[fill.fee_asset] = self.fees.get(fill.fee_asset, 0) + fill.fee_atoms
        self.fill_count += 1
        if _day(fill.at_ns) >= self._turnover[0]:
            self._turnover = (_day(fill.at_ns), self.turnover(fill.at_ns) + abs(cash))
        if fill.is_maker and mid_half_ticks is not None:
            distance = fill.side.sign * (mid_half_ticks - 2 * fill.tick)
            self._spread_half_atoms += distance * self._item.quote_atoms(1, fill.lots)

    def _move(self, lots: Lot, cash: Atoms) -> None:
        """Close what points the other way at its average cost, open the rest."""
        closing = min(abs(lots), abs(self.net_lots)) if lots * self.net_lots < 0 else 0
        if closing:
            closed_cost = self.open_cost_atoms * closing // abs(self.net_lots)
            closing_cash = cash * closing // abs(lots)
            self.open_cost_atoms -= closed_cost
            self.realised_atoms += closing_cash - closed_cost
            cash -= closing_cash
        self.net_lots += lots
        self.open_cost_atoms -= cash

    # --- questions

    def pnl(self, mark_tick: Tick) -> Atoms:
        """Cash flow plus the change of position at the mark, less fees in base and quote.

        Exact, but for a fee in base that is no whole number of lots: its value is rounded up.
        """
        item, fees = self._item, self.fees
        base_fee, quote_fee = fees.get(item.base, 0), fees.get(item.quote, 0)
        lot_value = mark_tick * item.tick_lot_atoms
        fee_value = -(-base_fee * lot_value // item.lot_base_atoms)
        return self.cash_atoms + lot_value * self.net_lots - fee_value - quote_fee

    @property
    def average_tick(self) -> float:
        """Average price in ticks of what is open since the opening; 0.0 for nothing."""
        if not self.net_lots:
            return 0.0
        return self.open_cost_atoms / self._item.quote_atoms(1, self.net_lots)

    @property
    def spread_atoms(self) -> Atoms:
        """Signed distance of maker fills from the mid at their moment, times their size."""
        return self._spread_half_atoms // 2

    def turnover(self, now_ns: Ns) -> Atoms:
        """Money that changed hands on the UTC day of this moment."""
        day, atoms = self._turnover
        return atoms if day == _day(now_ns) else 0

    def mark(self, mark_tick: Tick, now_ns: Ns) -> Atoms:
        """Value everything at this price and return the fall from the UTC day's high (>= 0)."""
        profit, day, high = self.pnl(mark_tick), _day(now_ns), self._high
        self.marked_atoms, self.mark_tick = profit, mark_tick
        if high is None or high[0] != day or profit > high[1]:
            self._high = high = (day, profit)
        return high[1] - profit

    @property
    def day_high_atoms(self) -> Atoms:
        return self._high[1] if self._high else 0

    @property
    def drawdown_atoms(self) -> Atoms:
        """How far the profit at the last mark was below the high of its UTC day."""
        return self.day_high_atoms - self.marked_atoms if self._high else 0

    def check(self) -> None:
        assert self.realised_atoms - self.open_cost_atoms == self.cash_atoms
        assert self.net_lots or not self.open_cost_atoms
        assert self.open_cost_atoms * self.net_lots >= 0
        assert self.drawdown_atoms >= 0


def _day(at_ns: Ns) -> int:
    return at_ns // NS_PER_DAY
