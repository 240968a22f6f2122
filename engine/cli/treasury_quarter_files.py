"""A quarter left behind as files: what `treasury report`, `ledger` and `journal verify` read."""

import asyncio
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import tomlkit

from engine.runtime.action_driver import JOURNAL_NAME as DESK_NAME
from engine.runtime.config import JOURNAL_NAME
from engine.runtime.journal import JournalParams, open_journal
from engine.runtime.person_file import read_text
from engine.runtime.private_files import private_directory
from engine.runtime.treasury_rows import LOCK_COLUMNS, OBLIGATION_COLUMNS
from engine.sim.quarter import Outcome
from engine.treasury.amounts import Price
from engine.treasury.chart import Entry
from engine.treasury.dates import NS_PER_H, day_text
from engine.treasury.depth import DepthBook, Level
from engine.treasury.facts import Facts, Scheme
from engine.values.action_records import ActionRecord
from engine.values.errors import UserError
from engine.values.records import Record
from engine.values.treasury_words import Lock, Obligation
from engine.values.units import NS_PER_S, Atoms, Ns, decimal_text

POLICY, OWED, LOCKS, FACTS, LEDGER, ROWS = (
    "treasury.toml", "obligations.csv", "locks.csv", "facts.json", "ledger.csv", "journal.jsonl",
)  # fmt: skip
DIGITS = 30
ROWS_AT_ONCE = 5_000
ACTIONS = get_args(ActionRecord)
POSTING = ("number", "when_ns", "key", "reason", "proposal", "account", "asset", "atoms", "text")


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a quarter leaves. `records` are all rows, those of the desk of actions among them."""

    policy: Path
    records: list[Record]
    entries: list[Entry]
    facts: Facts
    references: Mapping[str, Price]


def write_quarter(directory: Path, policy: Path, outcome: Outcome) -> None:
    """Journals, ledger, policy and the picture of the end. Raises UserError; replaces nothing."""
    refuse_full(directory)
    private_directory(directory)
    world = outcome.world
    asyncio.run(write_journal(directory / JOURNAL_NAME, world.records))
    write_left(
        directory,
        Left(
            policy=policy,
            records=world.records,
            entries=world.entries,
            facts=world.treasury.holdings.facts(),
            references=world.treasury.limits.references,
        ),
    )


def refuse_full(directory: Path) -> None:
    """Raises UserError where something lies there already."""
    if directory.exists() and any(directory.iterdir()):
        raise UserError(f"{directory}: is not empty")


def write_left(directory: Path, left: Left) -> None:
    """The desk's own journal, and everything that is text; what is there is written anew."""
    actions = [record for record in left.records if isinstance(record, ACTIONS)]
    asyncio.run(write_journal(directory / DESK_NAME, actions))
    scheme, facts = left.facts.scheme, left.facts
    texts = {
        POLICY: _policy(directory, left.policy),
        OWED: csv_text(OBLIGATION_COLUMNS, owed_rows(scheme, facts.obligations)),
        LOCKS: csv_text(LOCK_COLUMNS, lock_rows(scheme, facts.locks)),
        FACTS: msgspec.json.format(msgspec.json.encode(_picture(left))).decode() + "\n",
        LEDGER: csv_text(POSTING, _postings(left.entries)),
        ROWS: "".join(
            msgspec.json.encode({"kind": type(row).__name__, "record": row}).decode() + "\n"
            for row in left.records
        ),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")


async def write_journal(path: Path, records: Sequence[Record]) -> None:
    async with await open_journal(path, JournalParams()) as writing:
        for start in range(0, len(records), ROWS_AT_ONCE):
            writing.append(records[start : start + ROWS_AT_ONCE])
            await writing.commit()


def _policy(directory: Path, policy: Path) -> str:
    """The quarter's file, with what is owed and locked at its end."""
    table = tomlkit.parse(read_text(policy))
    files = tomlkit.table()
    files["obligations"] = (directory / OWED).as_posix()
    files["locks"] = (directory / LOCKS).as_posix()
    table["files"] = files
    return tomlkit.dumps(table)


def csv_text(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


def owed_rows(scheme: Scheme, rows: Iterable[Obligation]) -> list[tuple[object, ...]]:
    """As people write obligations.csv."""
    return [
        (
            row.name,
            day_text(row.due),
            row.function,
            row.asset,
            text_of(scheme, row.asset, row.atoms),
        )
        for row in rows
    ]


def lock_rows(scheme: Scheme, locks: Iterable[Lock]) -> list[tuple[object, ...]]:
    """As people write locks.csv."""
    return [
        (
            lock.name, lock.kind.value, lock.place, lock.asset,
            text_of(scheme, lock.asset, lock.atoms) if lock.asset else "",
            lock.unwind_ns // NS_PER_H, _moment(lock.until_ns) if lock.until_ns else "",
        )
        for lock in locks
    ]  # fmt: skip


def _postings(entries: Iterable[Entry]) -> list[tuple[object, ...]]:
    return [
        (entry.number, entry.when_ns, entry.key, entry.reason.value, entry.people.proposal,
         str(each.account), each.asset, each.atoms, entry.text)
        for entry in entries
        for each in entry.postings
    ]  # fmt: skip


# --- pictures of a moment -------------------------------------------------------------------------


def statement_of(at_ns: Ns, balances: list[dict[str, str]]) -> dict[str, Any]:
    """Balances alone, as `treasury report --facts` and the statements of a config hold them."""
    return {"at": _moment(at_ns), "balances": balances}


def _picture(left: Left) -> dict[str, Any]:
    facts = left.facts
    balances = [
        _balance(facts, place, asset, atoms) for (place, asset), atoms in sorted(facts.held.items())
    ]
    return {
        **statement_of(facts.at_ns, balances),
        "books": [_book(facts, book) for _, book in sorted(facts.books.items())],
        "spent": [
            {"asset": name, "tokens": _text(facts, name, one.atoms),
             "money": _text(facts, facts.scheme.money.name, one.money_atoms)}
            for name, one in facts.spent.items()
        ],
        "volumes": [
            {"venue": venue, "asset": asset, "tokens": _text(facts, asset, one.atoms),
             "at": _moment(one.at_ns)}
            for (venue, asset), one in sorted(facts.volumes.items())
        ],
        "reviewed": [
            {"asset": name, "price": _per_token(facts, name, price), "at": _moment(price.at_ns)}
            for name, price in sorted(left.references.items())
        ],
    }  # fmt: skip


def _balance(facts: Facts, place: str, asset: str, atoms: Atoms) -> dict[str, str]:
    row = {"place": place, "asset": asset, "amount": _text(facts, asset, atoms)}
    working = facts.working.get((place, asset))
    return row if working is None else {**row, "working": _text(facts, asset, working)}


def _book(facts: Facts, book: DepthBook) -> dict[str, Any]:
    return {
        "venue": book.venue,
        "asset": book.asset,
        "quote": facts.scheme.money.name,
        "at": _moment(book.at_ns),
        "taker_fee_ppm": book.taker_fee_ppm,
        "bids": [_level(facts, book.asset, level) for level in book.bids],
        "asks": [_level(facts, book.asset, level) for level in book.asks],
    }


def _level(facts: Facts, asset: str, level: Level) -> tuple[str, str]:
    price = Price(asset=asset, money_atoms=level.money_atoms, base_atoms=level.atoms, at_ns=0)
    return _per_token(facts, asset, price), _text(facts, asset, level.atoms)


def _per_token(facts: Facts, asset: str, price: Price) -> str:
    """Money for one whole token, to as many digits as a file may have."""
    exponent, money = facts.scheme.asset(asset).exponent, facts.scheme.money.exponent
    whole = price.money_atoms * 10 ** (exponent + DIGITS - money) // price.base_atoms
    return decimal_text(whole, DIGITS)


def _text(facts: Facts, asset: str, atoms: Atoms) -> str:
    return text_of(facts.scheme, asset, atoms)


def text_of(scheme: Scheme, asset: str, atoms: Atoms) -> str:
    """An amount as decimal text, in whole tokens."""
    return decimal_text(atoms, scheme.asset(asset).exponent)


def _moment(at_ns: Ns) -> str:
    """To the microsecond, rounded down."""
    moment = datetime.fromtimestamp(at_ns // NS_PER_S, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ns % NS_PER_S // 1_000:06d}+00:00"
