"""`--set key=a,b,c`: which key of a config, which values, and the config with one of them in it."""

import copy
import re
import tomllib
from collections.abc import Sequence
from typing import Any

import msgspec

from engine.cli.backtest_run import Wanted
from engine.runtime.config import Config, MarketConfig
from engine.sim.sweep import Axis, Settings, Value
from engine.values.errors import UserError

ASSUMED = "backtest"
"""`backtest.queue=log,risk-averse`: what is assumed, instead of a key of the config."""
TOKEN = re.compile(r"([^.\[\]]+)((?:\[\d+\])*)")
NAMES = ("check", "name", "symbol", "timeframe")
"""Fields by which a row of a list may be named instead of counted."""


def axes_of(texts: Sequence[str], table: dict[str, Any]) -> list[Axis]:
    """Raises UserError naming the `--set` that cannot be read."""
    axes = [_axis(text, table) for text in texts]
    for index, axis in enumerate(axes):
        if axis.key in [other.key for other in axes[:index]]:
            raise UserError(f"--set {axis.key}: named twice")
    return axes


def _axis(text: str, table: dict[str, Any]) -> Axis:
    key, equals, listed = text.partition("=")
    key = key.strip()
    if not equals or not key or not listed.strip():
        raise UserError(f"--set {text!r} is not key=a,b,c")
    is_text = key.startswith(f"{ASSUMED}.") or isinstance(_there(table, key), str)
    values = [_value(part.strip(), is_text=is_text) for part in listed.split(",")]
    seen: set[tuple[type, Value]] = set()
    for value in values:
        if (type(value), value) in seen:
            raise UserError(f"--set {key}: {value!r} is there twice")
        seen.add((type(value), value))
    return Axis(key=key, values=tuple(values))


def _value(text: str, *, is_text: bool) -> Value:
    """As TOML reads it, and as plain text where TOML reads nothing."""
    if is_text:
        return text.strip("\"'")
    try:
        found = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return found if isinstance(found, bool | int | float | str) else text


def with_settings(table: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """A copy of the config's table with these values in it. Raises UserError for a bad path."""
    changed = copy.deepcopy(table)
    for key, value in settings.items():
        if not key.startswith(f"{ASSUMED}."):
            *way, last = tokens_of(key, changed)
            place = _walked(changed, way, key)
            _put(place, last, value, key)
    return changed


def assumed_with(wanted: Wanted, settings: Settings) -> Wanted:
    """What a run assumes once its settings of `backtest.` are in. Raises UserError."""
    changes: dict[str, Any] = {}
    for key, value in settings.items():
        if key.startswith(f"{ASSUMED}."):
            changes[_assumption(key)] = value
    if "seed" in changes:
        changes["seed"] = _whole(str(changes["seed"]))
    return msgspec.structs.replace(wanted, **changes)


def _assumption(key: str) -> str:
    name = key.removeprefix(f"{ASSUMED}.")
    if name not in Wanted.__struct_fields__:
        known = ", ".join(Wanted.__struct_fields__)
        raise UserError(f"--set {key}: a back-test assumes {known}")
    return name


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UserError(f"--set {ASSUMED}.seed: {text!r} is not a whole number") from error


# --- paths --------------------------------------------------------------------------------------


def tokens_of(key: str, table: dict[str, Any]) -> list[str | int]:
    """`markets[0].params.lots` as steps. Without `markets[0].` the only market is meant.

    Raises UserError.
    """
    tokens: list[str | int] = []
    for part in key.split("."):
        found = TOKEN.fullmatch(part)
        if found is None:
            raise UserError(f"--set {key}: {part!r} is no step of a path like markets[0].params.x")
        tokens += [found[1], *(int(number) for number in re.findall(r"\d+", found[2]))]
    if tokens[0] in MarketConfig.__struct_fields__ and tokens[0] not in Config.__struct_fields__:
        markets = table.get("markets", [])
        if len(markets) != 1:
            raise UserError(f"--set {key}: of which market? Begin with markets[0].")
        return ["markets", 0, *tokens]
    return tokens


def _walked(place: Any, way: Sequence[str | int], key: str) -> Any:
    for token in way:
        if isinstance(place, list):
            place = place[_index(place, token, key)]
        elif isinstance(place, dict) and isinstance(token, str):
            place = place.setdefault(token, {})  # the config's own check says what may stand there
        else:
            raise UserError(f"--set {key}: nothing is inside of {place!r}")
    return place


def _put(place: Any, last: str | int, value: Value, key: str) -> None:
    if isinstance(place, list):
        place[_index(place, last, key)] = value
    elif isinstance(place, dict) and isinstance(last, str):
        place[last] = value
    else:
        raise UserError(f"--set {key}: nothing is inside of {place!r}")


def _index(rows: list[Any], token: str | int, key: str) -> int:
    if isinstance(token, int) and token < len(rows):
        return token
    for index, row in enumerate(rows):
        if isinstance(row, dict) and token in [row.get(name) for name in NAMES]:
            return index
    named = [row.get(name) for row in rows if isinstance(row, dict) for name in NAMES]
    known = ", ".join(str(name) for name in named if name) or f"0 to {len(rows) - 1}"
    raise UserError(f"--set {key}: there is no {token!r}; there are: {known}")


def _there(table: dict[str, Any], key: str) -> Any:
    """What stands there now; None where nothing does. A bad path is told later, in its turn."""
    place: Any = table
    for token in tokens_of(key, table):
        if isinstance(place, list):
            place = place[_index(place, token, key)]
        elif isinstance(place, dict):
            place = place.get(str(token))
        else:
            return None
    return place
