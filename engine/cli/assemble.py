"""From a config to an engine that is ready to run: the one place where every part is joined."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from engine.cli.adapters import OpenVenue, adapter_of
from engine.cli.loading import load_all, venue_options
from engine.core import Engine, EngineParams
from engine.runtime.beat import Heart
from engine.runtime.clock import MonotonicClock
from engine.runtime.config import Config, MarketConfig, VenueConfig, bands_of, config_hash
from engine.runtime.control import ControlServer
from engine.runtime.journal import SqliteJournal, open_journal
from engine.runtime.journal_reader import read
from engine.runtime.live import Live, Venue
from engine.runtime.lock import DataLock
from engine.runtime.operating import Operating
from engine.runtime.plugins import LoadedStrategy
from engine.runtime.redaction import RedactingFilter, Redactor
from engine.runtime.secrets import Credentials, load_credentials
from engine.trading.keeper import KeeperParams
from engine.trading.maker import MakerParams
from engine.trading.order_table import Params as OrdersParams
from engine.trading.quoter import MarketSetup
from engine.trading.reconcile import ReconcileParams
from engine.values.errors import Transient, UserError, VenueError
from engine.values.events import RatingSet
from engine.values.instrument import Instrument
from engine.values.records import Record, SessionStarted
from engine.values.units import NS_PER_MS, NS_PER_S

REMEMBERED = (
    "Opening", "Adjusted", "OrderIntent", "OrderReport", "OrderFailed", "CancelFailed",
    "OrderAbsent", "Fill", "Cancel", "CancelAll", "RatingSet", "Halt", "Resume", "StateChanged",
)  # fmt: skip
"""Records that a start joins again; the others explain, and are for people."""
PATIENCE_S = 120.0
"""How long a start waits for a venue that names a time to come back at."""


@asynccontextmanager
async def running(config: Config, name: str, redactor: Redactor) -> AsyncIterator[Live]:
    """An engine with its journal, venues and control socket open; `name` is the config's file.

    Raises UserError for whatever the config, its keys or the venue's list of markets lacks.
    """
    clock = MonotonicClock()
    loaded = load_all(config, name)
    options = venue_options(config, name)
    async with AsyncExitStack() as stack:
        stack.enter_context(DataLock(config.data_path))
        opening = open_journal(config.journal_path, config.journal, clock.now_ns, redactor.redact)
        journal = await stack.enter_async_context(await opening)
        await _announce(config, journal, clock)
        opened: dict[str, OpenVenue] = {}
        for venue in config.venues:
            keys, adapter = keys_of(venue, redactor), adapter_of(venue)
            opened[venue.name] = adapter.open_venue(options[venue.name], clock, keys)
            stack.push_async_callback(opened[venue.name].gateway.close)
        live = await _join(config, loaded, opened, journal, clock)
        live.heart = stack.enter_context(Heart(config.data_path))
        handler = Operating(live, config.name, config.mode.value).handle
        control = ControlServer(config.socket_path, handler, redactor=redactor)
        await stack.enter_async_context(control)
        yield live


async def _join(
    config: Config,
    loaded: list[LoadedStrategy],
    opened: dict[str, OpenVenue],
    journal: SqliteJournal,
    clock: MonotonicClock,
) -> Live:
    """Ask the venues what the markets are, and recover from what the journal holds."""
    instruments = await read_instruments(config, opened)
    params = _params(config, journal.epoch, opened)
    engine = Engine(_setups(config, loaded, instruments), params, _past(config.journal_path))
    venues = [
        Venue(
            name=name,
            markets=[m.market for m in config.markets if m.venue == name],
            feed=venue.feed([i for i in instruments.values() if i.venue == name]),
            gateway=venue.gateway,
        )
        for name, venue in opened.items()
    ]
    live = Live(engine, venues, journal, clock, config.runtime)
    live.scratch = lambda: Engine(_setups(config, load_all(config, ""), instruments), params)
    for market in config.markets:
        if market.rating is not None:
            live.inbox.put(_rating(market, clock.now_ns()))
    return live


async def read_instruments(config: Config, opened: dict[str, OpenVenue]) -> dict[str, Instrument]:
    """What every venue says of our markets. Raises UserError where one does not answer in time."""
    found: dict[str, Instrument] = {}
    for name, venue in opened.items():
        symbols = [market.symbol for market in config.markets if market.venue == name]
        for instrument in await _patiently(name, venue, symbols):
            found[instrument.market] = instrument
    return found


async def _patiently(name: str, venue: OpenVenue, symbols: list[str]) -> list[Instrument]:
    """Wait out a venue that asks for it: orders of an earlier session may be open meanwhile."""
    patience_s = PATIENCE_S
    while True:
        try:
            return await venue.gateway.instruments(symbols)
        except VenueError as error:
            wait_s = error.retry_after_ns / NS_PER_S
            is_worth_it = isinstance(error, Transient) and 0 < wait_s <= patience_s
            if not is_worth_it:
                told = f"{error.code} {error.text}"
                raise UserError(f"venue {name} does not answer: {told}") from error
            logging.warning("venue %s: %s, waiting %.1f s", name, error.text, wait_s)
        patience_s -= wait_s
        await asyncio.sleep(wait_s)


def _setups(
    config: Config, loaded: list[LoadedStrategy], instruments: dict[str, Instrument]
) -> list[MarketSetup]:
    return [
        _setup(market, strategy, instruments[market.market])
        for market, strategy in zip(config.markets, loaded, strict=True)
    ]


def _setup(market: MarketConfig, loaded: LoadedStrategy, instrument: Instrument) -> MarketSetup:
    return MarketSetup(
        instrument=instrument,
        bands=bands_of(market, instrument),
        rows=market.risk,
        strategy=loaded.strategy,
        strategy_name=f"{loaded.name} {loaded.file_hash[:12]}",
        features=market.features.params(),
        snapshot_share_ppm=market.snapshot_share_ppm,
        own_orders_show=market.own_orders_show,
    )


def _params(config: Config, epoch: int, opened: dict[str, OpenVenue]) -> EngineParams:
    timeouts = [venue.options.request_timeout_ms for venue in opened.values()]
    windows = [venue.options.recv_window_ms for venue in opened.values()]
    orders = OrdersParams(valid_ns=max(windows) * NS_PER_MS, lag_ns=max(timeouts) * NS_PER_MS)
    return EngineParams(
        epoch=epoch,
        id_prefix=config.id_prefix,
        maker=MakerParams(config_hash=config_hash(config), reconcile=ReconcileParams()),
        keeper=KeeperParams(
            orders=orders, reconcile_every_ns=int(config.runtime.reconcile_s * NS_PER_S)
        ),
        timer_ns=config.runtime.timer_ms * NS_PER_MS,
    )


def keys_of(venue: VenueConfig, redactor: Redactor) -> Credentials | None:
    return load_credentials(venue.key, venue.key_file, redactor) if venue.key else None


def _past(path: Path) -> Iterator[Record]:
    """What the journal holds of orders, money and people's words, oldest first."""
    if path.exists():
        for row in read(path, kinds=REMEMBERED):
            yield row.record


def _rating(market: MarketConfig, now_ns: int) -> RatingSet:
    assert market.rating is not None
    return RatingSet(
        market=market.market,
        at_ns=now_ns,
        label=market.rating.label,
        expires_ns=now_ns + int(market.rating.ttl_s * NS_PER_S),
        source="config",
    )


async def _announce(config: Config, journal: SqliteJournal, clock: MonotonicClock) -> None:
    started = SessionStarted(
        at_ns=clock.now_ns(),
        epoch=journal.epoch,
        config_hash=config_hash(config),
        code_version=version("ballast"),
        mode=config.mode.value,
    )
    journal.append([started])
    await journal.commit()


def quiet_logging(redactor: Redactor) -> None:
    """Other people's warnings go to standard error, and no secret with them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter(redactor))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
