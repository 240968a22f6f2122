"""What a chain had locked when an engine stopped, from its journal: no file speaks of it."""

from pathlib import Path

from engine.runtime.treasury_file import TreasuryFile
from engine.runtime.treasury_rows import locks_of
from engine.trading.chain_work import FLIGHT
from engine.values.ledger_words import Held, HoldingsRead, LockMoved, TransferArrived, TransferSent
from engine.values.treasury_words import Lock, LockSet
from engine.values.units import Ns

WHO = "chain"


class ChainLocks:
    """Told the records in their order. Which of the last locks are a chain's is read as a start
    reads it: those at a place that a chain spoke of, and what is on its way."""

    def __init__(self) -> None:
        self._rows: list[Lock] = []
        self._places: set[str] = set()
        self._flights: set[str] = set()

    def remember(self, record: object) -> None:
        match record:
            case LockSet():
                self._rows = record.rows
            case Held() | HoldingsRead() if record.who == WHO:
                self._places.add(record.venue)
            case LockMoved():
                self._places.add(record.venue)
            case TransferSent():
                self._flights.add(FLIGHT + record.ref)
            case TransferArrived():
                self._flights.discard(FLIGHT + record.ref)
            case _:
                pass

    def rows(self) -> list[Lock]:
        return [row for row in self._rows if self._is_chained(row)]

    def _is_chained(self, row: Lock) -> bool:
        if row.name.startswith(FLIGHT):
            return row.name in self._flights
        return row.place in self._places


def all_locks(chained: list[Lock], file: TreasuryFile, at_ns: Ns) -> list[Lock]:
    """Those of today's file and these. Of two under one name the larger one counts: never less is
    locked than there is. Raises UserError for a file that makes no sense."""
    found = {row.name: row for row in _by_hand(file, at_ns)}
    for row in chained:
        other = found.get(row.name)
        if other is None or other.atoms < row.atoms:
            found[row.name] = row
    return list(found.values())


def _by_hand(file: TreasuryFile, at_ns: Ns) -> list[Lock]:
    if file.files is None or not file.files.locks:
        return []
    return locks_of(Path(file.files.locks), file, at_ns, "").rows
