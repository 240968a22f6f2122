"""Finds every mistake in a parsed table of a file, each with its path, before a struct is made."""

import difflib
import re
import tomllib
import types
from enum import Enum
from typing import Any, Union, get_args, get_origin

import msgspec

from engine.values.errors import UserError

PLACE = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?")


def toml_table(text: str, name: str) -> dict[str, Any]:
    """The TOML in `text`; `name` is what a mistake is reported under. Raises UserError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{name}: not TOML: {error}") from error
    except RecursionError as error:
        raise UserError(f"{name}: not TOML: nested too deeply") from error


def problems(value: Any, wanted: Any, path: str) -> list[str]:
    """Every reason why `value` is not a `wanted`, as "path: what is wrong"."""
    if _is_struct(wanted):
        return _struct_problems(value, wanted, path)
    if get_origin(wanted) is list and isinstance(value, list):
        (of,) = get_args(wanted)
        return [p for i, item in enumerate(value) for p in problems(item, of, _item(path, i, item))]
    if get_origin(wanted) in (Union, types.UnionType):
        choices = [choice for choice in get_args(wanted) if _is_struct(choice)]
        if len(choices) == 1 and isinstance(value, dict):
            return _struct_problems(value, choices[0], path)
    return _leaf_problems(value, wanted, path)


def _is_struct(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)


def _struct_problems(value: Any, wanted: type[msgspec.Struct], path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: expected a table, got {type(value).__name__}"]
    fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    found = [_unknown(joined(path, key), key, list(fields)) for key in value if key not in fields]
    for name, field in fields.items():
        if name in value:
            found += problems(value[name], field.type, joined(path, name))
        elif field.required:
            found.append(f"{joined(path, name)}: missing")
    return found or _leaf_problems(value, wanted, path)


def _unknown(path: str, key: str, known: list[str]) -> str:
    alike = difflib.get_close_matches(key, known, n=1)
    hint = f'; did you mean "{alike[0]}"?' if alike else ""
    return f"{path}: unknown key{hint}"


def _leaf_problems(value: Any, wanted: Any, path: str) -> list[str]:
    try:
        msgspec.convert(value, wanted, strict=True)
    except msgspec.ValidationError as error:
        return [_readable(str(error), wanted, path)]
    return []


def _readable(text: str, wanted: Any, path: str) -> str:
    match = PLACE.fullmatch(text)
    what, deeper = (match["what"], match["path"] or "") if match else (text, "")
    what = what.replace("`", "")
    what = what.replace("Expected ", "expected ", 1).replace("Invalid ", "invalid ", 1)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        what += f"; it is one of: {', '.join(str(choice.value) for choice in wanted)}"
    return f"{path}{deeper}: {what}"


def _item(path: str, index: int, item: Any) -> str:
    """Rows of a risk table are named by their check, since people count them badly."""
    if isinstance(item, dict) and isinstance(item.get("check"), str):
        return f"{path}.{item['check'][:40]}"
    return f"{path}[{index}]"


def joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
