"""Sources of market data under the names and on the grids of one wish, on one clock."""

from collections.abc import Iterator
from enum import StrEnum
from heapq import merge
from itertools import starmap
from pathlib import Path
from typing import assert_never

import msgspec

from adapters.importers.faults import Faults
from adapters.importers.grid import assets_of
from adapters.importers.imported import Imported, Targets
from adapters.importers.opening import open_all
from adapters.importers.order import Clock, corrected, watched
from engine.cli.data_frames import open_frames
from engine.cli.progress import shown
from engine.runtime.frames import DIRECTORY_NAME, SUFFIX
from engine.values.errors import UserError
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, Ns


class Order(StrEnum):
    """What is done where times contradict each other: `adapters.importers.order` has the rules."""

    CORRECT = "correct"
    REFUSE = "refuse"
    KEEP = "keep"


class Source(msgspec.Struct, kw_only=True):
    """One source as it is wanted, and what came of reading it."""

    imported: Imported
    targets: Targets
    faults: Faults
    clock: Clock

    @property
    def venues(self) -> set[str]:
        """As the source itself calls them. One without markets is its own."""
        return {item.venue for item in self.imported.instruments} or {self.name}

    @property
    def name(self) -> str:
        files = self.imported.files
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        return f"{files[0]}{more}"


def open_sources(paths: list[Path]) -> list[Imported]:
    """One for each recording in `paths`, in their order. Raises UserError."""
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UserError(f"{missing}: is not there")
    frames = [open_frames(path) for path in paths if has_frames(path)]
    return [*frames, *open_all([path for path in paths if not has_frames(path)])]


def has_frames(path: Path) -> bool:
    """A file of recorded frames, or a directory with some in it or below it."""
    if not path.is_dir():
        return path.suffix == SUFFIX
    return any(any(each.glob(f"*{SUFFIX}")) for each in (path, path / DIRECTORY_NAME))


def wished(found: list[Imported], names: dict[str, str], only: set[str]) -> list[Source]:
    """Sources with the markets renamed by `names`; markets of one name share the finest grid.

    `only` keeps markets by their new names, all where it is empty. Raises UserError.
    """
    known = {market for each in found for market in each.targets}
    unknown = sorted(names.keys() - known)
    if unknown:
        raise UserError(f"{unknown[0]}: no such market; there are: {', '.join(sorted(known))}")
    renamed = [
        {old: renamed_as(item, names.get(old, old)) for old, item in each.targets.items()}
        for each in found
    ]
    grids: dict[str, Instrument] = {}
    for items in renamed:
        for item in items.values():
            grids[item.market] = finest(grids.get(item.market, item), item)
    if missing := sorted(only - grids.keys()):
        raise UserError(f"{missing[0]}: no such market; there are: {', '.join(sorted(grids))}")
    return [
        Source(
            imported=each,
            targets={
                old: grids[item.market]
                for old, item in items.items()
                if not only or item.market in only
            },
            faults=Faults(),
            clock=Clock(),
        )
        for each, items in zip(found, renamed, strict=True)
    ]


def renamed_as(item: Instrument, market: str) -> Instrument:
    """The same under another name, `SYMBOL@VENUE`. Raises UserError."""
    if market == item.market:
        return item
    symbol, found, venue = market.rpartition("@")
    if not (symbol and found and venue):
        raise UserError(f"{market!r} is not SYMBOL@VENUE")
    base, quote = assets_of(symbol.partition(":")[0])
    return msgspec.structs.replace(item, symbol=symbol, venue=venue, base=base, quote=quote)


def finest(one: Instrument, other: Instrument) -> Instrument:
    """One grid on which both lie."""
    is_same = (one.price_exponent, one.tick, one.size_exponent, one.lot) == (
        other.price_exponent, other.tick, other.size_exponent, other.lot,
    )  # fmt: skip
    if is_same:
        return one
    return msgspec.structs.replace(
        one,
        price_exponent=max(one.price_exponent, other.price_exponent),
        size_exponent=max(one.size_exponent, other.size_exponent),
        tick=1,
        lot=1,
    )


def instruments_of(sources: list[Source]) -> list[Instrument]:
    """Every wanted market once."""
    found = {item.market: item for each in sources for item in each.targets.values()}
    return list(found.values())


def prepare(sources: list[Source], order: Order, *, is_quiet: bool = False) -> None:
    """Look at all times once where the order asks for it. Raises UserError where it refuses.

    Sources of one venue are taken to be of one recorder: their clocks are put forward together.
    """
    if order is Order.KEEP:
        return
    for source in sources:
        facts = watched(source.imported.facts(Faults(), source.targets), source.clock)
        for _ in facts if is_quiet else shown(facts, "facts looked at"):
            pass
        if order is Order.REFUSE and source.clock.has_violations:
            raise UserError(f"{source.name}: {source.clock.words()}")
    for source in sources:
        source.clock.shift_ns = max(
            other.clock.shift_needed_ns for other in sources if other.venues & source.venues
        )


def on_one_clock(sources: list[Source], order: Order) -> Iterator[Event]:
    """All facts by local time; those of one moment in the order of the sources.

    Call `prepare` first. Bad rows go to each source's faults. Raises UserError.
    """
    for _, fact in merge(*(_timed(each, order) for each in sources), key=lambda timed: timed[0]):
        yield fact


def _timed(source: Source, order: Order) -> Iterator[tuple[Ns, Event]]:
    facts = source.imported.facts(source.faults, source.targets)
    match order:
        case Order.KEEP:
            latest_ns: Ns = 0
            for fact in watched(facts, source.clock):
                latest_ns = max(latest_ns, fact.at_ns)
                yield latest_ns, fact
        case Order.CORRECT | Order.REFUSE:
            told = corrected(facts, source.clock.shift_ns, source.name)
            yield from ((fact.at_ns, fact) for fact in told)
        case _:
            assert_never(order)


def notes_of(sources: list[Source]) -> list[str]:
    """What the formats do not hold, and what was changed in the times."""
    notes = [note for source in sources for note in source.imported.notes]
    return [*dict.fromkeys(notes), *starmap(_shift_note, _shifts(sources))]


def _shifts(sources: list[Source]) -> list[tuple[str, Ns]]:
    return [(each.name, each.clock.shift_ns) for each in sources if each.clock.shift_ns]


def _shift_note(name: str, shift_ns: Ns) -> str:
    return f"{Path(name).name}: local clock put forward by {shift_ns / NS_PER_MS:.6f} ms"
