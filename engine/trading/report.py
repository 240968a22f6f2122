"""What a person is told of a market: its state, its numbers, and why each quote stands or lacks."""

from typing import Any

from engine.trading.maker import Maker
from engine.trading.order_table import Order
from engine.trading.results import Results
from engine.trading.standing import missing_side
from engine.values.instrument import Instrument
from engine.values.intents import Level
from engine.values.units import NS_PER_S, Lot, Ns, Side, Tick, decimal_text


def market_status(maker: Maker, now_ns: Ns) -> dict[str, Any]:
    """Numbers for `status`. Prices and sizes as decimal text, ages in seconds."""
    quoter, keeper = maker.quoter, maker.keeper
    instrument, book = quoter.setup.instrument, quoter.book
    bands = quoter.bands
    position_lots = keeper.position_lots(maker.market)
    second = quoter.second_stream
    is_two_sided = bool(book.bid_tick and book.ask_tick)
    mid_tick = (book.bid_tick + book.ask_tick) // 2 if is_two_sided else None
    return {
        "market": maker.market,
        "state": maker.state[0].value,
        "reason": maker.state[1],
        "grade": quoter.grade.value,
        "strategy": quoter.setup.strategy_name,
        "bid": _quote_text(instrument, book.bid_tick, book.bid_lots),
        "ask": _quote_text(instrument, book.ask_tick, book.ask_lots),
        "sequence": quoter.sequence,
        "book_age_s": (now_ns - quoter.book_ns) / NS_PER_S if quoter.book_ns else None,
        "delay_s": quoter.delay.delay_ns / NS_PER_S,
        "compared": second.compared,
        "matched": second.matched,
        "orders": [order_row(instrument, order) for order in keeper.orders.live(maker.market)],
        "position": instrument.size_text(position_lots),
        "zone": bands.zone(position_lots).value,
        "bands": _bands(maker),
        "stance": _stance(maker, now_ns),
        "row": quoter.guidance.row,
        "risk": [f"{check}: {reason}" for check, reason in quoter.gate.tripped()],
        **money(keeper.portfolio.results(maker.market), instrument, mid_tick),
    }


def money(results: Results, instrument: Instrument, mid_tick: Tick | None) -> dict[str, Any]:
    """Results as decimal text in the quote currency, at this mid or else at the last mark.

    `pnl` and `mark` are None where no price was ever known, `mark_is_last` where it is not of now.
    """
    mark_tick = results.mark_tick if mid_tick is None else mid_tick
    exponent = instrument.quote_exponent
    return {
        "fills": results.fill_count,
        "pnl": decimal_text(results.pnl(mark_tick), exponent) if mark_tick else None,
        "mark": instrument.price_text(mark_tick) if mark_tick else None,
        "mark_is_last": mid_tick is None,
        "realised": decimal_text(results.realised_atoms, exponent),
        "spread_earned": decimal_text(results.spread_atoms, exponent),
        "drawdown": decimal_text(results.drawdown_atoms, exponent),
    }


def why(maker: Maker, now_ns: Ns) -> dict[str, Any]:
    """Each quote with its reasons, each missing side with its own; the row behind `ballast why`."""
    quoter = maker.quoter
    instrument = quoter.setup.instrument
    decision = quoter.last
    live = maker.keeper.orders.live(maker.market)
    sides: dict[str, Any] = {}
    for side in Side:
        levels = decision.ladder.side(side) if decision else ()
        standing = [order for order in live if order.side is side]
        absent = decision.ladder.absent(side) if decision else "no decision yet"
        sides[side.value] = {
            "quotes": [quote_row(instrument, level, standing) for level in levels],
            "orders": [order_row(instrument, order) for order in standing],
            "absent": "" if standing else missing_side(side, maker.state, absent, bool(levels)),
        }
    return {
        "market": maker.market,
        "state": maker.state[0].value,
        "reason": maker.state[1],
        "doubts": dict(maker.standing.doubts),
        "decision": decision.decision if decision else 0,
        "cause": decision.cause if decision else "",
        "decided_s_ago": (now_ns - decision.at_ns) / NS_PER_S if decision else None,
        "inputs": decision.inputs if decision else {},
        "refused": decision.refused if decision else [],
        "risk": [f"{check}: {reason}" for check, reason in quoter.gate.tripped()],
        "sides": sides,
        "playbook": quoter.guidance.told(now_ns),
        "hedge": maker.hedger.status(now_ns) if maker.hedger is not None else {},
    }


def order_row(instrument: Instrument, order: Order) -> dict[str, Any]:
    return {
        "client_id": order.client_id,
        "side": order.side.value,
        "price": instrument.price_text(order.tick),
        "size": instrument.size_text(order.lots),
        "filled": instrument.size_text(order.filled_lots),
        "status": order.status.value,
    }


def quote_row(instrument: Instrument, level: Level, orders: list[Order]) -> dict[str, Any]:
    """A wished level, the sum that made its price, and whether an order stands there."""
    reason = level.reason
    return {
        "price": instrument.price_text(level.tick),
        "size": instrument.size_text(level.lots),
        "tick": level.tick,
        "reference": reason.reference,
        "skew": reason.skew,
        "width": reason.width,
        "stance": reason.stance,
        "rounding": reason.rounding,
        "clamp": reason.clamp,
        "standing": any(order.tick == level.tick for order in orders),
    }


def _quote_text(instrument: Instrument, tick: int, lots: Lot) -> list[str]:
    return [instrument.price_text(tick), instrument.size_text(lots)]


def _bands(maker: Maker) -> dict[str, str]:
    bands, instrument = maker.quoter.bands, maker.quoter.setup.instrument
    return {
        "floor": instrument.size_text(bands.floor_lots),
        "lower": instrument.size_text(bands.lower_lots),
        "target": instrument.size_text(bands.target_lots),
        "upper": instrument.size_text(bands.upper_lots),
        "cap": instrument.size_text(bands.cap_lots),
    }


def _stance(maker: Maker, now_ns: Ns) -> dict[str, Any]:
    stance = maker.quoter.guidance.stance(now_ns)
    return {
        "label": stance.label.value,
        "was": stance.was,
        "age_s": stance.age_ns / NS_PER_S,
        "stale": stance.is_stale,
        "source": stance.source,
    }
