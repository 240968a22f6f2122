"""Wishes that go out: what `process` asks the runtime to do at a venue. Deciding is not doing."""

from typing import TypeAlias

import msgspec

from engine.values.units import Lot, Ns, Side, Tick


class Place(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Send a new limit order. Post-only always asks the venue to reject, never to re-price.

    An `is_ioc` order takes what is there at once and never rests; it is not post-only.
    """

    market: str
    client_id: str
    side: Side
    tick: Tick
    lots: Lot
    post_only: bool
    at_ns: Ns
    is_ioc: bool = False


class Amend(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Replace one order by another in one request; both legs count until the venue answers."""

    market: str
    client_id: str
    replacement: Place
    at_ns: Ns


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Cancel one order by our client id. Safe to repeat."""

    market: str
    client_id: str
    at_ns: Ns


class CancelAll(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Cancel whatever this account has open in the market, known to us or not."""

    market: str
    at_ns: Ns


class QueryOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask the venue for one order's state: the only way out of UNKNOWN."""

    market: str
    client_id: str
    at_ns: Ns


class Reconcile(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask for open orders, own trades after `trade_id_from` and balances, in that order."""

    market: str
    trade_id_from: int
    at_ns: Ns


Command: TypeAlias = Place | Amend | Cancel | CancelAll | QueryOrder | Reconcile
