"""The next order of each way to hedge: its size, its limit, what it costs, and what bars it."""

import math
from fractions import Fraction

import msgspec

from engine.market.book import Book, BookView
from engine.signals.outlook import HedgeRatio
from engine.trading.hedge_choice import Candidate, Carry, Offer, assess
from engine.trading.hedge_params import HedgeParams, money
from engine.trading.hedge_sizes import (
    cost_worst,
    lot_value,
    lots_per_token,
    lots_within,
    mid_half_ticks,
    ratio_of,
    tick_limit,
)
from engine.trading.keeper import Keeper
from engine.trading.sweeps import Leg, Sweeps
from engine.values.instrument import Instrument
from engine.values.intents import Sweep
from engine.values.units import BUY, SELL, Lot, Side, Tick

OWN_QUOTES = "our own quotes stand in the way"


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What sizes are made of: the token and its mid (half ticks, 0 while not known), estimates."""

    token: Instrument
    token_mid: int
    params: HedgeParams
    ratios: dict[str, HedgeRatio]
    carries: dict[str, Carry]

    @property
    def child_tokens(self) -> Lot:
        """One order's size in lots of the token; 0 while its price is not known."""
        value = lot_value(self.token, self.token_mid)
        return math.floor(money(self.params.child_value) / value) if value else 0


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An order that could go out. `token_lots` are covered by it, or let go below 0."""

    sweeps: Sweeps
    side: Side
    lots: Lot
    token_lots: Lot
    limit: Tick
    mid_half_ticks: int
    candidate: Candidate

    def of(self, lots: Lot) -> "Draft":
        """The same with fewer lots, and with as much less of the token."""
        tokens = abs(self.token_lots) * lots // self.lots
        sign = 1 if self.side is SELL else -1
        return msgspec.structs.replace(self, lots=lots, token_lots=sign * tokens)

    def sweep(self, reason: str) -> Sweep:
        market, tick = self.sweeps.leg.market, self.limit
        return Sweep(market=market, side=self.side, lots=self.lots, tick_limit=tick, reason=reason)

    @property
    def lot_cost(self) -> Fraction:
        """The most that a lot of it can cost, in the quote asset."""
        item = self.sweeps.leg.quoter.setup.instrument
        return cost_worst(item, self.side, self.mid_half_ticks, self.limit)


def book_of(leg: Leg) -> Book | BookView:
    """The hedge market's book without our orders, where the venue shows those in it."""
    quoter = leg.quoter
    own = leg.keeper.orders.own_levels(leg.market)
    return quoter.book.without(own) if own and quoter.setup.own_orders_show else quoter.book


def smallest_lots(item: Instrument, tick: Tick) -> Lot:
    """The least that the venue takes in one order."""
    by_value = -(-item.notional_min // item.quote_atoms(tick, 1)) if tick else 1
    return max(1, item.lots_min, by_value)


def draft_cover(sweeps: Sweeps, need_lots: Lot, at: Prices, problem: str) -> Draft:
    """Sell so much that up to `need_lots` of the token are covered."""
    leg = sweeps.leg
    item, book = leg.quoter.setup.instrument, book_of(leg)
    ratio, mid = ratio_of(at.token, item, at.ratios.get(leg.market)), mid_half_ticks(book)
    limit, own = _limit(leg, SELL, mid, at.params)
    wanted = min(need_lots, at.child_tokens)
    per = None
    if ratio is not None and ratio.ratio > 0 and math.isfinite(ratio.ratio):
        per = lots_per_token((at.token, at.token_mid), (item, mid), ratio)
    lots = tokens = 0
    if per:
        wanted_lots = math.floor(wanted * per)
        lots = min(wanted_lots, lots_within(book, SELL, limit))
        tokens = min(wanted, math.floor(lots / per))
        problem = problem or _size_problem(lots, wanted_lots, smallest_lots(item, limit), own)
    offer = Offer(
        way=leg.way,
        item=item,
        book=book,
        side=SELL,
        lots=lots,
        ratio=ratio,
        carry=at.carries.get(leg.market),
        problem=problem,
    )
    return _draft(sweeps, offer, tokens, limit, at)


def draft_let_go(sweeps: Sweeps, need_lots: Lot, at: Prices, problem: str) -> Draft:
    """Buy back as much as stands for up to `need_lots` of the token, leaving nothing too small."""
    leg = sweeps.leg
    item, book = leg.quoter.setup.instrument, book_of(leg)
    mid = mid_half_ticks(book)
    limit, own = _limit(leg, BUY, mid, at.params)
    tokens = min(need_lots, sweeps.cover_lots, at.child_tokens or need_lots)
    wanted = sweeps.sold_lots * tokens // sweeps.cover_lots
    if sweeps.sold_lots - wanted < smallest_lots(item, limit):
        tokens, wanted = sweeps.cover_lots, sweeps.sold_lots
    lots = min(wanted, lots_within(book, BUY, limit))
    tokens = tokens if lots == wanted else sweeps.cover_lots * lots // sweeps.sold_lots
    offer = Offer(
        way=leg.way,
        item=item,
        book=book,
        side=BUY,
        lots=lots,
        ratio=HedgeRatio(ratio=1.0, error=0.0, residual_share=0.0),
        carry=None,
        problem=problem or _size_problem(lots, wanted, smallest_lots(item, limit), own),
    )
    return _draft(sweeps, offer, -tokens, limit, at)


def _draft(sweeps: Sweeps, offer: Offer, tokens: Lot, limit: Tick, at: Prices) -> Draft:
    return Draft(
        sweeps=sweeps,
        side=offer.side,
        lots=offer.lots,
        token_lots=tokens,
        limit=limit,
        mid_half_ticks=mid_half_ticks(offer.book),
        candidate=assess(offer, at.params),
    )


def _limit(leg: Leg, side: Side, mid: int, params: HedgeParams) -> tuple[Tick, str]:
    """The worst price within the ceiling that meets no order of ours, and what moved it."""
    return short_of_own(
        leg.keeper, leg.market, side, tick_limit(side, mid, params.slippage_bps_max)
    )


def short_of_own(keeper: Keeper, market: str, side: Side, limit: Tick) -> tuple[Tick, str]:
    """A limit that meets no order of ours, and what moved it, "" for nothing."""
    sums = keeper.orders.sums(market)
    own = sums.bid_tick if side is SELL else sums.ask_tick
    if not own or (limit - own) * side.sign < 0:
        return limit, ""
    return own - side.sign, OWN_QUOTES


def _size_problem(lots: Lot, wanted: Lot, smallest: Lot, own: str) -> str:
    if wanted < smallest:
        return "too small for the venue"
    return own or "too little stands within the slippage ceiling" if lots < smallest else ""
