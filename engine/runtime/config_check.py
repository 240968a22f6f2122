"""Finds every mistake in a parsed config, each with its path, before anything is built from it."""

import difflib
import math
import re
import types
from collections import Counter
from enum import Enum
from typing import Any, Union, get_args, get_origin

import msgspec

SECRET_KEYS = re.compile(
    r"(?i)(^|[_-])(api|private)?[_-]?(secret|key|password|passphrase|token|mnemonic|seed)$"
)
NAMES_OF_KEYS = {"key"}
"""`venues.key` is the name of a key, and may be no more than that."""
SECRET_LENGTH_MIN = 32
SECRET_PIECE_MIN = 12
SECRET_TEXT = re.compile(rf"[A-Za-z0-9+/=_-]{{{SECRET_LENGTH_MIN},}}")
SECRET_BITS_MIN = 3.3
"""Shannon entropy of one character. Hex keys have about 3.7, base64 over 4.5."""
PLACE = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?")


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


def secret_problems(value: Any, path: str = "") -> list[str]:
    """Paths whose name or content looks like a key or a secret. Never quotes the content."""
    if isinstance(value, dict):
        found = []
        for key, item in value.items():
            at = _join(path, key)
            if isinstance(item, str) and item and _names_secret(key):
                found.append(f"{at}: {_NO_SECRETS}")
            else:
                found += secret_problems(item, at)
        return found
    if isinstance(value, list):
        return [p for i, item in enumerate(value) for p in secret_problems(item, f"{path}[{i}]")]
    if isinstance(value, str) and looks_like_secret(value):
        return [f"{path}: {_NO_SECRETS}"]
    return []


def _names_secret(key: str) -> bool:
    return bool(SECRET_KEYS.search(key)) and key not in NAMES_OF_KEYS


def looks_like_secret(text: str) -> bool:
    """A key block, or a long run without blanks that mixes its characters as only keys do."""
    if "PRIVATE KEY" in text:
        return True
    return any(_is_random(run) for run in SECRET_TEXT.findall(text))


_NO_SECRETS = (
    "this looks like a key or a secret; the config holds only the name of a key "
    "(see `key` and `key_file` of [[venues]])"
)


def _is_random(run: str) -> bool:
    """Words in a path or a name have few digits, or break into short pieces; keys do neither."""
    longest = max(re.split(r"[/_=-]", run), key=len)
    if len(longest) < SECRET_PIECE_MIN or not re.search(r"[0-9]", run):
        return False
    counts = Counter(run).values()
    bits = -sum(count / len(run) * math.log2(count / len(run)) for count in counts)
    mixes = bool(re.search(r"[a-z]", run)) + bool(re.search(r"[A-Z]", run))
    digits = sum(character.isdigit() for character in run)
    return bits >= SECRET_BITS_MIN and (mixes == 2 or (digits >= 4 and mixes >= 1))


def _is_struct(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)


def _struct_problems(value: Any, wanted: type[msgspec.Struct], path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: expected a table, got {type(value).__name__}"]
    fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    found = [_unknown(_join(path, key), key, list(fields)) for key in value if key not in fields]
    for name, field in fields.items():
        if name in value:
            found += problems(value[name], field.type, _join(path, name))
        elif field.required:
            found.append(f"{_join(path, name)}: missing")
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


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
