"""The daily checklist: each item verified or failing, and what shows it. The faults come first."""

from collections.abc import Iterator

import msgspec

from engine.treasury.buckets import split
from engine.treasury.chart import AccountKind
from engine.treasury.dates import NS_PER_DAY, day_of, day_text
from engine.treasury.limits import Standing, text_of
from engine.treasury.locks import cash_ns
from engine.treasury.proposals import OUT, WAITING, Status
from engine.treasury.report_input import DeskSeen, Past, ReportInput
from engine.treasury.report_tables import ReportTable, amount, when
from engine.values.treasury_words import LockKind
from engine.values.units import Atoms

SOON_NS = NS_PER_DAY


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the checklist. What could not be looked at is failing: `shows` says why."""

    part: str
    name: str
    is_fine: bool
    shows: str


def checklist(told: ReportInput) -> list[Item]:
    """In the order of the parts."""
    parts = (_balances, _liabilities, _market, _limits, _pending, _people)
    return [item for part in parts for item in part(told)]


def checklist_table(items: list[Item]) -> ReportTable:
    """Failing items first, each group in the order of the list."""
    rows = sorted(items, key=lambda item: item.is_fine)
    return ReportTable(
        name="checklist",
        title="Daily checklist",
        columns=("state", "part", "item", "shown by"),
        rows=tuple((_state(item), item.part, item.name, item.shows) for item in rows),
    )


def exceptions_table(items: list[Item]) -> ReportTable:
    found = [item for item in items if not item.is_fine]
    return ReportTable(
        name="exceptions",
        title="Exceptions",
        columns=("part", "item", "why"),
        rows=tuple((item.part, item.name, item.shows) for item in found),
        note="" if found else "None: every item of the checklist is verified.",
    )


def _state(item: Item) -> str:
    return "verified" if item.is_fine else "FAILING"


def _item(part: str, name: str, fault: str, fine: str) -> Item:
    return Item(part=part, name=name, is_fine=not fault, shows=fault or fine)


# --- balances -----------------------------------------------------------------------------------


def _balances(told: ReportInput) -> Iterator[Item]:
    facts = told.facts
    for place in facts.scheme.places:
        seen = [name for name in facts.scheme.names() if (place, name) in facts.held]
        text = ", ".join(f"{amount(facts, n, facts.held[place, n])} {n}" for n in seen)
        fault = "" if seen else "no balance was told"
        yield _item("balances", f"balance at {place}", fault, text)
    if told.past is None:
        if told.wants_past:
            yield _item("balances", "the books", "no journal was shown: --at", "")
        return
    fault = "; ".join(told.past.faults)
    yield _item("balances", "the books are proved", fault, f"{len(told.past.flows)} postings")
    yield from _against_books(told, told.past)


def _against_books(told: ReportInput, past: Past) -> Iterator[Item]:
    facts = told.facts
    books: dict[tuple[str, str], Atoms] = {}
    for flow in past.flows:
        if flow.kind is AccountKind.HOLDINGS and flow.at_ns <= told.until_ns:
            key = (flow.place, flow.asset)
            books[key] = books.get(key, 0) + flow.atoms
    for (place, asset), atoms in sorted(books.items()):
        if (place, asset) not in facts.held:
            continue
        gap = facts.held[place, asset] - atoms
        text = f"{amount(facts, asset, atoms)} in the books and there"
        fault = f"{amount(facts, asset, gap)} {asset} more there than in the books" if gap else ""
        yield _item("balances", f"{asset} at {place} is what the books say", fault, text)


# --- what is owed, and the market ---------------------------------------------------------------


def _liabilities(told: ReportInput) -> Iterator[Item]:
    facts, found = told.facts, told.liquid
    fault = "" if found.uncovered is None else f"the first that is not: {day_text(found.uncovered)}"
    yield _item("liabilities", "every date is covered", fault, f"{len(found.points)} dates")
    late = [row.name for row in facts.obligations if row.due < day_of(facts.at_ns)]
    fault = f"overdue: {', '.join(late)}" if late else ""
    yield _item("liabilities", "nothing is overdue", fault, f"{len(facts.obligations)} owed")
    for name in facts.scheme.names():
        short = split(facts, name).short_atoms
        fault = f"{amount(facts, name, short)} {name} are not there in time" if short else ""
        yield _item("liabilities", f"the reserve of {name} is there in time", fault, "reserved")


def _market(told: ReportInput) -> Iterator[Item]:
    facts = told.facts
    for name in facts.scheme.assets:
        price = facts.price(name)
        fault = "no current price" if price is None else ""
        text = "" if price is None else f"as of {when(price.at_ns)}"
        yield _item("volatility and liquidity", f"price of {name}", fault, text)
    for name, floor in told.floors.items():
        score = told.scores[name]
        if score is None:
            fault, text = "no venue is usable: nothing is converted", ""
        else:
            text = f"{score.score:.1f} of 100, over {', '.join(score.venues)}"
            fault = f"{text}: below {floor:g}, orders are staged" if score.score < floor else ""
        yield _item("volatility and liquidity", f"liquidity score of {name}", fault, text)
    due = {review.asset for review in told.reviews}
    for name in dict.fromkeys(row.asset for row in told.rows if row.asset):
        fault = "its price has doubled since: people must look" if name in due else ""
        yield _item("volatility and liquidity", f"review of {name}'s limits", fault, "not due")


def _limits(told: ReportInput) -> Iterator[Item]:
    for standing in told.standings:
        one = standing.finding
        name = one.limit + (f" [{one.subject}]" if one.subject else "")
        text = f"{_both(told, standing)}; {one.why}" if one.why else _both(told, standing)
        is_fine = not (one.is_breached or one.is_unknown)
        yield _item("limits", name, "" if is_fine else text, text)


def _both(told: ReportInput, standing: Standing) -> str:
    one = standing.finding
    bound = "at least" if one.is_floor else "at most"
    value = text_of(one.value, one.asset, told.facts)
    return f"{value}; {bound} {text_of(one.ceiling, one.asset, told.facts)}"


# --- what is under way, and who may sign --------------------------------------------------------


def _pending(told: ReportInput) -> Iterator[Item]:
    facts = told.facts
    for lock in facts.locks:
        is_late = lock.kind is LockKind.WITHDRAWAL and 0 < lock.until_ns < facts.at_ns
        fault = f"should have arrived at {when(lock.until_ns)}" if is_late else ""
        if lock.kind is LockKind.HALTED:
            fault = f"halted; not before {when(cash_ns(lock, facts.at_ns))}"
        text = f"{lock.kind}, cash by {when(cash_ns(lock, facts.at_ns))}"
        yield _item("pending swaps and staking", lock.name, fault, text)
    if told.desk is None:
        return
    for one in told.desk.proposals:
        if one.status in WAITING or one.status in OUT:
            left_ns = one.request.expires_ns - facts.at_ns
            fault = "nobody knows whether it happened" if one.status is Status.UNKNOWN else ""
            if one.status in WAITING and left_ns < SOON_NS:
                fault = f"expires at {when(one.request.expires_ns)}"
            text = f"{one.status}, {one.ruling.tier}"
            yield _item("pending swaps and staking", one.name, fault, text)


def _people(told: ReportInput) -> Iterator[Item]:
    desk = told.desk
    if desk is None:
        if told.wants_desk:
            yield _item("contacts and approvers", "approvers", "no desk was shown: --desk", "")
        return
    fault = "nobody is on the roster" if not desk.people else ""
    yield _item("contacts and approvers", "roster", fault, f"{len(desk.people)} people")
    for person in desk.people:
        fault = "" if person.contact else "no contact"
        yield _item("contacts and approvers", f"contact of {person.name}", fault, person.role)
    yield from _alarms(desk)


def _alarms(desk: DeskSeen) -> Iterator[Item]:
    for alarm in desk.alarms:
        yield _item("contacts and approvers", alarm.text, f"an alarm: {alarm.level}", "")
    if not desk.alarms:
        yield _item("contacts and approvers", "alarms of the desk", "", "none")
