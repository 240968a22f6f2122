"""Who may sign: people with a role, a public key and their absences, and where they are too few."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec

from engine.treasury.authority import SLOTS, Authority
from engine.values.action_records import Absence, Person, Tier
from engine.values.action_words import Initiator, Role
from engine.values.units import Ns

NAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")
KEY = re.compile(r"[0-9a-f]{64}")
PEOPLE_MAX = 200
SMALL_ORDER = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}
"""Points of small order (RFC 8032, 8.1, and 7.0 of "Taming the many EdDSAs", Chalkias et al. 2020),
the sign bit cleared: under such a key one signature fits many messages, and nobody owns it."""


class Shortfall(msgspec.Struct, frozen=True, kw_only=True):
    """From `at_ns` on nobody can sign for `need` as one of `roles`, if `asker` is who asks.

    `asker` "" is the worst: whoever asks.
    """

    at_ns: Ns
    need: str
    roles: tuple[Role, ...]
    asker: str

    def __repr__(self) -> str:
        who = f" when {self.asker} asks" if self.asker else ""
        return f"{self.need}: nobody of {' or '.join(self.roles)} can sign{who}"


class Roster:
    """The people of one moment's roster. Never changed: a new file makes a new one."""

    def __init__(self, people: Sequence[Person] = ()) -> None:
        self.people = {person.name: person for person in people}

    def __repr__(self) -> str:
        return f"<roster {', '.join(f'{p.name} {p.role}' for p in self.people.values())}>"

    def live(self, at_ns: Ns) -> list[Person]:
        return [person for person in self.people.values() if not is_absent(person, at_ns)]

    def shortfalls(self, authority: Authority, at_ns: Ns) -> list[Shortfall]:
        """Where fewer can sign at `at_ns` than the tiers that the policy uses need."""
        live = self.live(at_ns)
        found: list[Shortfall] = []
        for need, slots in _needs(authority):
            if missing := _unfilled(slots, live):
                found.append(Shortfall(at_ns=at_ns, need=need, roles=missing, asker=""))
                continue
            for asker in live:
                others = [person for person in live if person is not asker]
                if missing := _unfilled(slots, others):
                    short = Shortfall(at_ns=at_ns, need=need, roles=missing, asker=asker.name)
                    found.append(short)
        return found

    def shortfalls_ahead(self, authority: Authority, at_ns: Ns, until_ns: Ns) -> list[Shortfall]:
        """The same, whenever somebody leaves up to `until_ns`, each once."""
        edges = chain.from_iterable(
            (away.from_ns, away.until_ns)
            for person in self.people.values()
            for away in person.absences
        )
        moments = [at_ns, *sorted(edge for edge in set(edges) if at_ns < edge <= until_ns)]
        found: dict[tuple[str, str], Shortfall] = {}
        for moment_ns in moments:
            for short in self.shortfalls(authority, moment_ns):
                found.setdefault((short.need, short.asker), short)
        return list(found.values())


def is_absent(person: Person, at_ns: Ns) -> bool:
    return any(away.from_ns <= at_ns < away.until_ns for away in person.absences)


def problems(people: Sequence[Person]) -> Iterator[str]:
    """What is wrong with these people, as "people[3].key: fault"."""
    if not 1 <= len(people) <= PEOPLE_MAX:
        yield f"people: 1 to {PEOPLE_MAX}"
    names: set[str] = set()
    keys: dict[str, str] = {}
    for index, person in enumerate(people):
        path = f"people[{index}]"
        if not NAME.fullmatch(person.name) or person.name == Initiator.ENGINE:
            yield f'{path}.name: small letters, digits and ._-, at most 32, and not "engine"'
        elif person.name in names:
            yield f'{path}.name: "{person.name}" is there twice'
        elif not KEY.fullmatch(person.key) or _is_small(person.key):
            yield f"{path}.key: expected an Ed25519 public key in 64 small hex digits"
        elif person.key in keys:
            yield f'{path}.key: is also the key of "{keys[person.key]}"; nobody signs as two'
        names.add(person.name)
        keys.setdefault(person.key, person.name)
        yield from _absence_problems(person.absences, path)


def _absence_problems(absences: Sequence[Absence], path: str) -> Iterator[str]:
    for index, away in enumerate(absences):
        if away.from_ns >= away.until_ns:
            yield f"{path}.absent[{index}]: ends before it begins"


def _is_small(key: str) -> bool:
    return f"{key[:62]}{int(key[62:], 16) & 0x7F:02x}" in SMALL_ORDER


def _needs(authority: Authority) -> Iterator[tuple[str, list[list[Role]]]]:
    used = {row.tier for row in authority.rows}
    for tier in (Tier.TWO_PEOPLE, Tier.EXECUTIVE):
        if tier in used:
            yield tier.value, SLOTS[tier]
    for row in authority.overrides:
        if not row.alone:
            yield f"override: {row.trigger}", [sorted(row.roles)]


def _unfilled(slots: Sequence[Sequence[Role]], people: Sequence[Person]) -> tuple[Role, ...]:
    """The first slot for which nobody is left; slots of one need never share a role."""
    roles = {person.role for person in people}
    return next((tuple(slot) for slot in slots if not roles.intersection(slot)), ())
