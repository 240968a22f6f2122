"""How healthy each venue is: what lies there, whether it can be relied on, what it cost."""

from engine.treasury.locks import pieces_of
from engine.treasury.params import PlaceKind
from engine.treasury.report_input import ReportInput
from engine.treasury.report_tables import ReportTable, amount, in_money, percent
from engine.values.execution_records import VenueOutcome
from engine.values.units import PPM, Atoms, Ppm


def venues_table(told: ReportInput) -> ReportTable:
    facts = told.facts
    venues = [p.name for p in facts.scheme.places.values() if p.kind is PlaceKind.VENUE]
    worth = {place: _worth(told, place) for place in facts.scheme.places}
    whole = sum(worth.values())
    rows = []
    for venue in venues:
        found = _outcomes(told, venue)
        expected, realised = _weighted(found)
        rows.append(
            (
                venue,
                "halted" if facts.is_halted(venue) else _books(told, venue),
                in_money(facts, worth[venue]),
                percent(worth[venue] * PPM // whole) if whole else None,
                sum(each.children for each in found),
                sum(each.unfilled for each in found),
                percent(expected),
                percent(realised),
                _suspense(told, venue),
            )
        )
    return ReportTable(
        name="venues",
        title="Health of the venues",
        columns=(
            "venue", "state", "at its price", "% of all", "children", "of them unfilled",
            "expected %", "realised %", "cannot be explained",
        ),
        rows=tuple(rows),
        note="Slippage against the mid of each child, within the period.",
    )  # fmt: skip


def _worth(told: ReportInput, place: str) -> Atoms:
    facts = told.facts
    return sum(
        facts.worth(name, piece.atoms)
        for name in facts.scheme.names()
        for piece in pieces_of(facts, name)
        if piece.place == place
    )


def _books(told: ReportInput, venue: str) -> str:
    facts = told.facts
    stale = [n for v, n in sorted(facts.books) if v == venue and facts.book(v, n) is None]
    return f"no current book of {', '.join(stale)}" if stale else "usable"


def _outcomes(told: ReportInput, venue: str) -> list[VenueOutcome]:
    """Markets are named BASE/QUOTE@venue."""
    return [
        each
        for one in (told.past.worked if told.past is not None else ())
        if told.is_within(one.said.at_ns)
        for each in one.said.venues
        if each.market.rpartition("@")[2] == venue
    ]


def _weighted(found: list[VenueOutcome]) -> tuple[Ppm | None, Ppm | None]:
    """By money: (expected, realised)."""
    money = sum(each.money_atoms for each in found)
    if not money:
        return None, None
    return (
        sum(each.money_atoms * each.estimate_ppm for each in found) // money,
        sum(each.money_atoms * each.realised_ppm for each in found) // money,
    )


def _suspense(told: ReportInput, venue: str) -> str | None:
    if told.past is None:
        return None
    rows = [
        f"{amount(told.facts, asset, atoms)} {asset}"
        for (place, asset), atoms in told.past.suspended.items()
        if place == venue and asset in told.facts.scheme.names()
    ]
    return "; ".join(rows) or "nothing"
