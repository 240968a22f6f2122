"""A back-test's data from any form that `ballast data` reads, by the names of the config."""

from collections.abc import Iterator
from pathlib import Path

from adapters.importers.grid import is_bare
from engine.cli.data_sources import (
    Order,
    Source,
    instruments_of,
    notes_of,
    on_one_clock,
    open_sources,
    prepare,
    wished,
)
from engine.runtime.config import Config, MarketConfig
from engine.runtime.config_tables import WatchedConfig
from engine.values.errors import UserError
from engine.values.events import (
    BarForming,
    BarsClosed,
    BookDelta,
    BookLost,
    BookSnapshot,
    Event,
    TopOfBook,
    Trade,
)
from engine.values.instrument import Instrument

MARKET_FACTS = (BookSnapshot, BookDelta, BookLost, TopOfBook, Trade, BarsClosed, BarForming)
ASSUMED = "tick and lot as fine as the data; no filters, and no fees but those of --fees"
"""Said of markets whose form tells no more; recorded frames hold what the venue said of them."""


class Imports:
    """The markets of a config in imported data. `facts` opens them from their start, each time.

    Times are corrected by the rules of `adapters.importers.order`; with a single recording its own
    clock is good enough, since only the order counts. `notes` grow by what was wrong with the rows.
    """

    def __init__(self, config: Config, paths: list[Path]) -> None:
        found = open_sources(paths)
        names, self.notes = names_of(config, [item for each in found for item in each.instruments])
        self._found = found
        self._names = names
        self._wanted = set(names.values())
        sources = self._sources()
        if len(sources) > 1:
            # Silent, since a sweep does this in many processes at once.
            prepare(sources, Order.CORRECT, is_quiet=True)
        self._shifts = [source.clock.shift_ns for source in sources]
        self.kind = ", ".join(dict.fromkeys(each.kind for each in found))
        self.files = [file for each in found for file in each.files]
        self.instruments = {item.market: item for item in instruments_of(sources)}
        is_assumed = any(is_bare(item) for item in self.instruments.values())
        self.notes += [*notes_of(sources), *([ASSUMED] if is_assumed else [])]

    def facts(self) -> Iterator[Event]:
        """Raises UserError, also in the middle."""
        sources = self._sources()
        for source, shift_ns in zip(sources, self._shifts, strict=True):
            source.clock.shift_ns = shift_ns
        for fact in on_one_clock(sources, Order.CORRECT):
            if isinstance(fact, MARKET_FACTS):
                yield fact
        self._tell_faults(sources)

    def _sources(self) -> list[Source]:
        sources = wished(self._found, self._names, self._wanted)
        return [source for source in sources if source.targets]

    def _tell_faults(self, sources: list[Source]) -> None:
        for faults in (source.faults for source in sources if source.faults.bad):
            first = faults.first[0]
            where = f"{Path(first.file).name}:{first.line}: {first.reason}"
            note = f"{faults.bad} bad rows were left out, the first {where}"
            if note not in self.notes:
                self.notes.append(note)


def names_of(config: Config, found: list[Instrument]) -> tuple[dict[str, str], list[str]]:
    """What each market of the data is called in the config, and what was taken for granted.

    A market is the config's by its whole name, or else by its symbol, where marks between base and
    quote do not count and the venue does only where two would fit. A single market of the data is
    the config's single one, whatever its name. Raises UserError where none fits, or too many.
    """
    wanted = config.markets
    names = {item.market: name for item in found if (name := _fitting(config, item))}
    if names:
        return names, []
    single = {item.market for item in found}
    if len(single) == 1 and len(wanted) == 1:
        (only,) = single
        return {only: wanted[0].market}, [f"{only} is taken to be {wanted[0].market}"]
    there = ", ".join(sorted(single)) or "none"
    raise UserError(f"--data: no market of the config is in the data; in it are: {there}")


def _fitting(config: Config, item: Instrument) -> str:
    """The config's market for one of the data, "" where there is none."""
    known: list[MarketConfig | WatchedConfig] = [*config.markets, *config.watched]
    if item.market in [each.market for each in known]:
        return item.market
    by_symbol = [each for each in known if squashed(each.symbol) == squashed(item.symbol)]
    by_venue = [each for each in by_symbol if item.venue in _venue_names(config, each)]
    fitting = by_venue or by_symbol
    if len(fitting) > 1:
        told = ", ".join(each.market for each in fitting)
        raise UserError(
            f"--data: {item.market} fits {told}: name it with `ballast data convert --as`"
        )
    return fitting[0].market if fitting else ""


def _venue_names(config: Config, market: MarketConfig | WatchedConfig) -> tuple[str, str]:
    return market.venue, config.venue(market.venue).exchange


def squashed(symbol: str) -> str:
    """`BTC/USDT`, `btc-usdt` and `BTCUSDT` are one symbol, and `BTC/USDT:USDT` is not."""
    return "".join(each for each in symbol.upper() if each.isalnum() or each == ":")
