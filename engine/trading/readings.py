"""One moment of a market as the risk gate judges it: the join of book, orders and money."""

from engine.trading.keeper import Keeper
from engine.trading.quoter import Quoter
from engine.trading.risk import Reading
from engine.trading.standing import NOT_SIGHT
from engine.trading.strategy import View


def reading_of(keeper: Keeper, quoter: Quoter, view: View) -> Reading:
    """One moment of the market as the gate judges it."""
    market, now_ns = quoter.market, view.now_ns
    sums, results = keeper.orders.sums(market), keeper.portfolio.results(market)
    has_mid = bool(view.bid_tick and view.ask_tick)
    mark_tick = (view.bid_tick + view.ask_tick) // 2
    drawdown = results.mark(mark_tick, now_ns) if has_mid else None
    return Reading(
        now_ns=now_ns,
        grade=view.grade,
        book_valid=quoter.standing.may_quote_but_for(*NOT_SIGHT),
        delay_ns=quoter.delay.delay_ns,
        bid_tick=view.bid_tick,
        ask_tick=view.ask_tick,
        imbalance=2 * view.imbalance - 1,
        volatility=view.volatility,
        reference_tick=view.mid if has_mid else None,
        reference_age_ns=now_ns - quoter.vouched_ns,
        position_lots=view.position_lots,
        working_bid_lots=sums.working_bid_lots,
        working_ask_lots=sums.working_ask_lots,
        own_bid_tick=sums.bid_tick,
        own_ask_tick=sums.ask_tick,
        open_orders=len(sums.live),
        pnl_atoms=results.marked_atoms if has_mid else None,
        drawdown_atoms=drawdown,
        turnover_atoms=results.turnover(now_ns),
    )
