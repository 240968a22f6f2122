"""What an importer gives: markets, and facts that can be read again from the start."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec

from adapters.importers.faults import Faults
from adapters.transport.capture import numbered
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.units import Ns

Targets: TypeAlias = dict[str, Instrument]
"""What each market of a source is to be called and counted in, by its name in the source.

A market that is not among them is left out. Ticks and lots are at least as fine as the source's.
"""
MOMENT_NS_MAX = 4 * 10**18
Facts: TypeAlias = Callable[[Faults, Targets], Iterator[Event]]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` opens the data from its start, in the order of the files; bad rows go to its faults.

    `notes` say what the format does not hold and what was assumed instead.
    """

    kind: str
    files: list[Path]
    instruments: list[Instrument]
    facts: Facts
    notes: list[str]

    @property
    def targets(self) -> Targets:
        """Every market as the source itself calls it."""
        return {each.market: each for each in self.instruments}


def moment(at_ns: Ns) -> Ns:
    """A time that can be: after 1970 and before 2096. Raises ValueError."""
    if not 0 < at_ns <= MOMENT_NS_MAX:
        raise ValueError(f"a time of {at_ns} ns since 1970")
    return at_ns


def venue_moment(venue_ns: Ns) -> Ns:
    """As `moment`, but 0 says that the venue tells none. Raises ValueError."""
    return moment(venue_ns) if venue_ns else 0


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a text file, plain, .gz, .xz or .zst, counted from 1. Raises UserError."""
    for number, line in numbered(path):
        yield number, line.decode("utf-8", "replace")
