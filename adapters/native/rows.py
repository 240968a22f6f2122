"""Rows of Binance's answers to our values, from the venue's own decimal texts."""

from collections.abc import Sequence
from typing import Literal, TypeVar

import msgspec

from adapters.codec.binance_messages import Id, Ms
from adapters.codec.binance_user import STATES
from adapters.common.limits import LimitRow
from engine.values.errors import Unknown, UserError
from engine.values.events import Balance, Fill, OrderReport
from engine.values.instrument import ASSET_EXPONENT, Instrument
from engine.values.units import NS_PER_MS, Atoms, Ns, Ppm, Side, scaled

RATE_EXPONENT, RATE_PER_PPM = 8, 100
TICK_MAX, LOTS_MAX = 10**12, 10**15

T = TypeVar("T")


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """An order in any answer. `original_id` names it where the answer is to a cancel."""

    order_id: Id = msgspec.field(name="orderId")
    client_id: str = msgspec.field(name="clientOrderId")
    original_id: str = msgspec.field(name="origClientOrderId", default="")
    side: Literal["BUY", "SELL"]
    price: str
    size: str = msgspec.field(name="origQty")
    filled: str = msgspec.field(name="executedQty")
    status: str
    answered_ms: Ms = msgspec.field(name="transactTime", default=0)
    updated_ms: Ms = msgspec.field(name="updateTime", default=0)


class ReplacedRow(msgspec.Struct, frozen=True, kw_only=True):
    canceled: OrderRow = msgspec.field(name="cancelResponse")
    placed: OrderRow = msgspec.field(name="newOrderResponse")


class TradeRow(msgspec.Struct, frozen=True, kw_only=True):
    trade_id: Id = msgspec.field(name="id")
    order_id: Id = msgspec.field(name="orderId")
    price: str
    size: str = msgspec.field(name="qty")
    fee: str = msgspec.field(name="commission")
    fee_asset: str = msgspec.field(name="commissionAsset")
    at_ms: Ms = msgspec.field(name="time")
    is_buyer: bool = msgspec.field(name="isBuyer")
    is_maker: bool = msgspec.field(name="isMaker")


class BalanceRow(msgspec.Struct, frozen=True, kw_only=True):
    asset: str
    free: str
    locked: str


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    maker: str
    taker: str


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    rates: Rates = msgspec.field(name="commissionRates")
    balances: list[BalanceRow]


class DayRow(msgspec.Struct, frozen=True, kw_only=True):
    volume: str


class FilterRow(msgspec.Struct, frozen=True, kw_only=True):
    kind: str = msgspec.field(name="filterType")
    price_min: str = msgspec.field(name="minPrice", default="0")
    price_max: str = msgspec.field(name="maxPrice", default="0")
    tick: str = msgspec.field(name="tickSize", default="0")
    size_min: str = msgspec.field(name="minQty", default="0")
    size_max: str = msgspec.field(name="maxQty", default="0")
    lot: str = msgspec.field(name="stepSize", default="0")
    notional_min: str = msgspec.field(name="minNotional", default="0")


class SymbolRow(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str
    base: str = msgspec.field(name="baseAsset")
    quote: str = msgspec.field(name="quoteAsset")
    is_spot: bool = msgspec.field(name="isSpotTradingAllowed")
    filters: list[FilterRow]


class InfoRow(msgspec.Struct, frozen=True, kw_only=True):
    limits: list[LimitRow] = msgspec.field(name="rateLimits")
    symbols: list[SymbolRow]


def read(body: bytes, kind: type[T]) -> T:
    """Raises Unknown for an answer that cannot be read: it proves nothing."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unknown("unreadable answer", code=type(error).__name__) from None


def order_report(item: Instrument, row: OrderRow, at_ns: Ns, client_id: str = "") -> OrderReport:
    """Raises ValueError where the row makes no sense. `client_id` is the one we asked about."""
    if row.status not in STATES:
        raise ValueError(f"unknown order status {row.status[:40]}")
    return OrderReport(
        market=item.market,
        client_id=client_id or row.original_id or row.client_id,
        venue_id=str(row.order_id),
        at_ns=at_ns,
        update_ns=(row.answered_ms or row.updated_ms) * NS_PER_MS,
        state=STATES[row.status],
        side=_side(row.side == "BUY"),
        tick=item.ticks(row.price),
        lots=item.lots(row.size),
        filled_lots=item.lots(row.filled),
        reason=row.status,
    )


def fill(item: Instrument, row: TradeRow, at_ns: Ns) -> Fill:
    """Without the client id, which such rows do not name."""
    return Fill(
        market=item.market,
        client_id="",
        venue_id=str(row.order_id),
        trade_id=row.trade_id,
        at_ns=at_ns,
        venue_ns=row.at_ms * NS_PER_MS,
        side=_side(row.is_buyer),
        tick=item.ticks(row.price),
        lots=item.lots(row.size),
        fee_atoms=_atoms(item, row.fee_asset, row.fee),
        fee_asset=row.fee_asset,
        is_maker=row.is_maker,
    )


def balances(item: Instrument, rows: Sequence[BalanceRow]) -> list[Balance]:
    """The assets of this market, and all others that are not empty."""
    found = [
        Balance(
            asset=row.asset,
            free_atoms=_atoms(item, row.asset, row.free),
            locked_atoms=_atoms(item, row.asset, row.locked),
        )
        for row in rows
    ]
    ours = (item.base, item.quote)
    return [row for row in found if row.asset in ours or row.free_atoms or row.locked_atoms]


def instrument(symbol: str, venue: str, row: SymbolRow, rates: Rates) -> Instrument:
    """Raises UserError where the venue's filters describe no grid of ticks and lots."""
    if not row.is_spot:
        raise UserError(f"{symbol} on {venue} is not a spot market")
    price, size = _filter(symbol, row, "PRICE_FILTER"), _filter(symbol, row, "LOT_SIZE")
    (price_exponent, tick), (size_exponent, lot) = _grid(price.tick), _grid(size.lot)
    if not tick or not lot:
        raise UserError(f"{symbol} on {venue} has no fixed tick or lot")
    quote_exponent = max(ASSET_EXPONENT, price_exponent + size_exponent)
    wide = max(price_exponent, size_exponent, ASSET_EXPONENT)
    tick_atoms, lot_atoms = tick * 10 ** (wide - price_exponent), lot * 10 ** (wide - size_exponent)
    notional = [f.notional_min for f in row.filters if f.kind in ("NOTIONAL", "MIN_NOTIONAL")]
    return Instrument(
        symbol=symbol,
        venue=venue,
        venue_symbol=row.symbol,
        base=row.base,
        quote=row.quote,
        price_exponent=price_exponent,
        tick=tick,
        size_exponent=size_exponent,
        lot=lot,
        tick_min=max(1, -(-scaled(price.price_min, wide) // tick_atoms)),
        tick_max=scaled(price.price_max, wide) // tick_atoms or TICK_MAX,
        lots_min=max(1, -(-scaled(size.size_min, wide) // lot_atoms)),
        lots_max=scaled(size.size_max, wide) // lot_atoms or LOTS_MAX,
        notional_min=max((scaled(text, quote_exponent) for text in notional), default=0),
        maker_fee_ppm=_ppm(rates.maker),
        taker_fee_ppm=_ppm(rates.taker),
    )


def _filter(symbol: str, row: SymbolRow, kind: str) -> FilterRow:
    found = next((each for each in row.filters if each.kind == kind), None)
    if found is None:
        raise UserError(f"{symbol}: the venue tells no {kind}")
    return found


def _grid(text: str) -> tuple[int, int]:
    """A step as (exponent, units of 10**-exponent): 0.0005 is (4, 5)."""
    exponent = len(text.partition(".")[2].rstrip("0"))
    return exponent, scaled(text, exponent)


def _ppm(rate: str) -> Ppm:
    """A fee rate in millionths, rounded against us."""
    return -(-scaled(rate, RATE_EXPONENT) // RATE_PER_PPM)


def _atoms(item: Instrument, asset: str, text: str) -> Atoms:
    exponents: dict[str, int] = {item.base: item.base_exponent, item.quote: item.quote_exponent}
    return scaled(text, exponents.get(asset, ASSET_EXPONENT))


def _side(is_buy: bool) -> Side:
    return Side.BUY if is_buy else Side.SELL
