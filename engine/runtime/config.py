"""The one config file: TOML to frozen structs, or every mistake in it named by its path.

Each module owns its params; this composes them. All paths in it are relative to the directory that
the command is run in. Nothing about money or limits has a default.
"""

import hashlib
import re
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from engine.runtime.config_base import whole_table
from engine.runtime.config_check import secret_problems
from engine.runtime.config_tables import (
    LOOPBACK_HOST,
    MarketConfig,
    RuntimeParams,
    TreasuryConfig,
    VenueConfig,
    WatchedConfig,
    host_of,
)
from engine.runtime.journal import JournalParams
from engine.runtime.person_file import read_text
from engine.trading.risk import rows_problem
from engine.treasury.bands import Bands
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.table_check import problems, toml_table

__all__ = [
    "JOURNAL_NAME",
    "SOCKET_NAME",
    "Config",
    "MarketConfig",
    "Mode",
    "RuntimeParams",
    "VenueConfig",
    "bands_of",
    "config_hash",
    "config_of_table",
    "load_config",
    "parse_config",
    "require_consent",
    "with_files",
    "with_urls",
]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
SYMBOL = re.compile(r"[A-Z0-9]{1,20}/[A-Z0-9]{1,20}(:[A-Z0-9]{1,20})?")
ID_PREFIX = re.compile(r"[a-z]{2,8}")
URLS_NEEDED_ANYWHERE = ("public", "private")
URLS_NEEDED = {"binance": ("public", "private", "ws.spot", "ws.ws-api.spot")}
"""A loopback venue must stand in for all of these: half a detour would trade real money."""
JOURNAL_NAME = "journal.db"
SOCKET_NAME = "control.sock"
TREASURY_START = "engine.runtime.treasury_start"


class Mode(StrEnum):
    """DEMO and PAPER never reach real money; LIVE also needs `--live` on the command."""

    DEMO = "demo"
    PAPER = "paper"
    LIVE = "live"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole config file. `playbooks` are the files that its markets name, by name, and
    `treasury_texts` those of its treasury: they are read with it, so that its hash is theirs, too,
    and no file may hold them.
    """

    mode: Mode
    name: str
    data_dir: str
    id_prefix: str = "bal"
    journal: JournalParams = JournalParams()
    runtime: RuntimeParams = RuntimeParams()
    venues: list[VenueConfig]
    markets: list[MarketConfig]
    watched: list[WatchedConfig] = []
    treasury: TreasuryConfig | None = None
    playbooks: dict[str, str] = {}
    treasury_texts: dict[str, str] = {}

    def __repr__(self) -> str:
        markets = ", ".join(market.market for market in self.markets)
        return f"<config {self.name} {self.mode} {markets}>"

    @property
    def data_path(self) -> Path:
        return Path(self.data_dir).expanduser()

    @property
    def journal_path(self) -> Path:
        return self.data_path / JOURNAL_NAME

    @property
    def socket_path(self) -> Path:
        return self.data_path / SOCKET_NAME

    def venue(self, name: str) -> VenueConfig:
        return next(venue for venue in self.venues if venue.name == name)


def load_config(path: Path) -> Config:
    """Read and check a config file. Raises UserError with one line for each mistake.

    One that stands on another (`base`) is checked after that one, whose mistakes are its own.
    """
    table, base = whole_table(path)
    if base is not None:
        parse_config(read_text(base), str(base))
    return with_files(config_of_table(table, str(path)))


def with_files(config: Config) -> Config:
    """The config with the text of every file that it names. Raises UserError."""
    named = dict.fromkeys(market.playbook for market in config.markets if market.playbook)
    texts: dict[str, str] = {}
    if config.treasury is not None:
        starting: Any = import_module(TREASURY_START)  # costs nothing where there is no treasury
        texts = starting.texts_of(config.treasury)
    playbooks = {name: read_text(Path(name)) for name in named}
    return msgspec.structs.replace(config, playbooks=playbooks, treasury_texts=texts)


def parse_config(text: str, name: str) -> Config:
    """The config in `text`; `name` is what its mistakes are reported under. Raises UserError."""
    return config_of_table(toml_table(text, name), name)


def config_of_table(table: dict[str, Any], name: str) -> Config:
    """The same of a parsed one. Raises UserError."""
    found = secret_problems(table) or problems(table, Config, "")
    config = None if found else msgspec.convert(table, Config)
    if config is not None:
        found = list(_disagreements(config))
    if found or config is None:
        raise UserError("\n".join(f"{name}: {problem}" for problem in found))
    return config


def config_hash(config: Config) -> str:
    """SHA-256 of the config's canonical form: comments, order and spelling do not change it."""
    return hashlib.sha256(msgspec.json.encode(config, order="sorted")).hexdigest()


def require_consent(config: Config, *, is_live_flag: bool) -> None:
    """Real money needs two words: one in the file and one on the command; a demo has none.

    Raises UserError.
    """
    if config.mode is Mode.DEMO and not all(venue.is_loopback for venue in config.venues):
        raise UserError('mode: a "demo" has no venue of its own until `ballast demo` runs it')
    if config.mode is Mode.LIVE and not is_live_flag:
        raise UserError('mode: "live" also needs --live on the command')
    if is_live_flag and config.mode is not Mode.LIVE:
        raise UserError(f'mode: --live was given but the file says "{config.mode}"')


def with_urls(config: Config, venue: str, urls: dict[str, str]) -> Config:
    """The same config with a venue's addresses replaced, as the demo does. Raises UserError."""
    venues = [
        msgspec.structs.replace(v, urls=urls) if v.name == venue else v for v in config.venues
    ]
    changed = msgspec.structs.replace(config, venues=venues)
    plain = msgspec.structs.replace(changed, playbooks={}, treasury_texts={})
    if found := list(_disagreements(plain)):
        raise UserError(found[0])
    return changed


def bands_of(market: MarketConfig, instrument: Instrument) -> Bands:
    """The market's bands in lots of its instrument. Raises UserError naming one off the grid."""
    lots = {}
    for name, text in msgspec.structs.asdict(market.bands).items():
        try:
            lots[f"{name}_lots"] = instrument.lots(text)
        except ValueError as error:
            raise UserError(f"markets.{market.market}.bands.{name}: {error}") from error
    return Bands(**lots)


def _disagreements(config: Config) -> Iterator[str]:
    """What is wrong although every part is right by itself."""
    if config.playbooks:
        yield "playbooks: a market names its own, as playbook = FILE"
    if config.treasury_texts:
        yield "treasury_texts: [treasury] names its files"
    if not NAME.fullmatch(config.name):
        yield "name: letters, digits, - and _, at most 32"
    if not ID_PREFIX.fullmatch(config.id_prefix):
        yield "id_prefix: 2 to 8 small letters; orders that start with it are this engine's"
    if not config.data_dir.strip():
        yield "data_dir: must name a directory"
    yield from _repeats([venue.name for venue in config.venues], "venues")
    yield from _repeats([market.market for market in config.markets], "markets")
    traded = {item.market for item in config.markets}
    looked_at = [item.market for item in config.watched]
    if len(traded.union(looked_at)) < len(traded) + len(looked_at):
        yield "watched: a market that is quoted or watched already"
    for index, venue in enumerate(config.venues):
        yield from _venue_problems(config.mode, venue, f"venues[{index}]")
    names = {venue.name for venue in config.venues}
    for index, watched in enumerate(config.watched):
        yield from _market_problems(watched, names, f"watched[{index}]")
    for index, market in enumerate(config.markets):
        path = f"markets[{index}]"
        yield from _market_problems(market, names, path)
        yield from _relation_problems(config, market, path)
        if problem := rows_problem(market.risk):
            yield f"{path}.risk: {problem}"


def _market_problems(
    market: MarketConfig | WatchedConfig, venues: set[str], path: str
) -> Iterator[str]:
    if not SYMBOL.fullmatch(market.symbol):
        yield f'{path}.symbol: expected a symbol like "BTT/USDT"'
    if market.venue not in venues:
        yield f'{path}.venue: there is no [[venues]] with name = "{market.venue[:40]}"'


def _relation_problems(config: Config, market: MarketConfig, path: str) -> Iterator[str]:
    """What a market says of other markets: those it looks at and those it is covered in."""
    traded = {item.market for item in config.markets}
    seen = traded | {item.market for item in config.watched}
    if market.broad and market.broad not in seen:
        yield f'{path}.broad: "{market.broad[:40]}" is none of [[markets]] and [[watched]]'
    for index, other in enumerate(market.others):
        if other not in seen or other == market.market:
            yield f'{path}.others[{index}]: "{other[:40]}" is no other of [[markets]], [[watched]]'
    for index, instrument in enumerate(market.hedge):
        if instrument.market not in traded:
            yield f'{path}.hedge[{index}].market: "{instrument.market[:40]}" is none of [[markets]]'
    if market.hedge and not market.playbook:
        yield f"{path}.hedge: needs a playbook, whose [hedge] says when"


def _repeats(names: list[str], path: str) -> Iterator[str]:
    if not names:
        yield f"{path}: at least one is needed"
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f'{path}[{index}]: "{name[:40]}" is there twice'


def _venue_problems(mode: Mode, venue: VenueConfig, path: str) -> Iterator[str]:
    for field in ("name", "exchange"):
        if not NAME.fullmatch(getattr(venue, field)):
            yield f"{path}.{field}: letters, digits, - and _, at most 32"
    if venue.key and not NAME.fullmatch(venue.key):
        yield f"{path}.key: the name of a key is letters, digits, - and _, at most 32"
    for name, url in venue.urls.items():
        if mode is not Mode.LIVE and host_of(url) != LOOPBACK_HOST:
            yield f"{path}.urls.{name}: only {LOOPBACK_HOST} may stand here unless mode is live"
    if mode is not Mode.LIVE and venue.urls and not venue.sandbox:
        needed = URLS_NEEDED.get(venue.exchange, URLS_NEEDED_ANYWHERE)
        for name in (name for name in needed if name not in venue.urls):
            yield f"{path}.urls.{name}: missing; without it this goes to the real venue"
    if mode is Mode.LIVE and not venue.key:
        yield f"{path}.key: missing; live trading needs the name of a key"
    if mode is Mode.PAPER and not (venue.sandbox or venue.urls):
        yield f"{path}: paper trading needs sandbox = true or urls on {LOOPBACK_HOST}"
