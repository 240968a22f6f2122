"""The markets that live on a treasury, as the treasury sees them: books, fills and open buys."""

from collections.abc import Iterable, Mapping

from engine.trading.account_view import book_ns, book_without_own
from engine.trading.conversion_desk import STRATEGY as CONVERSION
from engine.trading.day_volume import STEP_NS, DayVolume
from engine.trading.maker import Maker
from engine.trading.quoter import OwnLevels
from engine.trading.trade_ids import TradeIds
from engine.treasury.depth import DepthBook, depth_of, rescaled
from engine.treasury.facts import Scheme, Spent
from engine.treasury.holdings import Holdings, Traded
from engine.treasury.release import Release
from engine.treasury.treasury import MOVE_PPM, Treasury, TreasuryRecord
from engine.values.events import Fill, Trade
from engine.values.instrument import Instrument
from engine.values.records import HedgeMoved, OrderIntent
from engine.values.treasury_words import Holding, HoldingsSeen
from engine.values.units import PPM, Atoms, Ns

WHO = "engine"
DEAF = frozenset({"public link", "stalled"})
"""Doubts under which trades of others may have been missed."""
TRADE_IDS_MAX = 200_000
CONVERSIONS_MAX = 10_000


class Ward:
    """One market of an asset of the treasury against its money, and what it was last given."""

    def __init__(self, maker: Maker, scheme: Scheme) -> None:
        item = maker.quoter.setup.instrument
        self.maker = maker
        self.item = item
        self.base, self.money = scheme.asset(item.base), scheme.money
        self.lot_atoms = rescaled(item.lot_base_atoms, item.base_exponent, self.base.exponent)
        self.wish = maker.quoter.setup.bands
        self.released: Release | None = None
        self._depth: DepthBook | None = None
        self._sequence = 0
        self._own: OwnLevels = {}
        self._mid_half_ticks = 0
        self._traded = DayVolume()
        self._told_ns: Ns = 0

    def count(self, trade: Trade) -> None:
        """Anybody's, ours among them."""
        if trade.market == self.item.market:
            self._traded.add(trade.lots * self.lot_atoms, trade.at_ns)

    def pass_time(self, treasury: Treasury, now_ns: Ns) -> None:
        """Once a second: whether its trades are heard; and once a minute what they came to."""
        is_heard = not DEAF & self.maker.standing.doubts.keys()
        self._traded.pass_time(now_ns, is_heard=is_heard)
        if now_ns - self._told_ns >= STEP_NS:
            self._told_ns = now_ns
            volume = self._traded.volume(now_ns)
            treasury.holdings.volume(self.item.venue, self.item.base, volume)

    def see(self, treasury: Treasury, now_ns: Ns) -> list[TreasuryRecord]:
        """Show the treasury the book as it is; one that stands as it stood is only young again."""
        at_ns = book_ns(self.maker, now_ns)
        if not at_ns:  # a side is empty, or the two cross
            treasury.holdings.lose_side(self.item.venue, self.item.base)
            self._depth = None
            return []
        quoter = self.maker.quoter
        is_same = quoter.sequence == self._sequence and quoter.own is self._own
        if self._depth is not None and is_same and at_ns == now_ns:
            treasury.holdings.book(self._young(at_ns))
            return []
        book = book_without_own(self.maker)
        self._sequence, self._own = quoter.sequence, quoter.own
        self._mid_half_ticks = quoter.book.bid_tick + quoter.book.ask_tick
        self._depth = depth_of(book, self.item, self.base, self.money, at_ns)
        return treasury.see(self._depth)

    def _young(self, at_ns: Ns) -> DepthBook:
        assert self._depth is not None
        seen = self._depth
        self._depth = DepthBook(
            venue=seen.venue,
            asset=seen.asset,
            at_ns=at_ns,
            taker_fee_ppm=seen.taker_fee_ppm,
            bids=seen.bids,
            asks=seen.asks,
        )
        return self._depth

    def lose(self, treasury: Treasury) -> None:
        treasury.holdings.lose_book(self.item.venue, self.item.base)
        self._depth = None

    @property
    def has_jumped(self) -> bool:
        """Whether the price moved by so much that it is not left for a second."""
        book = self.maker.quoter.book
        if self._depth is None or not (book.bid_tick and book.ask_tick):
            return False
        moved = abs(book.bid_tick + book.ask_tick - self._mid_half_ticks)
        return moved * PPM >= MOVE_PPM * self._mid_half_ticks

    @property
    def out_atoms(self) -> tuple[Atoms, Atoms]:
        """What every buy of ours that may be out there could still add, and every sale take."""
        sums = self.maker.keeper.orders.sums(self.maker.market)
        return sums.working_bid_lots * self.lot_atoms, sums.working_ask_lots * self.lot_atoms


def tell_out(wards: Iterable[Ward], holdings: Holdings) -> None:
    """By (venue, asset), over all the markets of it (law 3)."""
    sums: dict[tuple[str, str], tuple[Atoms, Atoms]] = {}
    for ward in wards:
        key = ward.item.venue, ward.item.base
        buys, sells = sums.get(key, (0, 0))
        sums[key] = buys + ward.out_atoms[0], sells + ward.out_atoms[1]
    for (venue, asset), (buys, sells) in sums.items():
        holdings.may_fill(venue, asset, buys)
        holdings.may_sell(venue, asset, sells)


def lose_books(wards: Iterable[Ward], where: str, treasury: Treasury) -> bool:
    """Those of a market or a venue; whether there are any."""
    found = [ward for ward in wards if where in (ward.maker.market, ward.item.venue)]
    for ward in found:
        ward.lose(treasury)
    return bool(found)


def turn(traded: Traded, holdings: Holdings) -> None:
    """A conversion's fill: turnover, and nothing of the float's."""
    spent = Spent(atoms=traded.atoms, money_atoms=traded.money_atoms)
    holdings.turn(traded.asset, spent, traded.at_ns)


class Purchases:
    """Which fills were told: each once, whatever path it came by, live and from the journal."""

    def __init__(self, items: Mapping[str, Instrument], scheme: Scheme) -> None:
        self._items = items
        self._scheme = scheme
        self._trades = {market: TradeIds(TRADE_IDS_MAX) for market in items}
        self._conversions: dict[str, None] = {}
        self._covered: dict[str, tuple[str, Atoms]] = {}

    def settle(self, market: str, trade_id: int) -> None:
        """Trades up to this one are in the opening balances."""
        if market in self._trades:
            self._trades[market].settle(trade_id)

    def intend(self, intent: OrderIntent) -> None:
        """A conversion's fills are turnover, and no doing of the market maker's."""
        if intent.strategy == CONVERSION:
            self._conversions[intent.order.client_id] = None
            if len(self._conversions) > CONVERSIONS_MAX:
                del self._conversions[next(iter(self._conversions))]

    def is_new(self, fill: Fill) -> bool:
        return fill.market in self._trades and self._trades[fill.market].add(fill.trade_id)

    def is_conversion(self, fill: Fill) -> bool:
        return fill.client_id in self._conversions

    def traded(self, fill: Fill) -> Traded:
        """A fill in the treasury's atoms. In money it turns over only what is paid in money."""
        item = self._items[fill.market]
        base, quote = item.flows(fill.side, fill.tick, fill.lots)
        flows: dict[str, Atoms] = {}
        moved = ((item.base, base), (item.quote, quote), (fill.fee_asset, -fill.fee_atoms))
        for asset, atoms in moved:
            if asset in self._scheme.names():
                flows[asset] = flows.get(asset, 0) + self._atoms(item, asset, atoms)
        is_paid = item.quote == self._scheme.money.name
        return Traded(
            at_ns=fill.at_ns,
            venue=item.venue,
            flows=flows,
            asset=item.base,
            atoms=abs(self._atoms(item, item.base, base)) if item.base in flows else 0,
            money_atoms=abs(self._atoms(item, item.quote, quote)) if is_paid else 0,
        )

    def cover(self, moved: HedgeMoved) -> tuple[str, Atoms] | None:
        """(asset, atoms) that hedges stand against over all markets of it."""
        item = self._items.get(moved.market)
        if item is None or item.base not in self._scheme.assets:
            return None
        atoms = self._atoms(item, item.base, item.base_atoms(moved.covered_lots))
        self._covered[moved.market] = item.base, atoms
        return item.base, sum(each for name, each in self._covered.values() if name == item.base)

    def _atoms(self, item: Instrument, asset: str, atoms: Atoms) -> Atoms:
        exponents = {item.quote: item.quote_exponent, item.base: item.base_exponent}
        was = exponents.get(asset, self._scheme.asset(asset).exponent)
        return rescaled(atoms, was, self._scheme.asset(asset).exponent)


def balances_of(maker: Maker, scheme: Scheme, at_ns: Ns) -> HoldingsSeen:
    """What the ledger of the maker's account holds, as the venue has just shown it to be.

    An asset of which the venue says nothing is not there: 0.
    """
    portfolio = maker.keeper.portfolio
    expected = portfolio.expected_balances()
    rows = []
    for name in scheme.names():
        atoms = rescaled(
            max(0, expected.get(name, 0)), portfolio.exponent(name), scheme.asset(name).exponent
        )
        rows.append(Holding(asset=name, atoms=atoms))
    venue = maker.quoter.setup.instrument.venue
    return HoldingsSeen(at_ns=at_ns, who=WHO, place=venue, holdings=rows)
