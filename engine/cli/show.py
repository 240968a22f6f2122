"""How verbs answer: JSON as one object on the last line, or text for people."""

import sys
from typing import Any

import msgspec


def as_json(answer: Any) -> None:
    """One object on one line, so that `tail -1` is all that a script needs."""
    sys.stdout.write(msgspec.json.encode(answer, enc_hook=str).decode() + "\n")
    sys.stdout.flush()


def as_text(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
