"""`ballast treasury simulate`: what recorded actions would have met under a policy.

One JSON object a line: `at` (ISO 8601 with an offset), `initiator`, `function`, `action` (as for
`propose`) and `prices` (money for one whole token, by asset; what is left out is not known).
"""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_desk import Json
from engine.runtime.action_files import action_of
from engine.runtime.authority_file import load_authority, load_roster
from engine.runtime.person_file import read_text
from engine.runtime.treasury_facts import PriceRow, price_of, scheme_of
from engine.runtime.treasury_file import load_treasury
from engine.treasury.action_text import moment_text, summary
from engine.treasury.authority import Authority
from engine.treasury.facts import Scheme
from engine.treasury.roster import Roster
from engine.treasury.simulate import Met, Recorded
from engine.treasury.simulate import simulate as met_by
from engine.values.action_records import Tier
from engine.values.action_words import Initiator, Request
from engine.values.errors import UserError
from engine.values.units import NS_PER_S, decimal_text


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the file."""

    at: datetime
    initiator: Initiator
    function: str
    action: Any
    prices: dict[str, str] = {}
    who: str = ""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What lines are read under."""

    authority: Authority
    scheme: Scheme


def simulate(
    actions: Annotated[Path, typer.Argument(help="Recorded actions, one JSON object a line.")],
    file: Annotated[Path, typer.Option("--file", help="The treasury file with the policy.")],
    roster: Annotated[Path | None, typer.Option("--roster", help="Who could have signed.")] = None,
    json: Json = False,
) -> None:
    """Say what each of ACTIONS would have met, and how many of each."""
    terms = Terms(authority=load_authority(file), scheme=scheme_of(load_treasury(file)))
    people = Roster(load_roster(roster) if roster else [])
    past = _read(actions, terms)
    found = [_row(met, terms.authority) for met in met_by(terms.authority, past, people)]
    tiers = Counter(row["tier"] for row in found)
    counts = {tier.value: tiers[tier] for tier in Tier}
    unsigned = sum(bool(row["unsigned"]) for row in found)
    if json:
        as_json({"actions": len(found), "tiers": counts, "unsigned": unsigned, "met": found})
        return
    as_text(*(_line(row) for row in found))
    total = ", ".join(f"{tier} {count}" for tier, count in counts.items())
    as_text(f"{len(found)} actions: {total}; nobody could have signed {unsigned}")


def _read(path: Path, terms: Terms) -> list[Recorded]:
    """Every line, in order of time. Raises UserError naming file and line."""
    found = []
    for number, text in enumerate(read_text(path).splitlines(), 1):
        if text.strip():
            found.append(_recorded(text, number, f"{path}:{number}", terms))
    return sorted(found, key=lambda one: one.request.at_ns)


def _recorded(text: str, number: int, where: str, terms: Terms) -> Recorded:
    try:
        line = msgspec.json.decode(text, type=Line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UserError(f"{where}: {error}") from error
    if line.at.tzinfo is None:
        raise UserError(f"{where}: at: has no offset; end it with Z for UTC")
    if line.function not in terms.authority.functions:
        raise UserError(f'{where}: function: "{line.function[:40]}" is none of the functions')
    for asset in line.prices:
        if asset not in {rule.name for rule in terms.authority.assets}:
            raise UserError(f'{where}: prices: "{asset[:40]}" is none of the assets')
    prices = [
        price_of(PriceRow(asset=asset, price=price, at=line.at), terms.scheme, where)
        for asset, price in line.prices.items()
    ]
    at_ns = int(line.at.timestamp()) * NS_PER_S + line.at.microsecond * 1_000
    request = Request(
        desk=terms.authority.desk, name=f"line {number}", at_ns=at_ns, expires_ns=at_ns + 1,
        who=line.who or line.initiator.value, initiator=line.initiator, function=line.function,
        code="recorded", why="recorded", action=action_of(line.action, terms.authority, where),
    )  # fmt: skip
    return Recorded(request=request, prices=tuple(prices))


def _row(met: Met, authority: Authority) -> dict[str, Any]:
    atoms = met.ruling.money_atoms
    return {
        "line": int(met.request.name.removeprefix("line ")),
        "at": moment_text(met.request.at_ns),
        "what": summary(met.request),
        "tier": met.ruling.tier,
        "row": met.ruling.row,
        "worth": None if atoms is None else decimal_text(atoms, authority.money.exponent),
        "unsigned": list(met.unsigned),
    }


def _line(row: dict[str, Any]) -> str:
    worth = row["worth"] or "unknown"
    unsigned = f"; nobody could sign as {', '.join(row['unsigned'])}" if row["unsigned"] else ""
    return f'{row["at"]} {row["tier"]:<11} "{row["row"]}" {row["what"]} ({worth}){unsigned}'
