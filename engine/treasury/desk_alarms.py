"""What people should hear of without asking: too few signers, evidence that is missing, haste."""

from collections.abc import Iterator

import msgspec

from engine.treasury.action_text import moment_text, summary
from engine.treasury.authority import Authority
from engine.treasury.dates import NS_PER_DAY
from engine.treasury.proposals import OUT, Proposals, Status
from engine.treasury.roster import Roster
from engine.values.action_records import Tier
from engine.values.records import Alert
from engine.values.units import Ns

AHEAD_NS = 7 * NS_PER_DAY
"""How far ahead absences are looked at."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something that stands until it is mended. `level` as of an Alert."""

    level: str
    text: str


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """All that alarms are made of."""

    proposals: Proposals
    roster: Roster
    authority: Authority


class DeskAlarms:
    """Tells each alarm once, and again after it had gone or when it got worse."""

    def __init__(self) -> None:
        self._told: set[Alarm] = set()

    def __repr__(self) -> str:
        return f"<{len(self._told)} alarms>"

    def news(self, watched: Watched, at_ns: Ns) -> list[Alert]:
        standing = list(alarms(watched, at_ns))
        new = [alarm for alarm in standing if alarm not in self._told]
        self._told = set(standing)
        return [Alert(market="", at_ns=at_ns, level=a.level, text=a.text) for a in new]


def alarms(watched: Watched, at_ns: Ns) -> Iterator[Alarm]:
    """Everything that stands at `at_ns`, the worst kinds first."""
    for proposal in watched.proposals.all():
        if proposal.status in OUT:
            text = f"{proposal.name} may be happening: its place has not said what became of it"
            if proposal.status is Status.UNKNOWN:
                yield Alarm(level="critical", text=text)
        elif proposal.status is Status.PROPOSED and proposal.ruling.tier is Tier.OVERRIDE:
            until = moment_text(proposal.request.expires_ns)
            text = f"override waits until {until}: {proposal.name}, {summary(proposal.request)}"
            yield Alarm(level="critical", text=text)
    yield from _evidence(watched, at_ns)
    yield from _too_few(watched, at_ns)


def _evidence(watched: Watched, at_ns: Ns) -> Iterator[Alarm]:
    for proposal in watched.proposals.all():
        due_ns = proposal.began_ns + proposal.ruling.duties_ns
        for item in proposal.missing:
            is_late = at_ns >= due_ns
            text = f'{proposal.name}: "{item}" is missing, due {moment_text(due_ns)}'
            yield Alarm(level="critical" if is_late else "warning", text=text)


def _too_few(watched: Watched, at_ns: Ns) -> Iterator[Alarm]:
    found = watched.roster.shortfalls_ahead(watched.authority, at_ns, at_ns + AHEAD_NS)
    for short in found:
        when = "" if short.at_ns == at_ns else f", from {moment_text(short.at_ns)}"
        is_bad = not (short.asker or when)
        yield Alarm(level="critical" if is_bad else "warning", text=f"{short!r}{when}")
