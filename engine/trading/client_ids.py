"""Client ids: never used twice over all lives of an account (I7)."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwyz"
_BETWEEN = "x"
"""Stands between epoch and counter and is no digit, or two pairs of numbers would read alike."""


class ClientIds:
    """Prefix, epoch and a counter, in letters and digits only: some venues take nothing else.

    The epoch comes from the journal and was durable before the first id was made.
    """

    def __init__(self, prefix: str, epoch: int) -> None:
        self.prefix = prefix
        self._head = f"{prefix}{_text(epoch)}{_BETWEEN}"
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        return self._head + _text(self._count)

    def is_ours(self, client_id: str) -> bool:
        """Whether some epoch of this engine made it."""
        return client_id.startswith(self.prefix)


def _text(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits or _DIGITS[0]
