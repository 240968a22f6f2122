"""What the runtime says about a venue that ccxt.pro reaches, and the keys it hands over."""

from typing import Protocol

import msgspec

from engine.values.events import Grade

RECV_WINDOW_MS_MAX = 1000
"""No order may land later than this after it was signed (fault O06)."""


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


class VenueOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`name` is ours (`BTT/USDT@name`), `exchange` is ccxt's id.

    `urls` replace ccxt's own: keys are its paths below `urls["api"]` joined by dots, such as
    `public`, `private`, `ws.spot`, `ws.ws-api.spot`. `grade` SNAPSHOT forces ccxt's parsed books
    even where we have a codec.
    """

    name: str
    exchange: str
    urls: dict[str, str] = {}
    grade: Grade = Grade.VERIFIED
    sandbox: bool = False
    recv_window_ms: int = RECV_WINDOW_MS_MAX
    request_timeout_ms: int = 3000
    depth_levels: int = 100
    snapshot_limit: int = 5000

    def __post_init__(self) -> None:
        if not 0 < self.recv_window_ms <= RECV_WINDOW_MS_MAX:
            raise ValueError(f"recv_window_ms must be in 1..{RECV_WINDOW_MS_MAX}")
        if not self.recv_window_ms <= self.request_timeout_ms <= 60_000:
            raise ValueError("request_timeout_ms must be in recv_window_ms..60000")
        if not 1 <= self.depth_levels <= 5000 or not 1 <= self.snapshot_limit <= 5000:
            raise ValueError("depth_levels and snapshot_limit must be in 1..5000")
