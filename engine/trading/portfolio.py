"""What one venue account owns and has earned: a double-entry ledger in atoms, exact."""

from collections.abc import Sequence

import msgspec

from engine.trading.results import Results
from engine.trading.trade_ids import TradeIds
from engine.values.events import Balance, Fill
from engine.values.instrument import ASSET_EXPONENT, Instrument
from engine.values.units import Atoms, Lot, Ns, Tick

HOLDINGS = "holdings"
OPENING = "opening"
ADJUSTMENT = "adjustment"
TRADE_IDS_MAX = 200_000
READINGS_BUSY = 4
"""So many readings in a row with the same gap are believed, whatever is traded meanwhile."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """An asset of which the venue says another amount than the ledger expects."""

    asset: str
    ours_atoms: Atoms
    theirs_atoms: Atoms

    @property
    def atoms(self) -> Atoms:
        return self.theirs_atoms - self.ours_atoms


class _SeenGap(msgspec.Struct, frozen=True, kw_only=True):
    """A gap of the last reading, when its asset was booked last, how often it stood so, and when
    that reading was heard."""

    atoms: Atoms
    touched_ns: Ns
    weight: int
    heard_ns: Ns


class Portfolio:
    """Balances, inventory and results of the markets of one venue account.

    Every amount is posted twice: to the holdings of its asset and, with the other sign, to the
    account that it came from (`opening`, `trades MARKET`, `fees MARKET`, `adjustment`). So the
    accounts of an asset always sum up to zero, and memory does not grow with the number of fills;
    the fills themselves are in the journal. Amounts of an asset are in the finest exponent that any
    market gives it, as in the balances that a gateway reads for all its markets.
    """

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        assert len({item.venue for item in instruments}) == 1, "one portfolio, one venue account"
        self._instruments = {item.market: item for item in instruments}
        self._accounts: dict[tuple[str, str], Atoms] = {}
        self._results = {item.market: Results(item) for item in instruments}
        self._trades = {item.market: TradeIds(TRADE_IDS_MAX) for item in instruments}
        self._touched_ns: dict[str, Ns] = {}
        self._gaps: dict[str, _SeenGap] = {}
        self._lot_atoms = {
            item.market: item.lot_base_atoms * self.finer(item.market, item.base)
            for item in instruments
        }

    # --- money moves

    def open(self, balances: Sequence[Balance], market: str = "") -> None:
        """Start from what the venue says there is. Earlier trades are in it: settle them.

        `market` names the one market whose exponents the balances are in; "" for the account's. An
        asset opens once: a second market of the account adds only what the first did not have.
        """
        for asset, atoms in self._totals(balances, market).items():
            if (asset, OPENING) not in self._accounts:
                self._post(asset, OPENING, atoms)

    def is_open(self, market: str) -> bool:
        """Whether both assets of a market have an opening balance."""
        item = self._instruments[market]
        return all((asset, OPENING) in self._accounts for asset in (item.base, item.quote))

    @property
    def markets(self) -> tuple[str, ...]:
        return tuple(self._instruments)

    def instrument(self, market: str) -> Instrument:
        return self._instruments[market]

    def settle_trades(self, market: str, trade_id: int) -> None:
        """Trades up to this id are in the opening balances or booked: never book them again."""
        self._trades[market].settle(trade_id)

    def book_fill(
        self, instrument: Instrument, fill: Fill, mid_half_ticks: Tick | None = None
    ) -> bool:
        """Book a fill and its fee; False and nothing changed if it was booked before (I2).

        `mid_half_ticks` is best bid plus best ask at the fill, that is the mid in half ticks.
        """
        assert self._instruments[fill.market] == instrument
        if not self._trades[fill.market].add(fill.trade_id):
            return False
        base, quote = instrument.flows(fill.side, fill.tick, fill.lots)
        trades, fees = f"trades {fill.market}", f"fees {fill.market}"
        self._post(instrument.base, trades, base * self.finer(instrument.market, instrument.base))
        self._post(
            instrument.quote, trades, quote * self.finer(instrument.market, instrument.quote)
        )
        fee_atoms = fill.fee_atoms * self.finer(instrument.market, fill.fee_asset)
        self._post(fill.fee_asset, fees, -fee_atoms)
        for asset in (instrument.base, instrument.quote, fill.fee_asset):
            self._touched_ns[asset] = max(self._touched_ns.get(asset, 0), fill.at_ns)
        self._results[fill.market].book(fill, mid_half_ticks)
        return True

    def adjust(self, asset: str, atoms: Atoms, at_ns: Ns) -> None:
        """A transfer, interest or a gap that a person explained: money without a trade (P10)."""
        self._post(asset, ADJUSTMENT, atoms)
        self._touched_ns[asset] = max(self._touched_ns.get(asset, 0), at_ns)

    # --- what there is

    def balance(self, asset: str) -> Atoms:
        return self._accounts.get((asset, HOLDINGS), 0)

    def expected_balances(self) -> dict[str, Atoms]:
        """Free and locked together, of every asset that ever moved."""
        return {asset: atoms for (asset, name), atoms in self._accounts.items() if name == HOLDINGS}

    def accounts(self, asset: str) -> dict[str, Atoms]:
        """All accounts of an asset; they sum up to zero."""
        return {name: atoms for (held, name), atoms in self._accounts.items() if held == asset}

    def position_lots(self, market: str) -> Lot:
        """The inventory that the bands speak of: all of the base asset, in whole lots, floored.

        Opening balance, fills of all markets, fees in the base asset and adjustments are in it.
        """
        base = self._instruments[market].base
        return self._accounts.get((base, HOLDINGS), 0) // self._lot_atoms[market]

    def traded_lots(self, market: str) -> Lot:
        """Sum of the signed sizes of all fills of this market, without fees (I1)."""
        return self._results[market].net_lots

    def results(self, market: str) -> Results:
        """Profit, fees, turnover and spread of one market since the opening."""
        return self._results[market]

    # --- against the venue

    def gaps(self, balances: Sequence[Balance], market: str = "") -> list[Gap]:
        """Assets of which the venue says something else, sorted. Fills not yet booked are gaps."""
        found = []
        for asset, theirs in sorted(self._totals(balances, market).items()):
            ours = self.balance(asset)
            if ours != theirs:
                found.append(Gap(asset=asset, ours_atoms=ours, theirs_atoms=theirs))
        return found

    def repeated(self, gaps: Sequence[Gap], asked_ns: Ns, heard_ns: Ns) -> set[str]:
        """Assets whose gap is no race between reading and stream; remembers this reading.

        The same gap twice is none where nothing was booked in between. Where fills went on, other
        ones of the same size may have been on their way: then it takes a longer row of readings.
        A reading that left before the last one came is no second one: two markets of one account
        are read at the same moment, and lose the same race.
        """
        before = self._gaps
        self._gaps = {
            gap.asset: self._seen_again(gap, before.get(gap.asset), asked_ns, heard_ns)
            for gap in gaps
        }
        return {asset for asset, seen in self._gaps.items() if seen.weight >= READINGS_BUSY}

    def _seen_again(
        self, gap: Gap, before: "_SeenGap | None", asked_ns: Ns, heard_ns: Ns
    ) -> "_SeenGap":
        touched_ns, weight = self.touched_ns(gap.asset), 1
        if before is not None and before.atoms == gap.atoms:
            if asked_ns < before.heard_ns:
                return before
            is_quiet = before.touched_ns == touched_ns
            weight = READINGS_BUSY if is_quiet else before.weight + 1
        return _SeenGap(atoms=gap.atoms, touched_ns=touched_ns, weight=weight, heard_ns=heard_ns)

    def touched_ns(self, asset: str) -> Ns:
        """When the last fill or adjustment of the asset was learned: an older reading lacks it."""
        return self._touched_ns.get(asset, 0)

    def exponent(self, asset: str) -> int:
        """The finest exponent that any of the markets gives to the asset."""
        own = [_exponent(item, asset) for item in self._instruments.values()]
        return max(own, default=ASSET_EXPONENT)

    def finer(self, market: str, asset: str) -> int:
        """What turns this market's atoms of the asset into the account's."""
        return int(10 ** (self.exponent(asset) - _exponent(self._instruments[market], asset)))

    def check(self) -> None:
        """Assert that every posting has its counterpart and every lot its money."""
        assets = {asset for asset, _ in self._accounts}
        assert all(sum(self.accounts(asset).values()) == 0 for asset in assets)
        for market, results in self._results.items():
            item = self._instruments[market]
            atoms = item.base_atoms(results.net_lots) * self.finer(item.market, item.base)
            assert self._accounts.get((item.base, f"trades {market}"), 0) == -atoms
            results.check()
            self._trades[market].check()

    def _post(self, asset: str, account: str, atoms: Atoms) -> None:
        """Into the holdings, out of the account."""
        for name, amount in ((HOLDINGS, atoms), (account, -atoms)):
            self._accounts[asset, name] = self._accounts.get((asset, name), 0) + amount

    def _totals(self, balances: Sequence[Balance], market: str) -> dict[str, Atoms]:
        totals = {}
        for balance in balances:
            factor = self.finer(market, balance.asset) if market else 1
            totals[balance.asset] = (balance.free_atoms + balance.locked_atoms) * factor
        return totals


def _exponent(instrument: Instrument, asset: str) -> int:
    if asset == instrument.base:
        return instrument.base_exponent
    return instrument.quote_exponent if asset == instrument.quote else ASSET_EXPONENT
