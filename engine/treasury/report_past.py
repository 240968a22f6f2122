"""The packs of the week and the month: drift, conditions, venues, orders, and whether it all fits.

`history` and `orders` belong to every report: the charts are drawn from them.
"""

from collections.abc import Iterator

from engine.treasury.chart import OWN, AccountKind
from engine.treasury.dates import day_of, day_text
from engine.treasury.limit_measures import Finding
from engine.treasury.obligations import due_within, owed_money
from engine.treasury.report_figures import drifts, parts_text
from engine.treasury.report_input import Period, ReportInput
from engine.treasury.report_state import use_ppm
from engine.treasury.report_tables import Cell, ReportTable, amount, hours, in_money, percent, when
from engine.treasury.report_venues import venues_table
from engine.values.treasury_words import Day, Measure
from engine.values.units import PPM, Atoms, Ppm

TIGHT_PPM: Ppm = 900_000
IDLE_PPM: Ppm = 200_000
"""A limit of which more than the first is used is close; less than the second, hardly used."""


def past_tables(told: ReportInput) -> Iterator[ReportTable]:
    """What belongs to the period of this report."""
    yield _orders(told)
    yield _history(told)
    if told.period in (Period.WEEKLY, Period.MONTHLY):
        yield _drift(told)
        yield _conditions(told)
        yield venues_table(told)
        yield _moves(told)
    if told.period is Period.MONTHLY:
        yield _limit_fit(told)
        yield _target_fit(told)
        yield _buffer_fit(told)


def assumptions_table(told: ReportInput) -> ReportTable:
    return ReportTable(
        name="assumptions",
        title="Assumption log",
        columns=("assumption", "value", "where it stands", "because", "look again"),
        rows=tuple((a.name, a.value, a.where, a.basis, a.revisit) for a in told.assumptions),
    )


def _orders(told: ReportInput) -> ReportTable:
    """Every staged order that ended within the period, estimate beside outcome."""
    facts = told.facts
    rows = []
    for one in told.past.worked if told.past is not None else ():
        if not told.is_within(one.said.at_ns):
            continue
        rows.append(
            (
                when(one.said.at_ns),
                one.plan.parent,
                one.plan.side.value,
                one.plan.asset,
                amount(facts, one.plan.asset, one.said.atoms),
                in_money(facts, one.said.money_atoms),
                percent(one.plan.estimate_ppm),
                percent(one.said.realised_ppm),
                percent(one.plan.ceiling_ppm),
                hours(one.said.took_ns),
            )
        )
    return ReportTable(
        name="orders",
        title="Staged orders: slippage expected and realised",
        columns=(
            "ended", "order", "side", "asset", "amount", "for, in money", "expected %",
            "realised %", "ceiling %", "took h",
        ),
        rows=tuple(rows),
        note="" if rows else "No staged order ended within the period.",
    )  # fmt: skip


def _history(told: ReportInput) -> ReportTable:
    """What was ours at the end of each day of the period, locked and in transit included."""
    names = told.facts.scheme.names()
    held: dict[str, Atoms] = dict.fromkeys(names, 0)
    ends: dict[Day, dict[str, Atoms]] = {}
    flows = told.past.flows if told.past is not None else ()
    for flow in sorted(flows, key=lambda flow: flow.at_ns):
        if flow.kind in OWN and flow.asset in held and flow.at_ns <= told.until_ns:
            held[flow.asset] += flow.atoms
            ends[day_of(flow.at_ns)] = dict(held)
    last, rows = dict.fromkeys(names, 0), []
    first, until = day_of(told.from_ns), day_of(told.until_ns)
    for day in range(min([*ends, first]), until + 1):
        last = ends.get(day, last)
        if day >= first:
            rows.append((day_text(day), *(amount(told.facts, n, last[n]) for n in names)))
    return ReportTable(
        name="history",
        title="What was ours at the end of each day, by the ledger",
        columns=("day", *names),
        rows=tuple(rows) if flows else (),
        note="" if flows else "No ledger was shown.",
    )


# --- the week -----------------------------------------------------------------------------------


def _drift(told: ReportInput) -> ReportTable:
    facts = told.facts
    moves = told.past.bands if told.past is not None else ()
    rows = []
    for one in drifts(told):
        passed = sum(
            told.is_within(m.at_ns) and (m.venue, m.asset) == (one.venue, one.asset) for m in moves
        )
        share, drifted = percent(one.share_ppm), amount(facts, one.asset, one.atoms)
        rows.append((one.venue, one.asset, drifted, share, passed, parts_text(facts, one)))
    return ReportTable(
        name="drift",
        title="Drift of the floats that nobody planned",
        columns=("venue", "asset", "amount", "% of target", "bands passed", "consists of"),
        rows=tuple(rows),
        note="Without approved actions, payments and openings." if rows else "No ledger was shown.",
    )


def _conditions(told: ReportInput) -> ReportTable:
    rows: list[tuple[Cell, ...]] = []
    for name, score in told.scores.items():
        if score is None:
            rows.append((name, "score", None, "no venue is usable"))
            continue
        rows.append((name, "score", f"{score.score:.1f}", f"floor {told.floors[name]:g}"))
        rows += [
            (name, part.name, None if part.found is None else f"{part.found:.10g}",
             f"{100 * part.part:.0f} of 100")
            for part in score.parts
        ]  # fmt: skip
    return ReportTable(
        name="conditions",
        title="Conditions of the market",
        columns=("asset", "what", "found", "worth"),
        rows=tuple(rows),
        note="" if rows else "The file has no [[scores]].",
    )


def _moves(told: ReportInput) -> ReportTable:
    """Every time that a limit was passed or held again."""
    rows = [
        (when(m.at_ns), "PASSED" if m.breached else "holds again", m.limit, m.subject, m.value,
         m.ceiling, m.fact)
        for m in (told.past.limits if told.past is not None else ())
        if told.is_within(m.at_ns)
    ]  # fmt: skip
    return ReportTable(
        name="limit_moves",
        title="Limits that were passed, or held again",
        columns=("at", "what", "limit", "subject", "value", "ceiling", "moved by"),
        rows=tuple(rows),
        note="" if rows else "None within the period.",
    )


# --- the month: does it still fit? --------------------------------------------------------------


def _limit_fit(told: ReportInput) -> ReportTable:
    rows = []
    moves = told.past.limits if told.past is not None else ()
    for standing in told.standings:
        one = standing.finding
        key = (one.limit, one.subject)
        passed = sum(
            m.breached and told.is_within(m.at_ns) and (m.limit, m.subject) == key for m in moves
        )
        use = use_ppm(one)
        rows.append((*key, percent(use), passed, _verdict(use, passed, one)))
    return ReportTable(
        name="limit_fit",
        title="Do the limits still fit?",
        columns=("limit", "subject", "used now %", "passed in the period", "verdict"),
        rows=tuple(rows),
        note="A limit that is never near may be looser than what people mean." if rows else "",
    )


def _verdict(use: Ppm | None, passed: int, one: Finding) -> str:
    if one.is_breached:
        return "is passed now"
    if one.is_unknown:
        return "not known"
    if passed:
        return "was passed: too tight, or not kept"
    if use is None:
        return "not known"
    if use > TIGHT_PPM:
        return "close"
    return "hardly used" if use < IDLE_PPM else "fits"


def _target_fit(told: ReportInput) -> ReportTable:
    return ReportTable(
        name="target_fit",
        title="Do the targets and bands still fit?",
        columns=(
            "float", "usual day %", "payouts %", "a day's sale %", "lower band", "upper band",
            "suggested lower %", "suggested upper %", "days outside", "of days", "conflict",
        ),
        rows=tuple(
            (
                v.name, percent(v.usual_ppm), percent(v.payout_ppm), percent(v.liquidity_ppm),
                v.lower.value, v.upper.value, percent(v.suggested_lower_ppm),
                percent(v.suggested_upper_ppm), v.breaches, v.days, v.conflict,
            )
            for v in told.fits
        ),
        note="" if told.fits else "Needs a ledger and [rebalance.calibration].",
    )  # fmt: skip


def _buffer_fit(told: ReportInput) -> ReportTable:
    """The stable buffer beside what the last month paid and what the next one asks for."""
    facts = told.facts
    flows = told.past.flows if told.past is not None else ()
    paid: dict[str, Atoms] = {}
    for flow in flows:
        if flow.kind is AccountKind.PAID and told.is_within(flow.at_ns):
            paid[flow.asset] = paid.get(flow.asset, 0) + flow.atoms
    was: Atoms | None = None
    if told.past is not None:
        costs = [facts.cost(name, atoms) for name, atoms in paid.items()]
        was = None if None in costs else sum(cost for cost in costs if cost is not None)
    days = told.days
    ahead = owed_money(facts, due_within(facts, days))
    rows: list[tuple[Cell, ...]] = []
    for standing in told.standings:
        one = standing.finding
        if one.measure is Measure.STABLE_BUFFER:
            value = one.value.money or 0
            share = None if not ahead else percent(value * PPM // ahead)
            money = [in_money(facts, atoms) for atoms in (value, one.ceiling.money, was, ahead)]
            rows.append((one.limit, one.subject, *money, share))
    return ReportTable(
        name="buffer_fit",
        title="Does the buffer still fit?",
        columns=(
            "buffer", "function", "stable now", "must be", f"paid in {days} days",
            f"due in {days} days", "% of what is due",
        ),
        rows=tuple(rows),
        note="" if rows else "The file has no limit of a stable buffer.",
    )  # fmt: skip
