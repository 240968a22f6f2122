"""A whole report: its tables in the order in which they are read, exceptions first."""

import msgspec

from engine.treasury.report_checklist import checklist, checklist_table, exceptions_table
from engine.treasury.report_figures import figures_table
from engine.treasury.report_input import ReportInput
from engine.treasury.report_past import assumptions_table, past_tables
from engine.treasury.report_state import state_tables
from engine.treasury.report_tables import ReportTable, when


class TreasuryReport(msgspec.Struct, frozen=True, kw_only=True):
    """`failing` counts the items of the checklist that are not verified."""

    title: str
    notes: tuple[str, ...]
    failing: int
    tables: tuple[ReportTable, ...]

    def table(self, name: str) -> ReportTable:
        """Raises KeyError for a table that this report does not have."""
        found = {table.name: table for table in self.tables}
        return found[name]


def report_of(told: ReportInput) -> TreasuryReport:
    items = checklist(told)
    tables = (
        exceptions_table(items),
        checklist_table(items),
        figures_table(told),
        *state_tables(told),
        *past_tables(told),
        assumptions_table(told),
    )
    failing = sum(not item.is_fine for item in items)
    money = told.facts.scheme.money.name
    return TreasuryReport(
        title=f"Treasury report, {told.period}, {when(told.until_ns)} UTC",
        notes=(
            f"{failing} of {len(items)} items of the checklist are failing.",
            f"Covers {when(told.from_ns)} to {when(told.until_ns)} UTC. Money is {money}.",
            f"Read: {', '.join(told.sources)}.",
        ),
        failing=failing,
        tables=tables,
    )
