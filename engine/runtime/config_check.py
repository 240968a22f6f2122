"""Finds what looks like a key or a secret in a parsed config, and never quotes it."""

import math
import re
from collections import Counter
from typing import Any

from engine.values.table_check import joined

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


def secret_problems(value: Any, path: str = "") -> list[str]:
    """Paths whose name or content looks like a key or a secret. Never quotes the content."""
    if isinstance(value, dict):
        found = []
        for key, item in value.items():
            at = joined(path, key)
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
