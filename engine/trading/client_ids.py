"""Client ids: never used twice over all lives of an account (I7)."""

from engine.values.units import Ns

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class ClientIds:
    """Prefix, epoch and a counter, in letters and digits only: some venues take nothing else.

    The epoch comes from the journal and was durable before the first id was made.
    """

    def __init__(self, prefix: str, epoch: int) -> None:
        self.prefix = prefix
        self._head = f"{prefix}{_base36(epoch)}x"
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        return self._head + _base36(self._count)

    def is_ours(self, client_id: str) -> bool:
        """Whether some epoch of this engine made it."""
        return client_id.startswith(self.prefix)


def _base36(number: Ns) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
