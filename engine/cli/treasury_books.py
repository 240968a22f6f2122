"""The books of a data directory, made again from its journal: what `ledger` and `gains` show."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engine.cli.journal import journal_path
from engine.runtime.books_files import load_lots, load_prices
from engine.runtime.journal_reader import Row, Verified, read, verify
from engine.runtime.recording import DIRECTORY_NAME, sessions
from engine.runtime.treasury_file import load_treasury
from engine.treasury.books import KINDS, Books, BooksSetup
from engine.treasury.chart import Entry, Source
from engine.treasury.lot_book import Restated
from engine.treasury.lots import LotMethod
from engine.treasury.measures import Measures, measures_of
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.records import Listed
from engine.values.units import NS_PER_S, Ns

PRICE_AGE_S = 3_600


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which books, and how to keep them. `money` "" is the one quote asset that there is."""

    place: Path
    money: str
    method: LotMethod
    lots: Path | None
    prices: Path | None
    price_age_s: int


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said on the command line; where it is empty, the treasury file rules."""

    money: str
    method: LotMethod | None
    lots: Path | None
    prices: Path | None
    price_age_s: int


def wanted_of(place: Path, policy: Path | None, flags: Flags) -> Wanted:
    """The flags over the treasury file over first in, first out. Raises UserError."""
    file = None if policy is None else load_treasury(policy)
    books = None if file is None else file.books
    money = "" if file is None else file.money.name
    method, age_s = LotMethod.FIFO, PRICE_AGE_S
    lots = prices = None
    if books is not None:
        method, age_s = books.lot_method, books.price_age_max_s
        lots = Path(books.lots) if books.lots else None
        prices = Path(books.prices) if books.prices else None
    return Wanted(
        place=place,
        money=flags.money or money,
        method=flags.method or method,
        lots=flags.lots or lots,
        prices=flags.prices or prices,
        price_age_s=flags.price_age_s or age_s,
    )


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """Books that were made from a journal whose chain was walked first."""

    books: Books
    measures: Measures
    chain: Verified
    entries: list[Entry]
    alerts: list[str]
    restated: list[Restated]

    @property
    def suspended(self) -> dict[tuple[str, str], int]:
        """By (venue, asset), what nobody has explained."""
        places = self.books.compared
        found = {place: self.books.ledger.suspended(*place) for place in places}
        return {place: atoms for place, atoms in found.items() if atoms}

    @property
    def faults(self) -> list[str]:
        """Why the books are not proved; empty where they are."""
        found = []
        if self.chain.problem:
            found.append(f"the journal is broken: {self.chain.problem}")
        if not self.books.readings:
            found.append("the journal holds no reading of a venue to compare with")
        for (venue, asset), atoms in self.suspended.items():
            text = self.measures.text(asset, atoms)
            found.append(f"{venue}: {text} {asset} more at the venue than the books can explain")
        if self.books.waiting:
            found.append(f"{self.books.waiting} facts are of markets that nobody described")
        found += [alert for alert in self.alerts if "told twice" in alert]
        return found


def rebuilt(wanted: Wanted) -> Rebuilt:
    """Raises UserError for what is no journal, and for a fault in a file of lots or prices."""
    path = journal_path(wanted.place)
    chain = verify(path)
    rows = [] if chain.problem else list(read(path, kinds=KINDS))
    instruments = instruments_of(path, rows)
    measures = measures_of(instruments.values(), _money(wanted.money, instruments))
    setup = BooksSetup(
        measures=measures,
        prices=load_prices(wanted.prices, measures, wanted.price_age_s * NS_PER_S),
        method=wanted.method,
        lots={} if wanted.lots is None else load_lots(wanted.lots, measures),
    )
    made = Rebuilt(
        books=Books(setup), measures=measures, chain=chain, entries=[], alerts=[], restated=[]
    )
    if not any(row.kind == Listed.__name__ for row in rows):
        _list_all(made, instruments)
    for row in rows:
        told = made.books.remember(row.record, Source(row.seq, row.hash))  # type: ignore[arg-type]
        made.entries.extend(told.entries)
        made.alerts.extend(told.alerts)
        made.restated.extend(told.restated)
    made.books.check()
    return made


def instruments_of(path: Path, rows: list[Row]) -> dict[str, Instrument]:
    """As the journal says; for journals from before it did, as its recordings say."""
    found = {
        row.record.market: row.record.instrument for row in rows if isinstance(row.record, Listed)
    }
    directory = path.parent / DIRECTORY_NAME
    if not found and directory.is_dir():
        for session in sessions(path.parent):
            found |= {each.market: each for each in session.header.instruments}
    return found


def _list_all(made: Rebuilt, instruments: dict[str, Instrument]) -> None:
    for market, instrument in instruments.items():
        listed = Listed(market=market, at_ns=0, instrument=instrument)
        made.alerts.extend(made.books.remember(listed, Source(0, "")).alerts)


def _money(named: str, instruments: dict[str, Instrument]) -> str:
    quotes = sorted({each.quote for each in instruments.values()})
    if named:
        return named
    if len(quotes) != 1:
        known = ", ".join(quotes) or "the journal describes no market"
        raise UserError(f"--money: name the asset that everything is valued in: {known}")
    return quotes[0]


def when_text(at_ns: Ns | None) -> str:
    """UTC to the microsecond; "unknown" for what nobody dated."""
    if at_ns is None:
        return "unknown"
    seconds, rest_ns = divmod(at_ns, NS_PER_S)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ns // 1_000:06d}Z"
