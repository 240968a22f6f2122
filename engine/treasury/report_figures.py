"""The five figures that say whether the treasury works. None is what cannot be known.

- Realised slippage: what staged orders cost against the mid at their start, in ppm of what they
  were worth there, over all of the period; beside what was expected, weighted the same way.
- Time to liquidity: from the moment that a sale or an unlock was asked for to its end, in hours.
- Covered share: of all that falls due within COVER_DAYS, the part that liquid reserves pay: the
  asset itself as far as it is cash within the headline's hours, the rest from money and stables at
  their price. Nothing is sold for it.
- Policy breaches: how often a limit was passed, and how often without an approved action to widen
  it; how many are passed now.
- Unplanned drift: by how much a venue's balance was moved by anything but approved actions,
  payments, arrivals and openings, as a share of its float's target; the worst of all floats.
"""

from collections.abc import Iterable, Iterator

import msgspec

from engine.treasury.actions import Family, family_of
from engine.treasury.chart import AccountKind, Reason
from engine.treasury.dates import NS_PER_H
from engine.treasury.facts import Facts
from engine.treasury.locks import pieces_of
from engine.treasury.obligations import due_within, owed_atoms
from engine.treasury.proposals import Proposal, Status
from engine.treasury.report_input import Flow, ReportInput, Worked
from engine.treasury.report_tables import ReportTable, amount, hours, percent
from engine.values.action_words import WidenLimit
from engine.values.units import PPM, SELL, Atoms, Ns, Ppm, scaled

COVER_DAYS = 30
PLANNED = frozenset({Reason.OPENING, Reason.PAYMENT, Reason.TRANSFER_IN})
"""What arrives was sent by an entry of its own, which says who agreed."""
FILLS, FEES = "fills of quotes and hedges", "fees"
FINE = 10**12
"""Money is summed in so many parts of an atom: mids differ from order to order."""


class Slippage(msgspec.Struct, frozen=True, kw_only=True):
    """Both weighted by worth at mid; None where nothing was traded."""

    realised_ppm: Ppm | None
    expected_ppm: Ppm | None
    orders: int


class ToCash(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and longest time; None where nothing was turned into cash."""

    mean_ns: Ns | None
    longest_ns: Ns | None
    count: int


class Breaches(msgspec.Struct, frozen=True, kw_only=True):
    """Of the period, None without a journal; and of this moment."""

    count: int | None
    unapproved: int | None
    standing: int


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One float: what was not planned, as a share of its target; None without a target.

    `parts`: what it consists of, by what moved it; they sum up to `atoms`.
    """

    venue: str
    asset: str
    atoms: Atoms
    share_ppm: Ppm | None
    parts: tuple[tuple[str, Atoms], ...]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    slippage: Slippage | None
    to_cash: ToCash | None
    covered_ppm: Ppm | None
    breaches: Breaches
    drifts: tuple[Drift, ...]

    @property
    def drift_ppm(self) -> Ppm | None:
        known = [abs(one.share_ppm) for one in self.drifts if one.share_ppm is not None]
        return max(known, default=None)


def figures(told: ReportInput) -> Figures:
    past, desk = told.past, told.desk
    return Figures(
        slippage=None if past is None else slippage(_recent(told)),
        to_cash=None if desk is None else _to_cash(told, desk.proposals),
        covered_ppm=covered_ppm(told.facts, COVER_DAYS, told.liquid_h),
        breaches=_breaches(told),
        drifts=tuple(drifts(told)),
    )


def figures_table(told: ReportInput) -> ReportTable:
    found = figures(told)
    slip, cash, passed = found.slippage, found.to_cash, found.breaches
    rows = (
        (
            "realised slippage",
            None if slip is None else percent(slip.realised_ppm),
            "% of mid",
            None if slip is None else percent(slip.expected_ppm),
            "expected, weighted alike",
            _counted(None if slip is None else slip.orders, "staged orders"),
        ),
        (
            "time to liquidity",
            None if cash is None else hours(cash.mean_ns),
            "hours, mean",
            None if cash is None else hours(cash.longest_ns),
            "longest",
            _no_desk(told) if cash is None else f"{cash.count} sales and unlocks",
        ),
        (
            "obligations covered by liquid reserves",
            percent(found.covered_ppm),
            "%",
            COVER_DAYS,
            "days of obligations",
            "nothing is sold for it" if found.covered_ppm is not None else "a price is not known",
        ),
        (
            "policy breaches",
            passed.count,
            "limits passed",
            passed.unapproved,
            "without an approved widening",
            f"{passed.standing} passed now",
        ),
        (
            "unplanned drift",
            percent(found.drift_ppm),
            "% of a float's target",
            None,
            "",
            _worst_drift(told, found.drifts),
        ),
    )
    return ReportTable(
        name="figures",
        title="Five figures",
        columns=("figure", "value", "unit", "beside", "what that is", "from"),
        rows=rows,
    )


# --- each figure --------------------------------------------------------------------------------


def slippage(worked: Iterable[Worked]) -> Slippage:
    """Worst is plus; fees are not in it."""
    at_mid = lost = expected = orders = 0
    for one in worked:
        money, base = one.plan.mid
        worth = one.said.atoms * money * FINE // base
        paid = one.said.money_atoms * FINE
        at_mid += worth
        lost += worth - paid if one.plan.side is SELL else paid - worth
        expected += worth * one.plan.estimate_ppm
        orders += bool(one.said.atoms)
    return Slippage(
        realised_ppm=-(-lost * PPM // at_mid) if at_mid else None,
        expected_ppm=expected // at_mid if at_mid else None,
        orders=orders,
    )


def _recent(told: ReportInput) -> list[Worked]:
    worked = told.past.worked if told.past is not None else ()
    return [one for one in worked if told.is_within(one.said.at_ns)]


def _to_cash(told: ReportInput, proposals: Iterable[Proposal]) -> ToCash:
    spans = [
        one.ended_ns - one.request.at_ns
        for one in proposals
        if one.status is Status.DONE
        and told.is_within(one.ended_ns)
        and family_of(one.request.action) in (Family.SELL, Family.UNLOCK)
    ]
    return ToCash(
        mean_ns=-(-sum(spans) // len(spans)) if spans else None,
        longest_ns=max(spans, default=None),
        count=len(spans),
    )


def covered_ppm(facts: Facts, days: int, within_h: int) -> Ppm | None:
    """All of it where nothing is owed; None where something owed has no price."""
    by_ns = facts.at_ns + within_h * NS_PER_H
    due = due_within(facts, days)
    ready = {name: _ready(facts, name, by_ns) for name in facts.scheme.names()}
    owed_money = paid_money = 0
    for name in facts.scheme.names():
        owed = owed_atoms(due, name)
        part = min(owed, ready[name])
        cost, own = facts.cost(name, owed), facts.cost(name, part)
        if cost is None or own is None:
            if owed:
                return None
            continue
        ready[name] -= part
        owed_money, paid_money = owed_money + cost, paid_money + own
    stables = [name for name, asset in facts.scheme.assets.items() if asset.is_stable]
    spare = sum(facts.worth(name, ready[name]) for name in [*stables, facts.scheme.money.name])
    paid_money += min(owed_money - paid_money, spare)
    return paid_money * PPM // owed_money if owed_money else PPM


def _ready(facts: Facts, asset: str, by_ns: Ns) -> Atoms:
    """Not locked, and cash by then."""
    found = [p for p in pieces_of(facts, asset) if p.is_free and p.ready_ns <= by_ns]
    return sum(piece.atoms for piece in found)


def _breaches(told: ReportInput) -> Breaches:
    standing = sum(one.finding.is_breached for one in told.standings)
    if told.past is None:
        return Breaches(count=None, unapproved=None, standing=standing)
    passed = [m for m in told.past.limits if m.breached and told.is_within(m.at_ns)]
    proposals = told.desk.proposals if told.desk is not None else ()
    widened = [
        (one.request.action.limit, one.ended_ns)
        for one in proposals
        if one.status is Status.DONE and isinstance(one.request.action, WidenLimit)
    ]
    agreed = sum(
        any(name == one.limit and ended_ns <= one.at_ns for name, ended_ns in widened)
        for one in passed
    )
    return Breaches(count=len(passed), unapproved=len(passed) - agreed, standing=standing)


def drifts(told: ReportInput) -> Iterable[Drift]:
    """Every float of the file, over the period."""
    if told.past is None:
        return
    scheme = told.facts.scheme
    for asset, row in scheme.buckets.items():
        for part in row.float:
            parts = _parts(_unplanned(told, told.past.flows, (part.venue, asset)))
            atoms = sum(each for _, each in parts)
            target = scaled(part.target, scheme.asset(asset).exponent)
            share = (abs(atoms) * PPM // target) * (1 if atoms >= 0 else -1) if target else None
            yield Drift(venue=part.venue, asset=asset, atoms=atoms, share_ppm=share, parts=parts)


def _unplanned(told: ReportInput, flows: Iterable[Flow], where: tuple[str, str]) -> Iterator[Flow]:
    for flow in flows:
        is_here = (flow.kind, flow.place, flow.asset) == (AccountKind.HOLDINGS, *where)
        is_ours = flow.is_decided or flow.reason in PLANNED
        if is_here and told.is_within(flow.at_ns) and not is_ours:
            yield flow


def _parts(flows: Iterable[Flow]) -> tuple[tuple[str, Atoms], ...]:
    """By what moved it, the largest first; what came to nothing is left out."""
    sums: dict[str, Atoms] = {}
    for flow in flows:
        name = FILLS if flow.reason is Reason.FILL else flow.reason.value
        sums[name] = sums.get(name, 0) + flow.atoms - flow.fee_atoms
        sums[FEES] = sums.get(FEES, 0) + flow.fee_atoms
    rows = [(name, atoms) for name, atoms in sums.items() if atoms]
    return tuple(sorted(rows, key=lambda row: -abs(row[1])))


def parts_text(facts: Facts, drift: Drift) -> str:
    """`fills of quotes and hedges -5209713, fees -15450.894 BTT`; "nothing moved it"."""
    parts = [f"{name} {amount(facts, drift.asset, atoms)}" for name, atoms in drift.parts]
    return f"{', '.join(parts)} {drift.asset}" if parts else "nothing moved it"


def _worst_drift(told: ReportInput, drifts: Iterable[Drift]) -> str:
    known = [one for one in drifts if one.share_ppm is not None]
    if not known:
        return "no ledger was shown" if told.past is None else "no float has a target"
    worst = max(known, key=lambda one: abs(one.share_ppm or 0))
    return f"{worst.asset} at {worst.venue}: {parts_text(told.facts, worst)}"


def _no_desk(told: ReportInput) -> str:
    """Where nobody can ask for a sale, none was asked for: no journal is missing then."""
    return "no journal was shown" if told.past is None else "no desk of actions in this journal"


def _counted(count: int | None, what: str) -> str:
    return "no journal was shown" if count is None else f"{count} {what}"
