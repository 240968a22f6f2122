"""What a person reads before signing. Made from the very bytes that are signed, and nothing else.

Every field of the bytes is in the text: each line is one field by its path, amounts as decimals,
moments in UTC. A field that this file knows nothing of is shown all the same.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from engine.treasury.action_bytes import decoded, digest_of
from engine.treasury.dates import day_of, day_text
from engine.values.action_words import Coins, Request
from engine.values.units import NS_PER_S, Ns, decimal_text

DAY_S = 86_400
SPANS = {"notice_ns"}
"""Fields of nanoseconds that are no moment."""


def text_of(content: bytes) -> str:
    """The request in `content`, for a person, a line a field. Raises NotCanonical."""
    request = decoded(content, Request)
    lines = [f"{request.name}: {summary(request)}"]
    lines += [f"  {path:<22} {text}" for path, text in _lines("", msgspec.to_builtins(request))]
    return "\n".join([*lines, f"  {'sha-256':<22} {digest_of(content)}"])


def summary(request: Request) -> str:
    """One line for a list: the kind, how much, for which function, by whom."""
    action: dict[str, Any] = msgspec.to_builtins(request.action)
    inner = action.get("does", action)
    amounts = " + ".join(_amounts(inner))
    kind = f"{action['type']}: {inner['type']}" if inner is not action else action["type"]
    return f"{kind} {amounts} for {request.function}, asked by {request.who}".replace("  ", " ")


def coins_text(coins: Coins) -> str:
    """`500000000 BTT`, exactly."""
    return f"{decimal_text(coins.atoms, coins.exponent)} {coins.asset}"


def moment_text(at_ns: Ns) -> str:
    """`2026-11-21 16:30:00 UTC`, rounded down to a second."""
    second = at_ns // NS_PER_S % DAY_S
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{day_text(day_of(at_ns))} {clock} UTC"


def _amounts(action: dict[str, Any]) -> Iterator[str]:
    found = action.get("sell") or action.get("cover") or action.get("coins") or []
    for coins in found if isinstance(found, list) else [found]:
        yield f"{decimal_text(coins['atoms'], coins['exponent'])} {coins['asset']}"


def _lines(path: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case {"asset": str(asset), "atoms": int(atoms), "exponent": int(exponent)}:
            yield path, f"{decimal_text(atoms, exponent)} {asset} ({atoms} of 10^-{exponent})"
        case dict():
            for name, item in value.items():
                yield from _lines(f"{path}.{name}" if path else name, item)
        case list():
            for index, item in enumerate(value):
                yield from _lines(f"{path}[{index}]", item)
        case int() if path.endswith("_ns"):
            yield path, _time(path, value)
        case _:
            yield path, f'"{value}"' if isinstance(value, str) else str(value)


def _time(path: str, value: int) -> str:
    if path.rpartition(".")[2] in SPANS:
        return f"{decimal_text(value, 9)} s"
    return f"{moment_text(value)} ({value})"
