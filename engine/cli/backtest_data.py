"""What a back-test runs on, as public facts: sessions, wire captures, or what `data` reads."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from adapters.codec.binance import BinanceCodec
from adapters.codec.binance_survey import survey as told_by
from adapters.codec.continuity import Dialect
from adapters.importers.opening import is_folder, is_wire
from adapters.loopback.config import btc_usdt
from adapters.loopback.recorded import Survey, survey, surveyed_spec
from adapters.transport.capture import read_lines
from engine.cli.backtest_imported import Imports
from engine.cli.backtest_words import Words
from engine.cli.data_sources import has_frames
from engine.cli.rebuild import config_of
from engine.runtime.config import Config, MarketConfig
from engine.runtime.config_tables import WatchedConfig
from engine.runtime.recording import DIRECTORY_NAME, SUFFIX, Session, entries, sessions
from engine.sim.backtest import merged
from engine.sim.recorded import PublicHalf, Source, own_reports
from engine.sim.replay import Made
from engine.values.errors import UserError
from engine.values.events import BookSnapshot, Event, OrderReport, VenueState
from engine.values.instrument import Instrument
from engine.values.units import Atoms, Ns

SURVEY_LINES = 20_000
DIALECT_FRAMES = 200


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` opens the data from its start. `opening` is what the account held then, if told.

    `shown` is put around the facts of the run itself, as for a progress bar.
    """

    instruments: dict[str, Instrument]
    facts: Callable[[], Source]
    opening: dict[str, dict[str, Atoms]]
    kind: str
    hash: str
    notes: list[str]
    sessions: list[Session] = []
    shown: Callable[[Source], Source] = iter


def data_of(config: Config, paths: list[Path], epoch: int, *, has_words: bool = True) -> Data:
    """By what the paths hold; sessions stand alone, all else may be put together.

    Without `has_words` the ratings and playbooks of a session are not told. Raises UserError.
    """
    are_sessions = [is_session(path) for path in paths]
    if all(are_sessions):
        chosen = [_session(path, epoch) for path in paths]
        return _of_sessions([Words(config, each, is_mute=not has_words) for each in chosen])
    if any(are_sessions):
        raise UserError("--data: either recorded sessions or other data, not both")
    if all(is_spot_wire(path) for path in paths):
        return _of_capture(config, paths)
    return _of_imports(Imports(config, paths))


def is_session(path: Path) -> bool:
    """A recording of a session, or a directory that is nothing else's."""
    if not path.is_dir():
        return path.suffix == SUFFIX
    places = (path, path / DIRECTORY_NAME)
    has_sessions = any(any(each.glob(f"*{SUFFIX}")) for each in places)
    return has_sessions or not (has_frames(path) or is_folder(path))


def is_spot_wire(path: Path) -> bool:
    """A capture of Binance spot. Raises UserError where the file cannot be read."""
    if not is_wire(path):
        return False
    frames = (frame for _, _, frame in islice(read_lines([path]), DIALECT_FRAMES))
    return told_by(frames, "any").dialect is Dialect.SPOT


def _of_imports(found: Imports) -> Data:
    return Data(
        instruments=found.instruments,
        facts=found.facts,
        opening={},
        kind=found.kind,
        hash=hash_of(found.files),
        notes=found.notes,
    )


def hash_of(paths: Iterable[Path]) -> str:
    """SHA-256 over the SHA-256 of each file, in order. Raises UserError."""
    whole = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    return whole.hexdigest()


# --- recorded sessions --------------------------------------------------------------------------


def _session(path: Path, epoch: int) -> Session:
    found = [each for each in sessions(path) if not epoch or each.header.epoch == epoch]
    if not found:
        raise UserError(f"{path}: no session {epoch} is here")
    return found[-1]


def _of_sessions(words: list[Words]) -> Data:
    found = [each.session for each in words]
    instruments: dict[str, Instrument] = {}
    for session in found:
        for each in session.header.instruments:
            if each.market in instruments:
                raise UserError(f"--data: {each.market} is in two of the recordings")
            instruments[each.market] = each
    reports = [list(own_reports(_facts(session))) for session in found]
    return Data(
        instruments=instruments,
        facts=lambda: merged(map(_public, words, reports)),
        opening=_openings(found),
        kind="recorded session",
        hash=hash_of(file for session in found for file in session.files),
        notes=[
            "our orders of then were taken out of the book; best prices were not compared",
            *dict.fromkeys(note for each in words for note in each.notes),
        ],
        sessions=found,
    )


def _public(words: Words, reports: list[OrderReport]) -> Iterator[Event]:
    session = words.session
    yield from words.before()
    config = config_of(session.header)
    own_orders_show = {each.market: each.own_orders_show for each in config.markets}
    yield from PublicHalf(own_orders_show, reports, words.is_told).facts(_facts(session))


def _facts(session: Session) -> Iterator[Event]:
    for entry in entries(session):
        if not isinstance(entry, Made):
            yield entry


def _openings(found: list[Session]) -> dict[str, dict[str, Atoms]]:
    """What each venue said first of our money."""
    opening: dict[str, dict[str, Atoms]] = {}
    for session in found:
        wanted = {each.venue for each in session.header.instruments} - opening.keys()
        for fact in _facts(session):
            if not wanted:
                break
            venue = fact.market.rpartition("@")[2] if isinstance(fact, VenueState) else ""
            if isinstance(fact, VenueState) and venue in wanted:
                wanted.remove(venue)
                opening[venue] = {
                    each.asset: each.free_atoms + each.locked_atoms for each in fact.balances
                }
    return opening


# --- wire captures ------------------------------------------------------------------------------


def _of_capture(config: Config, paths: list[Path]) -> Data:
    """Every market of the config whose symbol is in the capture; none is the user's mistake.

    Those that are only watched come too, but do not make it a capture of this config.
    """

    def lines() -> Iterator[tuple[Ns, bytes]]:
        return ((at_ns, frame) for _, at_ns, frame in islice(read_lines(paths), SURVEY_LINES))

    found = survey(lines)
    instruments = {}
    wanted: list[MarketConfig | WatchedConfig] = [*config.markets, *config.watched]
    for market in wanted:
        symbol = market.symbol.replace("/", "")
        if symbol in found.symbols:
            instruments[market.market] = _instrument(symbol, market.venue, found)
    if not any(market.market in instruments for market in config.markets):
        seen = ", ".join(found.symbols) or "none"
        raise UserError(f"--data: no market of the config is in the capture; in it are: {seen}")
    return Data(
        instruments=instruments,
        facts=lambda: _decoded(paths, list(instruments.values())),
        opening={},
        kind="wire capture",
        hash=hash_of(paths),
        notes=["tick and lot as fine as the capture, filters as of BTC/USDT on Binance spot"],
    )


def _instrument(symbol: str, venue: str, found: Survey) -> Instrument:
    spec = surveyed_spec(symbol, found, btc_usdt())
    return msgspec.structs.replace(spec.instrument(), venue=venue)


def _decoded(paths: list[Path], instruments: list[Instrument]) -> Iterator[Event]:
    codecs = {
        each.venue: BinanceCodec(
            [item for item in instruments if item.venue == each.venue], Dialect.SPOT
        )
        for each in instruments
    }
    for _, at_ns, frame in read_lines(paths):
        for codec in codecs.values():
            yield from codec.decode(frame, at_ns)


def first_mids(source: Source, wanted: set[str]) -> dict[str, int]:
    """Bid plus ask of each market's first snapshot."""
    found: dict[str, int] = {}
    for fact in source:
        is_new = isinstance(fact, BookSnapshot) and fact.market not in found
        if is_new and isinstance(fact, BookSnapshot) and fact.bids and fact.asks:
            found[fact.market] = fact.bids[0][0] + fact.asks[0][0]
        if wanted <= found.keys():
            break
    return found
