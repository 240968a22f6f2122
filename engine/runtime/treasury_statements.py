"""Statements of what lies where no venue of ours shows it: a cold wallet, a custodian.

A statement is a picture of the moment (`engine.runtime.treasury_facts`) of which the balances are
read: what people or a job of theirs write down, taken at its word until they write another.
"""

import msgspec

from engine.runtime.treasury_facts import FactsFile, parse_facts
from engine.runtime.treasury_file import TreasuryFile
from engine.values.errors import UserError
from engine.values.treasury_words import Holding, HoldingsSeen
from engine.values.units import Ns, scaled


def balances_in(
    text: str, name: str, file: TreasuryFile, at_ns: Ns, who: str
) -> list[HoldingsSeen]:
    """What each place holds, of every asset of the file: 0 of what the statement leaves out.

    Raises UserError with a line for each mistake.
    """
    try:
        table = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UserError(f"{name}: not JSON: {error}") from error
    found, mistakes = _amounts(parse_facts(table, name), name, file)
    if mistakes:
        raise UserError("\n".join(mistakes))
    return [
        HoldingsSeen(
            at_ns=at_ns,
            who=who,
            place=place,
            holdings=[Holding(asset=asset, atoms=atoms) for asset, atoms in held.items()],
        )
        for place, held in found.items()
    ]


def _amounts(
    facts: FactsFile, name: str, file: TreasuryFile
) -> tuple[dict[str, dict[str, int]], list[str]]:
    exponents = {asset.name: asset.exponent for asset in file.assets}
    exponents[file.money.name] = file.money.exponent
    places = {place.name for place in file.places}
    found: dict[str, dict[str, int]] = {}
    mistakes = []
    for index, row in enumerate(facts.balances):
        where = f"{name}: balances[{index}]"
        if row.place not in places:
            mistakes.append(f'{where}.place: "{row.place[:40]}" is none of [[places]]')
        elif row.asset in exponents:
            try:
                atoms = scaled(row.amount, exponents[row.asset])
            except ValueError as error:
                mistakes.append(f"{where}.amount: {error}")
                continue
            if atoms < 0:
                mistakes.append(f"{where}.amount: must not be negative")
            found.setdefault(row.place, dict.fromkeys(exponents, 0))[row.asset] = atoms
    return found, mistakes
