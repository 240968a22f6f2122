"""ccxt's unified structures to our values, exactly.

The session keeps ccxt's numbers as the venue's own decimal texts; only precisions, limits and order
books hold floats, of few digits, whose shortest repr gives that text back.
"""

import hashlib
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from engine.values.errors import UserError
from engine.values.events import Balance, Fill, OrderReport, OrderState
from engine.values.instrument import ASSET_EXPONENT, Instrument
from engine.values.units import NS_PER_MS, Atoms, Lot, Ns, Ppm, Side, Tick, scaled

DECIMAL_PLACES, TICK_SIZE = 2, 4
"""ccxt's names for how a market's precision is to be read."""

_STATES = {
    "open": OrderState.OPEN,
    "canceling": OrderState.OPEN,
    "closed": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}

Structure = Mapping[str, Any]


def plain_text(number: object) -> str:
    """A number of ccxt's as plain decimal digits: 6.2e-07 is '0.00000062'."""
    return format(Decimal(str(number)), "f")


def instrument_of(venue: str, market: Structure, precision_mode: int) -> Instrument:
    """Raises UserError for a market that integers of tick and lot cannot describe."""
    name = f"{market['symbol']} on {venue}"
    if not market.get("spot"):
        raise UserError(f"{name} is not a spot market")
    price_exponent, tick = _unit(market["precision"]["price"], precision_mode, f"{name}: price")
    size_exponent, lot = _unit(market["precision"]["amount"], precision_mode, f"{name}: size")
    limits = market["limits"]
    quote_exponent = max(ASSET_EXPONENT, price_exponent + size_exponent)
    return Instrument(
        symbol=market["symbol"],
        venue=venue,
        venue_symbol=market["id"],
        base=market["base"],
        quote=market["quote"],
        price_exponent=price_exponent,
        tick=tick,
        size_exponent=size_exponent,
        lot=lot,
        tick_min=max(1, _units(limits["price"]["min"], price_exponent, tick, is_up=True)),
        tick_max=_units(limits["price"]["max"], price_exponent, tick) or 10**12,
        lots_min=max(1, _units(limits["amount"]["min"], size_exponent, lot, is_up=True)),
        lots_max=_units(limits["amount"]["max"], size_exponent, lot) or 10**15,
        notional_min=_units(limits["cost"]["min"], quote_exponent, 1, is_up=True),
        maker_fee_ppm=ppm(market["maker"], f"{name}: maker fee"),
        taker_fee_ppm=ppm(market["taker"], f"{name}: taker fee"),
    )


def ppm(rate: object, name: str) -> Ppm:
    """A fee rate in millionths, rounded against us. Money has no default: none is an error."""
    if rate is None:
        raise UserError(f"{name} is not known to ccxt")
    return _integer(rate, 6, ROUND_CEILING)


def order_report(
    instrument: Instrument, order: Structure, at_ns: Ns, client_id: str = ""
) -> OrderReport:
    """Raises ValueError or KeyError where the venue's row cannot be read.

    `client_id` is the one we asked about: answers to a cancel carry an id of their own.
    """
    info = order.get("info") or {}
    lots = instrument.lots(plain_text(order["amount"]))
    filled = instrument.lots(plain_text(order.get("filled") or 0))
    return OrderReport(
        market=instrument.market,
        client_id=client_id or info.get("origClientOrderId") or order.get("clientOrderId") or "",
        venue_id=str(order.get("id") or ""),
        at_ns=at_ns,
        update_ns=_update_ns(order),
        state=_state(order, filled),
        side=Side(order["side"]),
        tick=instrument.ticks(plain_text(order["price"])),
        lots=lots,
        filled_lots=filled,
        reason=str(order.get("status")),
    )


def fill(instrument: Instrument, trade: Structure, at_ns: Ns, client_id: str) -> Fill:
    """Raises ValueError or KeyError where the venue's row cannot be read."""
    fee: Structure = trade.get("fee") or next(iter(trade.get("fees") or []), {})
    asset = fee.get("currency") or instrument.quote
    exponent = exponent_of(asset, [instrument])
    return Fill(
        market=instrument.market,
        client_id=client_id,
        venue_id=str(trade.get("order") or ""),
        trade_id=trade_number(trade),
        at_ns=at_ns,
        venue_ns=int(trade.get("timestamp") or 0) * NS_PER_MS,
        side=Side(trade["side"]),
        tick=instrument.ticks(plain_text(trade["price"])),
        lots=instrument.lots(plain_text(trade["amount"])),
        fee_atoms=_integer(fee.get("cost") or 0, exponent, ROUND_CEILING),
        fee_asset=asset,
        is_maker=trade.get("takerOrMaker") == "maker",
    )


def trade_number(trade: Structure) -> int:
    """The venue's trade id; where it is no number, one made of the trade itself (P04)."""
    name = str(trade.get("id") or "")
    if name.isdecimal() and len(name) <= 18:
        return int(name)
    keys = ("order", "timestamp", "side", "price", "amount")
    identity = name or "|".join(str(trade.get(key)) for key in keys)
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:7], "big")


def balances(structure: Structure, instruments: list[Instrument]) -> list[Balance]:
    """Assets of our instruments, and all others that are not empty; floors, to claim no dust."""
    ours = {name for item in instruments for name in (item.base, item.quote)}
    found = []
    for asset, row in structure.items():
        if asset in ("info", "free", "used", "total", "debt") or not isinstance(row, Mapping):
            continue
        exponent = exponent_of(asset, instruments)
        free = _integer(row.get("free") or 0, exponent, ROUND_FLOOR)
        locked = _integer(row.get("used") or 0, exponent, ROUND_FLOOR)
        if asset in ours or free or locked:
            found.append(Balance(asset=asset, free_atoms=free, locked_atoms=locked))
    return found


def exponent_of(asset: str, instruments: list[Instrument]) -> int:
    """The finest exponent that any of the instruments gives to the asset."""
    bases = [item.base_exponent for item in instruments if item.base == asset]
    quotes = [item.quote_exponent for item in instruments if item.quote == asset]
    return max([ASSET_EXPONENT, *bases, *quotes])


def price_level(instrument: Instrument, price: object, amount: object) -> tuple[Tick, Lot]:
    """Raises ValueError off the grid."""
    return instrument.ticks(plain_text(price)), instrument.lots(plain_text(amount))


def _state(order: Structure, filled: Lot) -> OrderState:
    state = _STATES[order["status"]]
    return OrderState.PARTIAL if state is OrderState.OPEN and filled else state


def _update_ns(order: Structure) -> Ns:
    info = order.get("info") or {}
    moments = (
        order.get("lastUpdateTimestamp"),
        info.get("transactTime"),
        info.get("updateTime"),
        order.get("timestamp"),
    )
    return int(next((moment for moment in moments if moment), 0)) * NS_PER_MS


def _unit(precision: object, mode: int, name: str) -> tuple[int, int]:
    """A market's precision as (exponent, units of 10**-exponent): 0.0005 is (4, 5)."""
    if precision is None:
        raise UserError(f"{name} precision is not known to ccxt")
    if mode == DECIMAL_PLACES:
        return int(str(precision)), 1
    if mode != TICK_SIZE:
        raise UserError(f"{name} is given in significant digits, which has no fixed tick")
    text = plain_text(precision)
    exponent = len(text.partition(".")[2].rstrip("0"))
    return exponent, scaled(text, exponent)


def _units(number: object, exponent: int, unit: int, *, is_up: bool = False) -> int:
    if number is None:
        return 0
    value = _integer(number, exponent, ROUND_CEILING if is_up else ROUND_FLOOR)
    return -(-value // unit) if is_up else value // unit


def _integer(number: object, exponent: int, rounding: str) -> Atoms:
    return int(Decimal(str(number)).scaleb(exponent).to_integral_value(rounding=rounding))
