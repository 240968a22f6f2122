"""The bars of a symbol as a venue of a config tells them: no key, no engine, no order."""

import asyncio
import json
import re
from pathlib import Path

import msgspec

from engine.cli.adapters import BarRow, adapter_of, options_of
from engine.runtime.clock import MonotonicClock
from engine.runtime.config import Config, Mode, VenueConfig, load_config
from engine.signals.candles import Candle
from engine.signals.spans import span_of
from engine.values.errors import UserError, VenueError
from engine.values.units import NS_PER_MS, Ns

SYMBOL = re.compile(r"[A-Z0-9]{1,20}/[A-Z0-9]{1,20}")
BARS = 1_000
DEMO_STATE = "venue.json"


def is_symbol(word: str) -> bool:
    """A symbol is written in capitals around a slash; a file of that name goes first."""
    return bool(SYMBOL.fullmatch(word)) and not Path(word).exists()


def candles_at(symbol: str, timeframe: str, config: Path, venue: str) -> list[Candle]:
    """The last bars, oldest first, the forming one last. Raises UserError, for all that fails."""
    try:
        span_ns = span_of(timeframe)
    except ValueError as error:
        raise UserError(f"--timeframe: {error}") from error
    loaded = load_config(config)
    chosen = _venue(loaded, symbol, venue, str(config))
    rows = asyncio.run(_rows(reached(loaded, chosen, str(config)), symbol, span_ns))
    if not rows:
        raise UserError(f"venue {chosen.name} tells no bars of {symbol}")
    return [_candle(row, f"venue {chosen.name}: {symbol}: row {i}") for i, row in enumerate(rows)]


async def _rows(venue: VenueConfig, symbol: str, span_ns: Ns) -> list[BarRow]:
    options, mistakes = options_of(venue, f"venue {venue.name}")
    if options is None:
        raise UserError("\n".join(mistakes))
    opened = adapter_of(venue).open_venue(options, MonotonicClock(), None)
    try:
        return await opened.recent_bars(symbol, span_ns, BARS)
    except VenueError as error:
        told = f"{error.code} {error.text}".strip()
        raise UserError(f"venue {venue.name} does not answer: {told}") from error
    except ValueError as error:
        raise UserError(f"venue {venue.name}: {error}") from error
    finally:
        await opened.gateway.close()


def _venue(config: Config, symbol: str, wanted: str, name: str) -> VenueConfig:
    """The venue that is named, or where the config trades the symbol, or the only one."""
    known = ", ".join(venue.name for venue in config.venues)
    found = [venue for venue in config.venues if venue.name == wanted]
    if wanted and not found:
        raise UserError(f"{name}: there is no venue {wanted!r}; there are: {known}")
    traded = {market.venue for market in config.markets if market.symbol == symbol}
    found = found or [venue for venue in config.venues if venue.name in traded] or config.venues
    if len(found) > 1:
        raise UserError(f"{name}: which venue? Name one with --venue: {known}")
    return found[0]


def reached(config: Config, venue: VenueConfig, name: str) -> VenueConfig:
    """With its addresses: a demo's venue is where the running demo has written it."""
    if config.mode is not Mode.DEMO or venue.urls:
        return venue
    try:
        state = json.loads((config.data_path / DEMO_STATE).read_text())
        urls = msgspec.convert(state["urls"], dict[str, str])
    except (OSError, ValueError, LookupError, TypeError, msgspec.ValidationError) as error:
        raise UserError(f"{name}: no demo is running: start `ballast demo` first") from error
    return msgspec.structs.replace(venue, urls=urls)


def _candle(row: BarRow, where: str) -> Candle:
    try:
        prices = [float(text) for text in row[1:6]]
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error
    made = Candle(
        at_ns=row[0] * NS_PER_MS,
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=prices[4],
    )
    if problem := made.problem():
        raise UserError(f"{where}: {problem}")
    return made
