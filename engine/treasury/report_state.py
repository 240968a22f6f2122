"""The tables of the moment: the headline, limits, buckets, bands, the curve, what is under way."""

from collections.abc import Iterator

from engine.treasury.buckets import split
from engine.treasury.dates import day_text
from engine.treasury.limit_measures import Finding
from engine.treasury.locks import cash_ns, pieces_of
from engine.treasury.proposals import OUT, WAITING
from engine.treasury.rebalance import bands
from engine.treasury.report_input import ReportInput
from engine.treasury.report_tables import Cell, ReportTable, amount, in_money, percent, when
from engine.values.treasury_words import Bucket
from engine.values.units import PPM, Atoms, Ppm

DUE_ROWS_MAX = 1_000


def state_tables(told: ReportInput) -> Iterator[ReportTable]:
    yield _headline(told)
    yield _assets(told)
    yield limits_table(told)
    yield _buckets(told)
    yield _bands(told)
    yield _coverage(told)
    yield _balances(told)
    yield _due(told)
    yield _pending(told)
    if told.desk is not None:
        yield _people(told)


def _headline(told: ReportInput) -> ReportTable:
    facts, found = told.facts, told.liquid.liquid
    uncovered = told.liquid.uncovered
    first = "every date is covered" if uncovered is None else day_text(uncovered)
    worth = sum(facts.worth(n, _held(told, n)) for n in facts.scheme.names())
    rows: tuple[tuple[Cell, ...], ...] = (
        ("liquid today", in_money(facts, found.money_atoms), facts.scheme.money.name),
        ("first date that is not covered", first, ""),
        ("everything at its price", in_money(facts, worth), facts.scheme.money.name),
        ("prices that are not known", _unpriced(told) or "none", ""),
    )
    return ReportTable(
        name="headline",
        title=f"Liquid value, cash within {told.liquid_h} h, after all locks and obligations",
        columns=("figure", "value", "unit"),
        rows=rows,
    )


def _unpriced(told: ReportInput) -> str:
    facts = told.facts
    return ", ".join(name for name in facts.scheme.assets if facts.price(name) is None)


def _held(told: ReportInput, name: str) -> Atoms:
    return sum(piece.atoms for piece in pieces_of(told.facts, name))


def _assets(told: ReportInput) -> ReportTable:
    facts = told.facts
    return ReportTable(
        name="assets",
        title="From what is held to what is liquid",
        columns=("asset", "held", "cash later", "owed", "liquid", "sold for", "priced"),
        rows=tuple(
            (
                line.asset,
                amount(facts, line.asset, line.held_atoms),
                amount(facts, line.asset, line.later_atoms),
                amount(facts, line.asset, line.owed_atoms),
                amount(facts, line.asset, line.liquid_atoms),
                in_money(facts, line.worth_atoms),
                "yes" if line.is_priced else "no price: worth nothing",
            )
            for line in told.liquid.liquid.lines
        ),
        note=f"The last amount is in {facts.scheme.money.name}.",
    )


def limits_table(told: ReportInput) -> ReportTable:
    facts = told.facts
    rows = []
    for standing in told.standings:
        one = standing.finding
        tokens = [amount(facts, one.asset, both.atoms) if one.asset else None
                  for both in (one.value, one.ceiling, one.room)]  # fmt: skip
        money = [in_money(facts, both.money) for both in (one.value, one.ceiling, one.room)]
        rows.append(
            (
                one.state,
                one.limit,
                one.subject,
                one.asset,
                "at least" if one.is_floor else "at most",
                *(cell for pair in zip(tokens, money, strict=True) for cell in pair),
                percent(use_ppm(one)),
                standing.moved_by,
            )
        )
    return ReportTable(
        name="limits",
        title="Limits",
        columns=(
            "state", "limit", "subject", "asset", "bound", "value", "value in money", "ceiling",
            "ceiling in money", "room", "room in money", "used %", "moved last by",
        ),
        rows=tuple(rows),
        note="" if rows else "The file has no limits.",
    )  # fmt: skip


def use_ppm(one: Finding) -> Ppm | None:
    """How much of a ceiling is used, in the unit that binds; of a floor, how much it needs."""
    shares = [
        _share(one, value, ceiling)
        for value, ceiling in (
            (one.value.atoms, one.ceiling.atoms),
            (one.value.money, one.ceiling.money),
        )
        if value is not None and ceiling is not None
    ]
    known = [share for share in shares if share is not None]
    return max(known, default=None)


def _share(one: Finding, value: Atoms, ceiling: Atoms) -> Ppm | None:
    over, under = (ceiling, value) if one.is_floor else (value, ceiling)
    if under:
        return over * PPM // under
    return 0 if not over else None


def _buckets(told: ReportInput) -> ReportTable:
    facts = told.facts
    rows = []
    for name in facts.scheme.names():
        found = split(facts, name)
        cells = [amount(facts, name, found.atoms(bucket)) for bucket in Bucket]
        rows.append((name, *cells, amount(facts, name, found.short_atoms)))
    return ReportTable(
        name="buckets",
        title="Buckets",
        columns=("asset", *(bucket.value for bucket in Bucket), "reserved and not there in time"),
        rows=tuple(rows),
        note="Every unit is in exactly one of the four.",
    )


def _bands(told: ReportInput) -> ReportTable:
    facts = told.facts
    return ReportTable(
        name="bands",
        title="Floats against their bands",
        columns=("float", "asset", "zone", "held", "lower", "target", "upper", "% of target"),
        rows=tuple(
            (
                band.name,
                band.asset,
                band.zone.value,
                *(
                    amount(facts, band.asset, atoms)
                    for atoms in (
                        band.held_atoms, band.lower_atoms, band.target_atoms, band.upper_atoms,
                    )
                ),
                percent(band.share_ppm),
            )
            for band in bands(facts)
        ),
    )  # fmt: skip


def _coverage(told: ReportInput) -> ReportTable:
    facts = told.facts
    rows = []
    for point in told.liquid.points:
        owed = "; ".join(f"{amount(facts, n, atoms)} {n}" for n, atoms in point.owed.items())
        short = "; ".join(f"{amount(facts, s.asset, s.atoms)} {s.asset}" for s in point.shorts)
        left = in_money(facts, point.left_money_atoms)
        rows.append((day_text(point.due), owed, left, "no" if short else "yes", short))
    return ReportTable(
        name="coverage",
        title="Coverage by due date",
        columns=("due", "owed", "liquid then, in money", "covered", "short of"),
        rows=tuple(rows),
        note="At today's books for all dates." if rows else "Nothing is owed.",
    )


def _balances(told: ReportInput) -> ReportTable:
    facts = told.facts
    rows = []
    for name in facts.scheme.names():
        for piece in pieces_of(facts, name):
            rows.append(
                (
                    piece.place,
                    name,
                    piece.how,
                    amount(facts, name, piece.atoms),
                    in_money(facts, facts.worth(name, piece.atoms)),
                    when(piece.ready_ns),
                )
            )
    return ReportTable(
        name="balances",
        title="Balances by place",
        columns=("place", "asset", "how", "amount", "at its price", "cash by"),
        rows=tuple(rows),
        note="" if rows else "No balance was told.",
    )


def _due(told: ReportInput) -> ReportTable:
    facts = told.facts
    return ReportTable(
        name="obligations",
        title="What is owed, in order of date",
        columns=("due", "name", "function", "asset", "amount"),
        rows=tuple(
            (day_text(row.due), row.name, row.function, row.asset,
             amount(facts, row.asset, row.atoms))
            for row in facts.obligations[:DUE_ROWS_MAX]
        ),
        note="" if facts.obligations else "Nothing is owed.",
    )  # fmt: skip


def _pending(told: ReportInput) -> ReportTable:
    facts = told.facts
    rows: list[tuple[Cell, ...]] = [
        (
            lock.kind.value,
            lock.name,
            lock.place,
            amount(facts, lock.asset, lock.atoms) if lock.asset else "all that is there",
            lock.asset,
            when(cash_ns(lock, facts.at_ns)),
        )
        for lock in facts.locks
    ]
    for one in told.desk.proposals if told.desk is not None else ():
        if one.status in WAITING or one.status in OUT:
            until = when(one.request.expires_ns)
            worth = in_money(facts, one.ruling.money_atoms)
            rows.append((one.status.value, one.name, one.ruling.tier.value, worth, "worth", until))
    return ReportTable(
        name="pending",
        title="Pending swaps, staking and actions",
        columns=("what", "name", "where or who", "amount", "asset", "until"),
        rows=tuple(rows),
        note="" if rows else "Nothing is under way.",
    )


def _people(told: ReportInput) -> ReportTable:
    assert told.desk is not None
    at_ns = told.facts.at_ns
    rows = []
    for person in told.desk.people:
        away = [a for a in person.absences if a.until_ns > at_ns]
        text = "; ".join(f"{when(a.from_ns)} to {when(a.until_ns)}" for a in away)
        rows.append((person.name, person.role.value, person.contact, text))
    return ReportTable(
        name="people",
        title="Contacts and approvers",
        columns=("name", "role", "contact", "absent"),
        rows=tuple(rows),
        note="" if rows else "Nobody is on the roster.",
    )
