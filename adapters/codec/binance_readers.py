"""Decoded messages of Binance's to facts, one function a kind. Each raises ValueError."""

from adapters.codec.binance_messages import (
    AggregateTrade,
    BookTicker,
    DepthSnapshot,
    DepthUpdate,
    TradeMessage,
)
from adapters.codec.continuity import BinanceBook
from engine.values.events import Event, TopOfBook, Trade
from engine.values.units import NS_PER_MS, Ns, Side


def read_depth(message: DepthUpdate, book: BinanceBook, at_ns: Ns) -> list[Event]:
    return book.on_depth(message, at_ns)


def read_snapshot(message: DepthSnapshot, book: BinanceBook, at_ns: Ns) -> list[Event]:
    return book.on_snapshot(message, at_ns)


def read_ticker(message: BookTicker, book: BinanceBook, at_ns: Ns) -> list[Event]:
    grid = book.grid
    bid_lots, ask_lots = grid.lots(message.bid_size), grid.lots(message.ask_size)
    top = TopOfBook(
        market=book.market,
        at_ns=at_ns,
        venue_ns=message.venue_ms * NS_PER_MS,
        sequence=message.update_id,
        bid_tick=grid.tick(message.bid) if bid_lots else 0,
        bid_lots=bid_lots,
        ask_tick=grid.tick(message.ask) if ask_lots else 0,
        ask_lots=ask_lots,
    )
    return [top]


def read_trade(message: TradeMessage | AggregateTrade, book: BinanceBook, at_ns: Ns) -> list[Event]:
    lots = book.grid.lots(message.size)
    if not lots:
        raise ValueError("a trade of nothing")
    trade = Trade(
        market=book.market,
        at_ns=at_ns,
        venue_ns=message.venue_ms * NS_PER_MS,
        trade_id=message.trade_id,
        tick=book.grid.tick(message.price),
        lots=lots,
        aggressor=Side.SELL if message.is_buyer_maker else Side.BUY,
    )
    return [trade]
