"""What people hear of limits and bands: at once, once, and not again at every tick.

That a limit is passed, or a band left, is told in the step that made it so. One that goes to and
fro at its edge says nothing more until it has kept still inside for CALM_NS; then that is told, and
the next time is told at once again. So the last word that people have is never better than it is.
Every move is a record all the same.
"""

from collections.abc import Iterable

from engine.treasury.rebalance import CALM_NS, Rebalancer
from engine.treasury.treasury import Treasury
from engine.values.records import Record
from engine.values.step import Step
from engine.values.treasury_words import LimitMoved
from engine.values.units import Ns

Key = tuple[str, str]


class Alarms:
    """`watcher` looks at the floats' bands where nothing else does; it proposes nothing here."""

    def __init__(self, watcher: Rebalancer | None) -> None:
        self._watcher = watcher
        self._passed: dict[Key, LimitMoved | None] = {}
        """Limits that people believe to be passed, with the record of their return."""

    def remember(self, record: Record) -> None:
        """A record of an earlier session: what was told then is not told again."""
        if isinstance(record, LimitMoved):
            if record.breached:
                self._passed[_key(record)] = None
            else:
                self._passed.pop(_key(record), None)
        elif self._watcher is not None:
            self._watcher.remember_any(record)

    def hear(self, records: Iterable[object], step: Step) -> None:
        for record in records:
            if not isinstance(record, LimitMoved):
                continue
            if record.breached and _key(record) not in self._passed:
                _tell(record, step, record.at_ns)
            if record.breached or _key(record) in self._passed:
                self._passed[_key(record)] = None if record.breached else record

    def on_time(self, treasury: Treasury, now_ns: Ns, step: Step) -> None:
        for key, back in list(self._passed.items()):
            if back is not None and now_ns - back.at_ns >= CALM_NS:
                del self._passed[key]
                _tell(back, step, now_ns)
        if self._watcher is not None and treasury.holdings.is_whole:
            look = self._watcher.look(treasury.holdings.facts(), {}, may_check=False)
            step.records += look.records
            for text in look.alerts:
                step.alert("", now_ns, "warning", text)


def _key(moved: LimitMoved) -> Key:
    return moved.limit, moved.subject


def _tell(moved: LimitMoved, step: Step, at_ns: Ns) -> None:
    level, verb = ("critical", "passed") if moved.breached else ("notice", "holds")
    name = f"{moved.limit} {moved.subject}".rstrip()
    told = f"limit {name} {verb}: {moved.value} of {moved.ceiling}, by {moved.fact}"
    step.alert("", at_ns, level, told)
