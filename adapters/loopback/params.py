"""The parameters of one request, read with the venue's own complaints."""

import re

from adapters.loopback import refusals
from engine.values.units import scaled

_DECIMAL = re.compile(r"^[0-9]{1,20}(\.[0-9]{1,20})?$")
_CLIENT_ID = re.compile(r"^[a-zA-Z0-9\-_]{1,36}$")
_WIRE_EXPONENT = 20


class Params:
    """Texts by name. Every reader raises Refusal with the code that the venue would give."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str | None = None) -> str:
        value = self._values.get(name, default)
        if value is None or value == "":
            raise refusals.missing(name)
        return value

    def optional(self, name: str) -> str:
        return self._values.get(name, "")

    def integer(self, name: str, default: int | None = None) -> int:
        if name not in self._values and default is not None:
            return default
        text = self.text(name)
        if not text.isascii() or not text.isdigit() or len(text) > 19:
            raise refusals.illegal(name)
        return int(text)

    def count(self, default: int, highest: int) -> int:
        """The `limit` of a list, cut at what the venue gives at most."""
        limit = self.integer("limit", default)
        if limit == 0:
            raise refusals.illegal("limit")
        return min(limit, highest)

    def decimal(self, name: str, exponent: int) -> int:
        """In units of 10**-exponent; -1100 for no decimal, -1111 for too fine a one."""
        text = self.text(name)
        if not _DECIMAL.match(text):
            raise refusals.illegal(name)
        unit: int = 10 ** (_WIRE_EXPONENT - exponent)
        value, rest = divmod(scaled(text, _WIRE_EXPONENT), unit)
        if rest:
            raise refusals.too_precise(name)
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise refusals.bad_choice(name)
        return value

    def client_id(self, name: str) -> str:
        """ "" when it was not sent."""
        value = self._values.get(name)
        if value is None:
            return ""
        if value == "":
            raise refusals.empty(name)
        if not _CLIENT_ID.match(value):
            raise refusals.illegal_id(name)
        return value
