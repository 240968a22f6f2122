"""Keeps known secrets out of all that we write: logs, journal, answers, tracebacks."""

import base64
import logging
import re
import traceback
from typing import NoReturn
from urllib.parse import quote, quote_plus

import msgspec

SECRET_CHARACTERS_MIN = 8
"""Shorter forms would take ordinary words out of ordinary texts."""
PEM_LINE_CHARACTERS_MIN = 16
CUT_CHARACTERS_MIN = 12
"""A text that was cut to its length may end within a secret: so much of its start gives it away."""
CUT_TAIL = r"[A-Za-z0-9+/=_%-]*"
HIDDEN = "<secret>"


class Secret:
    """A text that shows itself only to `reveal()`: not in repr, str, format, pickle or JSON."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not stored")

    def reveal(self) -> str:
        return self._text


class Redactor:
    """Takes every secret it was told of out of a text, in each form in which it could be there."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._signs: tuple[str, ...] = ()
        """Whatever the pattern finds contains one of these: to look for them is far cheaper."""

    def __repr__(self) -> str:
        return f"<redactor of {len(self._forms)} forms>"

    def add(self, secret: Secret) -> None:
        """Know `secret` from now on: raw, base64, hex, url-encoded, and a PEM's single lines."""
        text = secret.reveal()
        parts = {text, text.strip()}
        parts |= {line for line in text.splitlines() if len(line) >= PEM_LINE_CHARACTERS_MIN}
        parts = {part for part in parts if part and not part.startswith("-----")}
        for part in parts:
            self._forms |= _forms(part)
        longest_first = sorted(self._forms, key=len, reverse=True)
        cut = {
            form[:CUT_CHARACTERS_MIN] for form in longest_first if len(form) > CUT_CHARACTERS_MIN
        }
        self._signs = tuple({form[:CUT_CHARACTERS_MIN] for form in longest_first})
        patterns = [re.escape(form) for form in longest_first]
        patterns += [re.escape(start) + CUT_TAIL for start in sorted(cut)]
        self._pattern = re.compile("|".join(patterns))

    def redact(self, text: str) -> str:
        """Hardly any text has a secret in it, and each record of the journal is asked."""
        for sign in self._signs:
            if sign in text:
                return self._pattern.sub(HIDDEN, text) if self._pattern else text
        return text

    def traceback(self, error: BaseException) -> str:
        """The error's traceback as text that may be shown."""
        return self.redact("".join(traceback.format_exception(error)))


class RedactingFilter(logging.Filter):
    """Goes on every handler (a logger's filter does not see its children's records)."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redactor.redact(record.getMessage()), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = self._redactor.traceback(record.exc_info[1])
            record.exc_info = None
        if record.stack_info:
            record.stack_info = self._redactor.redact(record.stack_info)
        return True


def _forms(text: str) -> set[str]:
    raw = text.encode()
    forms = {text, raw.hex(), raw.hex().upper(), repr(text)[1:-1]}
    forms |= {msgspec.json.encode(text).decode()[1:-1], quote(text), quote(text, safe="")}
    forms |= {quote_plus(text), re.sub("%..", lambda m: m.group().lower(), quote(text, safe=""))}
    for shift in range(3):
        forms |= _base64_core(raw, shift)
    return {form for form in forms if len(form) >= SECRET_CHARACTERS_MIN}


def _base64_core(raw: bytes, shift: int) -> set[str]:
    """Characters that `raw` surely leaves in base64 when `shift` bytes (mod 3) come before it."""
    first = (shift * 8 + 5) // 6
    last = (shift + len(raw)) * 8 // 6
    padded = bytes(shift) + raw
    return {
        encode(padded).decode()[first:last]
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
    }
