"""The policy of approvals from the treasury file, and the roster from its own: proved, or refused.

A roster file:

```toml
[[people]]
name = "anna"                      # as in --as; small letters
role = "finance"                   # finance, operations or executive
key = "9f2c..."                    # public, as `ballast treasury roster key` prints it
contact = "+41 79 000 00 00"
absent = [{ from = 2026-12-20, until = 2027-01-03 }]    # days in UTC; back on the last
```
"""

import datetime
import hashlib
from pathlib import Path

import msgspec

from engine.runtime.person_file import read_text
from engine.runtime.treasury_file import TreasuryFile, asset_rules, load_treasury
from engine.treasury.authority import Authority
from engine.treasury.authority_rows import authority_of
from engine.treasury.dates import begin_ns
from engine.treasury.roster import problems as roster_problems
from engine.values.action_records import Absence, AuthoritySet, Person, RosterSet
from engine.values.action_words import Role
from engine.values.errors import UserError
from engine.values.table_check import problems, toml_table
from engine.values.units import Ns

DAY_ONE = datetime.date(1970, 1, 1).toordinal()


class AbsenceParams(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True,
    rename={"from_": "from"},
):  # fmt: skip
    """Away from the beginning of one day up to that of another, in UTC: `until` is back."""

    from_: datetime.date
    until: datetime.date


class PersonParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[people]]`."""

    name: str
    role: Role
    key: str
    contact: str
    absent: list[AbsenceParams] = []


class RosterFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole roster file."""

    people: list[PersonParams]


def load_authority(path: Path) -> Authority:
    """The proved policy of a treasury file. Raises UserError with one line for each mistake."""
    authority = authority_in(load_treasury(path))
    if authority is None:
        raise UserError(f"{path}: authority: missing; it says who may approve what")
    return authority


def authority_in(file: TreasuryFile) -> Authority | None:
    """The policy of a treasury file that was read and checked; None where it has none."""
    if file.authority is None:
        return None
    assets = asset_rules(file.assets)
    return authority_of(file.authority, file.money.asset, assets, file.functions)


def authority_word(authority: Authority, name: str, who: str, at_ns: Ns) -> AuthoritySet:
    content = msgspec.json.encode(authority, order="sorted")
    digest = hashlib.sha256(content).hexdigest()
    return AuthoritySet(at_ns=at_ns, who=who, name=name, digest=digest, text=content.decode())


def load_roster(path: Path) -> list[Person]:
    """The people of a roster file. Raises UserError with one line for each mistake."""
    return roster_in(read_text(path), str(path))


def roster_in(text: str, path: str) -> list[Person]:
    """The people in a text; `path` is what mistakes are reported under. Raises UserError."""
    table = toml_table(text, str(path))
    found = problems(table, RosterFile, "")
    people: list[Person] = []
    if not found:
        people = [_person(row) for row in msgspec.convert(table, RosterFile).people]
        found = list(roster_problems(people))
    if found:
        raise UserError("\n".join(f"{path}: {problem}" for problem in found))
    return people


def roster_word(people: list[Person], name: str, who: str, at_ns: Ns) -> RosterSet:
    digest = hashlib.sha256(msgspec.json.encode(people, order="sorted")).hexdigest()
    return RosterSet(at_ns=at_ns, who=who, name=name, digest=digest, people=people)


def _person(row: PersonParams) -> Person:
    absences = [
        Absence(from_ns=_begin_ns(away.from_), until_ns=_begin_ns(away.until))
        for away in row.absent
    ]
    return Person(name=row.name, role=row.role, key=row.key, contact=row.contact, absences=absences)


def _begin_ns(day: datetime.date) -> Ns:
    return begin_ns(day.toordinal() - DAY_ONE)
