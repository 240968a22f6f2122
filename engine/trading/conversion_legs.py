"""One market in which the treasury may convert: its book, its lots and its ticks in atoms."""

import math
from collections import deque
from fractions import Fraction

from engine.market.book import Book
from engine.trading.hedge_drafts import book_of, short_of_own, smallest_lots
from engine.trading.hedge_sizes import tick_price
from engine.trading.risk_sweep import ApprovedSweep
from engine.trading.standing import NOT_SIGHT
from engine.trading.sweeps import Leg
from engine.treasury.amounts import Asset
from engine.treasury.depth import LEVELS_MAX, DepthBook, Level, depth_of, rescaled
from engine.treasury.execution_sight import Wish
from engine.values.commands import Place
from engine.values.execution_records import ChildSent
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, SELL, Atoms, Lot, Ns, Side, Tick

BUCKET_NS = 10 * NS_PER_S
BUCKETS_MAX = 10_000
FAR_TICK = 10**18


class TradedVolume:
    """What anybody traded lately, in steps of ten seconds; bounded."""

    def __init__(self) -> None:
        self._steps: deque[tuple[int, Atoms]] = deque(maxlen=BUCKETS_MAX)

    def add(self, atoms: Atoms, at_ns: Ns) -> None:
        step = at_ns // BUCKET_NS
        if self._steps and self._steps[-1][0] >= step:
            last, before = self._steps.pop()
            self._steps.append((last, before + atoms))
        else:
            self._steps.append((step, atoms))

    def since(self, first_ns: Ns) -> Atoms:
        """Of whole steps from this moment on: never more than was traded."""
        first = -(-first_ns // BUCKET_NS)
        total = 0
        for step, atoms in reversed(self._steps):
            if step < first:
                break
            total += atoms
        return total


class ConversionLeg:
    """A leg (keeper, quoter, gate with the table of conversions) and what it is in atoms."""

    def __init__(self, leg: Leg, base: Asset, money: Asset) -> None:
        self.leg = leg
        self.keeper, self.quoter, self.gate = leg.keeper, leg.quoter, leg.gate
        self.item: Instrument = leg.quoter.setup.instrument
        self.volume = TradedVolume()
        self._base, self._money = base, money
        assert (self.item.base, self.item.quote) == (base.name, money.name)
        assert base.exponent >= self.item.size_exponent, "lots are finer than the treasury's atoms"

    @property
    def market(self) -> str:
        return self.leg.market

    @property
    def venue(self) -> str:
        return self.item.venue

    # --- units ----------------------------------------------------------------------------------

    def atoms(self, lots: Lot) -> Atoms:
        return rescaled(self.item.base_atoms(lots), self.item.base_exponent, self._base.exponent)

    def lots(self, atoms: Atoms) -> Lot:
        """Whole lots, rounded down."""
        return atoms // self.atoms(1)

    def money_atoms(self, tick: Tick, lots: Lot, side: Side) -> Atoms:
        """What lots at a price come to: a sale's rounded down, a purchase's up."""
        money = self.item.quote_atoms(tick, lots)
        was, now = self.item.quote_exponent, self._money.exponent
        return rescaled(money, was, now, is_up=side is not SELL)

    def tick(self, side: Side, limit: Level) -> Tick:
        """A price as a tick that is never worse for us: a sale's is rounded up."""
        item = self.item
        money = Fraction(limit.money_atoms, 10**self._money.exponent)
        price = money / Fraction(limit.atoms, 10**self._base.exponent)
        ticks = price / tick_price(item)
        return math.ceil(ticks) if side is SELL else math.floor(ticks)

    def least_atoms(self) -> Atoms:
        """The smallest order that the venue takes at today's price."""
        return self.atoms(smallest_lots(self.item, self.quoter.book.bid_tick))

    # --- the market -----------------------------------------------------------------------------

    def unable(self, now_ns: Ns, stale_ns: Ns) -> str:
        """Why its prices cannot be relied on or no order can go there, "" if all is well.

        Its own gate's trips are no such reason, they are refusals; nor is what quotes may not use.
        """
        standing = self.quoter.standing
        if not standing.may_quote_but_for(*NOT_SIGHT):
            state, reason = standing.state(has_quotes=False)
            return f"{state}: {reason}"
        if not self.is_stale(now_ns, stale_ns):
            return ""
        return f"its book was last vouched for {now_ns - self.quoter.vouched_ns} ns ago"

    def is_stale(self, now_ns: Ns, stale_ns: Ns) -> bool:
        return now_ns - self.quoter.vouched_ns > stale_ns

    def depth(self, now_ns: Ns) -> DepthBook:
        """Its book without our own orders, as of now: it is vouched for."""
        return depth_of(book_of(self.leg), self.item, self._base, self._money, now_ns)

    def takeable(self, side: Side, now_ns: Ns) -> tuple[tuple[Level, ...], bool]:
        """What a child may take, best first: it stops short of our own quotes. Whether that cut."""
        worst = 1 if side is SELL else FAR_TICK
        limit, own = short_of_own(self.keeper, self.market, side, worst)
        book = book_of(self.leg)
        levels = book.levels(side.opposite, LEVELS_MAX)
        kept = [(tick, lots) for tick, lots in levels if (tick - limit) * side.sign <= 0]
        cut = Book()
        cut.apply_snapshot(kept if side is SELL else [], [] if side is SELL else kept)
        found = depth_of(cut, self.item, self._base, self._money, now_ns)
        rows = found.bids if side is SELL else found.asks
        return rows, bool(own)


def place_of(approved: ApprovedSweep, client_id: str, now_ns: Ns) -> Place:
    """Immediate or cancel, as the gate let it through."""
    return Place(
        market=approved.market,
        client_id=client_id,
        side=approved.side,
        tick=approved.tick_limit,
        lots=approved.lots,
        post_only=False,
        at_ns=now_ns,
        is_ioc=True,
    )


def child_sent(parent: str, wish: Wish, place: Place, atoms: Atoms) -> ChildSent:
    return ChildSent(
        at_ns=place.at_ns,
        parent=parent,
        client_id=place.client_id,
        market=place.market,
        side=place.side,
        lots=place.lots,
        tick_limit=place.tick,
        atoms=atoms,
        mid=(wish.mid.money_atoms, wish.mid.base_atoms),
        estimate_ppm=wish.estimate_ppm,
    )
