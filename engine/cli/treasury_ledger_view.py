"""How the ledger shows: for people, as JSON, and as one row of CSV a posting."""

from collections.abc import Iterator
from typing import Any

import msgspec

from engine.cli.treasury_books import Rebuilt, when_text

ALERTS_SHOWN = 20


def ledger_answer(made: Rebuilt, *, with_entries: bool) -> dict[str, Any]:
    books = made.books
    answer: dict[str, Any] = {
        "ok": not made.faults,
        "faults": made.faults,
        "journal": made.chain.path,
        "journal_records": made.chain.records,
        "journal_head": made.chain.head,
        "entries": books.ledger.count,
        "hash": books.ledger.hash,
        "money": made.measures.money,
        "repeated": books.repeated,
        "readings": books.readings,
        "differences": books.differences,
        "venues": list(_venues(made)),
        "accounts": [
            {"account": str(account), "asset": asset, "amount": made.measures.text(asset, atoms)}
            for (account, asset), atoms in books.ledger.balances().items()
        ],
        "alerts": made.alerts,
        "restated": [msgspec.structs.asdict(row) for row in made.restated],
    }
    if with_entries:
        answer["rows"] = [msgspec.to_builtins(entry) for entry in made.entries]
    return answer


def _venues(made: Rebuilt) -> Iterator[dict[str, Any]]:
    """The newest reading of every asset beside the books, and whether money moved since."""
    books, text = made.books, made.measures.text
    for (venue, asset), known in sorted(books.compared.items()):
        yield {
            "venue": venue,
            "asset": asset,
            "ours": text(asset, books.ledger.holdings(venue, asset)),
            "theirs": text(asset, known.theirs_atoms),
            "read_at": when_text(known.asked_ns),
            "moved_since": books.ledger.holdings(venue, asset) != known.theirs_atoms,
            "suspense": text(asset, books.ledger.suspended(venue, asset)),
        }


def ledger_lines(made: Rebuilt) -> Iterator[str]:
    books, text = made.books, made.measures.text
    verdict = "proved" if not made.faults else "NOT PROVED"
    yield (
        f"{made.chain.path}: {verdict}; {books.ledger.count} entries from {made.chain.records} "
        f"records, every one balances; ends in {books.ledger.hash[:16]}"
    )
    yield from (f"  fault: {fault}" for fault in made.faults)
    yield (
        f"  {books.readings} readings of the venues, {books.differences} differences, "
        f"{books.repeated} facts told again and booked once"
    )
    for row in _venues(made):
        since = "; money moved since" if row["moved_since"] else ""
        yield (
            f"  {row['venue']:<12} {row['asset']:<6} ours {row['ours']}, the venue's "
            f"{row['theirs']} at {row['read_at']}{since}"
        )
    yield "accounts:"
    for (account, asset), atoms in books.ledger.balances().items():
        yield f"  {asset:<6} {account!s:<32} {text(asset, atoms):>24}"
    yield from (f"alert: {alert}" for alert in made.alerts[-ALERTS_SHOWN:])


def entry_lines(made: Rebuilt) -> Iterator[str]:
    for entry in made.entries:
        yield f"{entry.number} {when_text(entry.when_ns)} {entry.reason}: {entry.key} {entry.text}"
        for each in entry.postings:
            amount = made.measures.text(each.asset, each.atoms)
            yield f"    {each.account!s:<32} {amount:>24} {each.asset}"
        yield from (f"    note: {note}" for note in entry.notes)


POSTING_COLUMNS = (
    "number", "when", "learned", "key", "reason", "tax_tag", "counterparty", "requester",
    "approvers", "proposal", "account", "asset", "amount", "atoms", "text", "notes", "journal_seq",
    "journal_hash", "entry_hash",
)  # fmt: skip


def posting_rows(made: Rebuilt) -> Iterator[tuple[object, ...]]:
    for entry in made.entries:
        for each in entry.postings:
            yield (
                entry.number, when_text(entry.when_ns), when_text(entry.at_ns), entry.key,
                entry.reason, entry.tag, entry.counterparty, entry.people.requester,
                " ".join(entry.people.approvers), entry.people.proposal, each.account, each.asset,
                made.measures.text(each.asset, each.atoms), each.atoms, entry.text,
                "; ".join(entry.notes), entry.source.seq, entry.source.hash, entry.hash,
            )  # fmt: skip
