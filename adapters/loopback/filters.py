"""The venue's filters: what a price and a size must be, as rules and as exchangeInfo shows them."""

import msgspec

from adapters.loopback import refusals
from adapters.loopback.config import SymbolSpec
from adapters.loopback.scale import Scale, text_of
from engine.sim.matching.terms import Kind
from engine.values.units import PPM, Atoms, Side, Tick, decimal_text

Json = dict[str, object]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Price and size as sent, in units of 1e-8; a market order has no price."""

    side: Side
    kind: Kind
    price_atoms: Atoms
    size_atoms: Atoms
    quote_atoms: Atoms = 0


def check(spec: SymbolSpec, wanted: Wanted, reference: Tick, open_count: int) -> None:
    """Raise the Refusal of the first filter that fails, in the venue's order."""
    scale = Scale(spec)
    if wanted.kind is not Kind.MARKET:
        _check_price(spec, scale, wanted.price_atoms)
        _check_band(spec, wanted.price_atoms, reference * scale.tick_atoms)
    if wanted.size_atoms or not wanted.quote_atoms:
        _check_size(spec, scale, wanted.size_atoms)
    if notional_atoms(scale, wanted, reference) < spec.notional_min:
        raise refusals.filter_failure("NOTIONAL")
    if wanted.kind is not Kind.MARKET and open_count >= spec.orders_max:
        raise refusals.filter_failure("MAX_NUM_ORDERS")


def notional_atoms(scale: Scale, wanted: Wanted, reference: Tick) -> Atoms:
    if wanted.quote_atoms:
        return wanted.quote_atoms
    price = wanted.price_atoms or reference * scale.tick_atoms
    return price * wanted.size_atoms // 10**8


def _check_price(spec: SymbolSpec, scale: Scale, price_atoms: Atoms) -> None:
    tick, rest = divmod(price_atoms, scale.tick_atoms)
    if rest or not 1 <= tick <= spec.tick_max:
        raise refusals.filter_failure("PRICE_FILTER")


def _check_band(spec: SymbolSpec, price_atoms: Atoms, reference_atoms: Atoms) -> None:
    if not reference_atoms:
        return
    lowest, highest = reference_atoms * spec.band_down_ppm, reference_atoms * spec.band_up_ppm
    if not lowest <= price_atoms * PPM <= highest:
        raise refusals.filter_failure("PERCENT_PRICE_BY_SIDE")


def _check_size(spec: SymbolSpec, scale: Scale, size_atoms: Atoms) -> None:
    lots, rest = divmod(size_atoms, scale.lot_atoms)
    if rest or not 1 <= lots <= spec.lots_max:
        raise refusals.filter_failure("LOT_SIZE")


def described(spec: SymbolSpec) -> list[Json]:
    """The filters as exchangeInfo lists them."""
    scale = Scale(spec)
    up, down = decimal_text(spec.band_up_ppm, 6), decimal_text(spec.band_down_ppm, 6)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": scale.price_text(1),
            "maxPrice": scale.price_text(spec.tick_max),
            "tickSize": scale.price_text(1),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": scale.size_text(1),
            "maxQty": scale.size_text(spec.lots_max),
            "stepSize": scale.size_text(1),
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": up,
            "bidMultiplierDown": down,
            "askMultiplierUp": up,
            "askMultiplierDown": down,
            "avgPriceMins": 0,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": text_of(spec.notional_min),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 0,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": spec.orders_max},
    ]
