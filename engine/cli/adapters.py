"""The adapters by the word that a config calls them by. Only the one that is wanted is imported."""

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, cast

import msgspec

from engine.runtime.config import VenueConfig
from engine.values.instrument import Instrument
from engine.values.ports import Clock, Feed, Gateway
from engine.values.table_check import problems
from engine.values.units import Ns

MODULES = {
    "ccxt": "adapters.ccxt_pro.venue",
    "native": "adapters.native.venue",
}

BarRow: TypeAlias = tuple[int, str, str, str, str, str, int]
"""A bar as a venue wrote it: opening (ms), open, high, low, close, volume, closing (ms)."""


class Options(Protocol):
    """What every adapter's options hold; the rest is its own."""

    @property
    def name(self) -> str: ...

    @property
    def recv_window_ms(self) -> int: ...

    @property
    def request_timeout_ms(self) -> int: ...


class OpenVenue(Protocol):
    """One venue: `gateway.instruments(...)` first, then `feed(...)`, then run both."""

    @property
    def options(self) -> Options: ...

    @property
    def gateway(self) -> Gateway: ...

    def feed(self, instruments: list[Instrument], bars: Mapping[str, tuple[Ns, ...]] = ...) -> Feed:
        """`bars`: spans whose bars are wanted, by market; none by default. Raises UserError."""
        ...

    async def recent_bars(self, symbol: str, span_ns: Ns, count: int) -> list[BarRow]:
        """Oldest first, the forming bar last; needs no key. Raises VenueError and UserError."""
        ...


class Adapter(Protocol):
    """The module of an adapter. `OPTIONS` is a struct that refuses what makes no sense."""

    OPTIONS: type[Any]

    def open_venue(self, options: Options, clock: Clock, keys: Any) -> OpenVenue: ...


def adapter_of(venue: VenueConfig) -> Adapter:
    return cast(Adapter, importlib.import_module(MODULES[venue.adapter]))


def options_of(venue: VenueConfig, path: str) -> tuple[Options | None, list[str]]:
    """What the adapter is told of a venue, or all that is wrong with it."""
    wanted = adapter_of(venue).OPTIONS
    fixed = {
        "name": venue.name,
        "exchange": venue.exchange,
        "urls": venue.urls,
        "sandbox": venue.sandbox,
    }
    table = {**venue.options, **fixed}
    found = problems(table, wanted, f"{path}.options")
    found += [
        f"{path}.options.{key}: stands in [[venues]] itself"
        for key in fixed
        if key in venue.options
    ]
    return (None if found else msgspec.convert(table, wanted)), found
