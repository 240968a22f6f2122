"""Actions and signed words as files: people write decimals and dates, machines carry bytes.

An action is JSON with the `type` of its kind. `{"asset": "BTT", "amount": "500"}` stands for an
amount with the asset's own exponent; a text in a field whose name ends in `_ns` is a moment (ISO
8601, with an offset) or, for a span, `36h` or `14d`.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias, get_args

import msgspec

from engine.runtime.person_file import read_text
from engine.treasury.actions import problem
from engine.treasury.authority import Authority
from engine.treasury.dates import NS_PER_DAY, NS_PER_H
from engine.treasury.desk_step import SignedWord
from engine.values.action_words import Action, Emergency, Override
from engine.values.errors import UserError
from engine.values.table_check import joined, problems
from engine.values.units import NS_PER_S, Ns, scaled

Kinds: TypeAlias = dict[str, type[msgspec.Struct]]
KINDS: Kinds = {str(one.__struct_config__.tag): one for one in get_args(Action)}
EMERGENCIES: Kinds = {str(one.__struct_config__.tag): one for one in get_args(Emergency)}
OVERRIDE = str(Override.__struct_config__.tag)
SPAN = re.compile(r"([0-9]{1,5})([hd])")


def load_action(path: Path, authority: Authority) -> Action:
    """The action in a file. Raises UserError, one line with the file and what is wrong."""
    try:
        table = msgspec.json.decode(read_text(path))
    except (msgspec.DecodeError, RecursionError) as error:
        raise UserError(f"{path}: not JSON: {error}") from error
    return action_of(table, authority, str(path))


def action_of(table: Any, authority: Authority, where: str) -> Action:
    """`where` is what mistakes are reported under. Raises UserError."""
    exponents = {rule.name: rule.exponent for rule in authority.assets}
    exponents[authority.money.name] = authority.money.exponent
    try:
        exact = _exact(table, exponents, "")
        found = _mistakes(exact, KINDS, "")
        action: Action | None = None if found else msgspec.convert(exact, Action)
    except (msgspec.ValidationError, ValueError) as error:
        raise UserError(f"{where}: {error}") from error
    if action is None:
        raise UserError("\n".join(f"{where}: {fault}" for fault in found))
    if fault := problem(action) or authority.action_problem(action):
        raise UserError(f"{where}: {fault}")
    return action


def moment_of(text: str) -> Ns:
    """A moment in ISO 8601. Raises ValueError; a moment without an offset could be any."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text[:40]!r} has no offset; end it with Z for UTC")
    return int(moment.timestamp()) * NS_PER_S + moment.microsecond * 1_000


def save_word(word: SignedWord, path: Path) -> None:
    """Raises UserError."""
    try:
        path.write_bytes(msgspec.json.encode(word) + b"\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def load_word(path: Path) -> SignedWord:
    """A signed word that somebody wrote into a file. Raises UserError."""
    return word_of(read_text(path), str(path))


def word_of(text: str, where: str) -> SignedWord:
    """A signed word from its JSON. What it is worth is for the desk to say. Raises UserError."""
    try:
        word: SignedWord = msgspec.json.decode(text, type=SignedWord)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UserError(f"{where}: not a signed word: {str(error)[:200]}") from error
    return word


def _mistakes(table: Any, kinds: Kinds, path: str) -> list[str]:
    """Each with its key path, and with what may stand there where that is a list."""
    if not isinstance(table, dict):
        return [f"{path}: expected an object with a type".lstrip(": ")]
    kind = table.get("type")
    if kind not in kinds:
        told = "missing" if kind is None else f'"{str(kind)[:40]}" is none of them'
        return [f"{joined(path, 'type')}: {told}; there are: {', '.join(kinds)}"]
    fields = {key: item for key, item in table.items() if key != "type"}
    found = []
    if kind == OVERRIDE:
        found = _mistakes(fields.pop("does", None), EMERGENCIES, joined(path, "does"))
        fields["does"] = None
    other = problems(fields, kinds[kind], path)
    return found + [one for one in other if kind != OVERRIDE or not one.startswith("does: ")]


def _exact(value: Any, exponents: dict[str, int], path: str) -> Any:
    """Decimals to atoms, and texts of time to nanoseconds. Raises ValueError with the key path."""
    match value:
        case {"asset": str(asset), "amount": str(amount), **rest} if not rest:
            if asset not in exponents:
                known = ", ".join(exponents)
                raise ValueError(f"{path}.asset: {asset[:20]} is none of the assets: {known}")
            try:
                atoms = scaled(amount, exponents[asset])
            except ValueError as error:
                raise ValueError(f"{path}.amount: {error}") from error
            return {"asset": asset, "atoms": atoms, "exponent": exponents[asset]}
        case dict():
            return {
                key: _exact(item, exponents, f"{path}.{key}" if path else str(key))
                for key, item in value.items()
            }
        case list():
            return [_exact(item, exponents, f"{path}[{n}]") for n, item in enumerate(value)]
        case str() if path.endswith("_ns"):
            return _time(value, path)
        case _:
            return value


def _time(text: str, path: str) -> Ns:
    if span := SPAN.fullmatch(text):
        return int(span[1]) * (NS_PER_DAY if span[2] == "d" else NS_PER_H)
    try:
        return moment_of(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
