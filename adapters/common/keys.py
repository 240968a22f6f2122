"""The keys that the runtime hands to an adapter, and how late a signed request may land."""

from typing import Protocol

RECV_WINDOW_MS_MAX = 1000
"""No order may land later than this after it was signed (fault O06)."""
REQUEST_TIMEOUT_MS_MAX = 60_000


class Secret(Protocol):
    """A text that never shows in a repr, a log or an exception; only `reveal` gives it."""

    def reveal(self) -> str: ...


class Keys(Protocol):
    """One account's credentials. `secret` is an HMAC secret or a private key in PEM."""

    @property
    def api_key(self) -> Secret: ...

    @property
    def secret(self) -> Secret: ...

    @property
    def password(self) -> Secret | None: ...


def check_windows(recv_window_ms: int, request_timeout_ms: int) -> None:
    """Raises ValueError where a request could land later than allowed, or is given up too soon."""
    if not 0 < recv_window_ms <= RECV_WINDOW_MS_MAX:
        raise ValueError(f"recv_window_ms must be in 1..{RECV_WINDOW_MS_MAX}")
    if not recv_window_ms <= request_timeout_ms <= REQUEST_TIMEOUT_MS_MAX:
        raise ValueError(f"request_timeout_ms must be in recv_window_ms..{REQUEST_TIMEOUT_MS_MAX}")
