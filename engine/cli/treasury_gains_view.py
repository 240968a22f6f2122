"""How gains show: totals by asset and tag, what is not known, and every disposal lot by lot."""

from collections.abc import Iterator
from typing import Any

from engine.cli.treasury_books import Rebuilt, when_text
from engine.treasury.tax import Period, gain_totals, income_totals

GAIN_COLUMNS = (
    "disposed", "asset", "amount", "tax_tag", "key", "lot", "acquired", "proceeds", "cost", "gain",
)  # fmt: skip


def gain_rows(made: Rebuilt, period: Period) -> Iterator[tuple[str, ...]]:
    text, money = made.measures.text, made.measures.money
    for row in made.books.lots.disposals():
        if row.when_ns in period:
            yield (
                when_text(row.when_ns), row.asset, text(row.asset, row.atoms), row.tag, row.key,
                row.lot, when_text(row.acquired_ns), text(money, row.proceeds_atoms),
                text(money, row.cost_atoms), text(money, row.gain_atoms),
            )  # fmt: skip


def gains_answer(made: Rebuilt, period: Period) -> dict[str, Any]:
    rows = [dict(zip(GAIN_COLUMNS, row, strict=True)) for row in gain_rows(made, period)]
    return {
        "ok": not made.faults,
        "faults": made.faults,
        "method": made.books.lots.method,
        "money": made.measures.money,
        "entries_hash": made.books.ledger.hash,
        "totals": list(_totals(made, period)),
        "incomes": list(_incomes(made, period)),
        "lots": list(_lots(made)),
        "disposals": rows,
    }


def _totals(made: Rebuilt, period: Period) -> Iterator[dict[str, Any]]:
    text, money = made.measures.text, made.measures.money
    for total in gain_totals(made.books.lots.disposals(), period):
        yield {
            "asset": total.asset,
            "tax_tag": total.tag,
            "disposals": total.disposals,
            "amount": text(total.asset, total.atoms),
            "proceeds": text(money, total.proceeds_atoms),
            "cost": text(money, total.cost_atoms),
            "gain": text(money, total.gain_atoms if total.is_any_known else None),
            "unknown": total.unknown,
            "unknown_amount": text(total.asset, total.unknown_atoms),
        }


def _incomes(made: Rebuilt, period: Period) -> Iterator[dict[str, Any]]:
    text, money = made.measures.text, made.measures.money
    for total in income_totals(made.books.incomes, period):
        yield {
            "asset": total.asset,
            "tax_tag": total.tag,
            "count": total.count,
            "amount": text(total.asset, total.atoms),
            "worth": text(money, total.worth_atoms),
            "unknown": total.unknown,
        }


def _lots(made: Rebuilt) -> Iterator[dict[str, str]]:
    text, money = made.measures.text, made.measures.money
    for asset in made.books.lots.assets:
        for lot in made.books.lots.lots(asset):
            yield {
                "asset": asset,
                "lot": lot.name,
                "amount": text(asset, lot.atoms),
                "cost": text(money, lot.cost_atoms),
                "acquired": when_text(lot.acquired_ns),
            }


def gains_lines(made: Rebuilt, period: Period) -> Iterator[str]:
    money = made.measures.money
    yield f"realised by {made.books.lots.method}, in {money}; ledger {made.books.ledger.hash[:16]}"
    yield from (f"  fault: {fault}" for fault in made.faults)
    for row in _totals(made, period):
        known = row["disposals"] - row["unknown"]
        sums = f" = proceeds {row['proceeds']} - cost {row['cost']}" if known else ""
        yield (
            f"  {row['asset']:<6} {row['tax_tag']}: gain {row['gain']}{sums}, over {known} of "
            f"{row['disposals']} disposals"
        )
        if row["unknown"]:
            yield (
                f"         {row['unknown']} disposals of {row['unknown_amount']} {row['asset']} "
                "are not in it: their cost or proceeds are not known (see --lots and --prices)"
            )
    for row in _incomes(made, period):
        known = f", {row['unknown']} of them without a price" if row["unknown"] else ""
        yield f"  {row['asset']:<6} {row['tax_tag']}: {row['count']} worth {row['worth']}{known}"
    yield from (f"restated: {row.key}: a fact came late" for row in made.restated)
