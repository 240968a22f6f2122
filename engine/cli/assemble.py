"""From a config to an engine that is ready to run: the one place where every part is joined."""

import asyncio
import hashlib
import importlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from engine.cli.adapters import OpenVenue, adapter_of
from engine.cli.building import (
    REMEMBERED,
    Parts,
    build_engine,
    desk_words,
    rating_of,
    treasury_facts,
)
from engine.cli.loading import load_all, venue_options
from engine.cli.recording_frames import frame_recorder, frames_recorded
from engine.core import Engine, EngineParams
from engine.runtime.beat import Heart
from engine.runtime.clock import MonotonicClock
from engine.runtime.config import Config, MarketConfig, VenueConfig, config_hash
from engine.runtime.config_tables import TreasuryConfig
from engine.runtime.control import ControlServer
from engine.runtime.journal import SqliteJournal, open_journal
from engine.runtime.journal_reader import read
from engine.runtime.live import Live, Venue
from engine.runtime.lock import DataLock
from engine.runtime.operating import Operating
from engine.runtime.rating_file import RatingFile
from engine.runtime.recorder import Recorder, RecorderParams
from engine.runtime.recording import header_of
from engine.runtime.redaction import RedactingFilter, Redactor
from engine.runtime.secrets import Credentials, load_credentials
from engine.trading.keeper import KeeperParams
from engine.trading.maker import MakerParams
from engine.trading.order_table import Params as OrdersParams
from engine.trading.reconcile import ReconcileParams
from engine.values.errors import Transient, UserError, VenueError
from engine.values.events import PlaybookSet
from engine.values.instrument import Instrument
from engine.values.ports import Chain, Clock
from engine.values.records import Record, SessionStarted
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

Chains = Callable[[Clock], Mapping[str, Chain]]
"""The ways to the places of `[chain]`, for who brings other chains than the simulated one."""
PATIENCE_S = 120.0
"""How long a start waits for a venue that names a time to come back at."""


@asynccontextmanager
async def running(
    config: Config,
    name: str,
    redactor: Redactor,
    chains: Chains | None = None,
    clock: MonotonicClock | None = None,
) -> AsyncIterator[Live]:
    """An engine with its journal, venues and control socket open; `name` is the config's file.

    `chains` are others than the simulated one behind `[chain]` of the treasury, and `clock` is
    another than the machine's, for who simulates time. Raises UserError for whatever the config,
    its keys or the venue's list of markets lacks.
    """
    clock = clock or MonotonicClock()
    loaded = load_all(config, name)
    options = venue_options(config, name)
    if config.treasury is not None:
        chaining: Any = importlib.import_module("engine.cli.chaining")
        chaining.check_chain(config, chains)
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
        # Ask the venues what the markets are, and recover from what the journal holds.
        instruments = await read_instruments(config, opened)
        params, past_seq = _params(config, journal.epoch, opened), journal.count
        parts = Parts(config=config, loaded=loaded, instruments=instruments, params=params)
        live, venues = _join(parts, opened, journal, clock)
        if config.runtime.record_frames:
            feeds = {venue.name: venue.feed for venue in venues}
            recorder = frame_recorder(config, instruments.values(), clock.now_ns())
            await stack.enter_async_context(frames_recorded(recorder, feeds, live.warn))
        if config.runtime.record:
            live.recorder = _recorder(parts, past_seq, clock, redactor)
            live.recorder.start()
            stack.callback(live.recorder.close)
        if config.runtime.ratings_file:
            path, names = Path(config.runtime.ratings_file), frozenset(live.engine.makers)
            ratings = RatingFile(path, names, clock, live.warn)
            every_s = config.runtime.ratings_every_s
            live.files["ratings"] = lambda inbox: ratings.watch(inbox, every_s)
        if config.treasury is not None:
            _watch_treasury(config, config.treasury, live)
            if config.treasury.volumes == "venue":
                _watch_volumes(config, live, opened, instruments)
            chaining.watch_chain(config, live, chains)
        live.heart = stack.enter_context(Heart(config.data_path))
        handler = Operating(live, config.name, config.mode.value).handle
        control = ControlServer(config.socket_path, handler, redactor=redactor)
        await stack.enter_async_context(control)
        yield live


def _join(
    parts: Parts, opened: dict[str, OpenVenue], journal: SqliteJournal, clock: MonotonicClock
) -> tuple[Live, list[Venue]]:
    config = parts.config
    engine = build_engine(parts, _past(config.journal_path))
    venues = _venues(config, engine, opened, parts.instruments)
    live = Live(engine, venues, journal, clock, config.runtime)
    free = msgspec.structs.replace(config, treasury=None)  # a rehearsal is given no balances
    live.scratch = lambda: build_engine(
        msgspec.structs.replace(parts, config=free, loaded=load_all(config, ""))
    )
    for fact in (*desk_words(config, clock.now_ns()), *treasury_facts(config, clock.now_ns())):
        live.inbox.put(fact)
    for market in config.markets:
        if market.rating is not None:
            live.inbox.put(rating_of(market, clock.now_ns()))
        if market.playbook:
            text = config.playbooks[market.playbook]
            live.inbox.put(_playbook(market, text, clock.now_ns()))
    return live, venues


def _watch_treasury(config: Config, wanted: TreasuryConfig, live: Live) -> None:
    """What the config was read with is told already; what changes from now on is told then."""
    watching: Any = importlib.import_module("engine.runtime.treasury_watch")
    statements = [Path(name) for name in wanted.statements]
    watch = watching.TreasuryWatch(Path(wanted.file), live.clock, live.warn, statements)
    watch.know(treasury_facts(config, 0))
    live.files["treasury"] = lambda inbox: watch.watch(inbox, wanted.every_s)
    if wanted.roster:
        people: Any = importlib.import_module("engine.runtime.desk_watch")
        desk = people.DeskWatch(wanted, config.treasury_texts, live.clock, live.warn)
        live.files["desk"] = lambda inbox: desk.watch(inbox, wanted.every_s)


def _watch_volumes(
    config: Config,
    live: Live,
    opened: dict[str, OpenVenue],
    instruments: dict[str, Instrument],
) -> None:
    """What anybody traded in a day, of the markets that we quote, where their venue says so."""
    asking: Any = importlib.import_module("engine.runtime.volume_watch")
    starting: Any = importlib.import_module("engine.cli.stewarding")
    items = [instruments[item.market] for item in config.markets]
    gateways = {name: venue.gateway for name, venue in opened.items()}
    scheme = starting.scheme_in(config)
    watch = asking.VolumeWatch(gateways, items, scheme, live.clock, live.warn)
    live.files["volumes"] = watch.watch


def _recorder(parts: Parts, past_seq: int, clock: MonotonicClock, redactor: Redactor) -> Recorder:
    past = past_seq, clock.now_ns(), version("ballast")
    items = list(parts.instruments.values())
    header = header_of(parts.config, parts.params, items, parts.loaded, past)
    return Recorder(parts.config.data_path, header, RecorderParams(), redactor.redact)


def _venues(
    config: Config,
    engine: Engine,
    opened: dict[str, OpenVenue],
    instruments: dict[str, Instrument],
) -> list[Venue]:
    return [
        Venue(
            name=name,
            markets=[m.market for m in config.markets if m.venue == name],
            feed=venue.feed(
                [i for i in instruments.values() if i.venue == name], _bars_of(engine, name)
            ),
            gateway=venue.gateway,
        )
        for name, venue in opened.items()
    ]


async def read_instruments(config: Config, opened: dict[str, OpenVenue]) -> dict[str, Instrument]:
    """What every venue says of our markets. Raises UserError where one does not answer in time."""
    found: dict[str, Instrument] = {}
    for name, venue in opened.items():
        symbols = [market.symbol for market in config.markets if market.venue == name]
        symbols += [item.symbol for item in config.watched if item.venue == name]
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


def _playbook(market: MarketConfig, text: str, now_ns: Ns) -> PlaybookSet:
    """What the config loads, for the journal; it is in force already."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return PlaybookSet(
        market=market.market,
        at_ns=now_ns,
        who="config",
        name=market.playbook,
        digest=digest,
        text=text,
    )


def _bars_of(engine: Engine, venue: str) -> dict[str, tuple[Ns, ...]]:
    """The bars that somebody wants, by market of this venue."""
    wanted: dict[str, set[Ns]] = {}
    for maker in engine.makers.values():
        advice = maker.quoter.guidance.advice
        for market in () if advice is None else (maker.market, advice.broad):
            if advice is not None and market.endswith(f"@{venue}"):
                wanted.setdefault(market, set()).update(advice.spans_ns(market))
    return {market: tuple(sorted(spans)) for market, spans in wanted.items() if spans}


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
