"""What the runtime says about a venue that is reached natively: Binance spot so far."""

import msgspec

from adapters.common.keys import RECV_WINDOW_MS_MAX, check_windows

REAL = {
    "public": "https://api.binance.com/api/v3",
    "private": "https://api.binance.com/api/v3",
    "ws.spot": "wss://stream.binance.com:9443/ws",
    "ws.ws-api.spot": "wss://ws-api.binance.com:443/ws-api/v3",
}
SANDBOX = {
    "public": "https://testnet.binance.vision/api/v3",
    "private": "https://testnet.binance.vision/api/v3",
    "ws.spot": "wss://stream.testnet.binance.vision/ws",
    "ws.ws-api.spot": "wss://ws-api.testnet.binance.vision/ws-api/v3",
}
UNUSED = ("v1", "sapi", "fapi", "dapi", "ws.margin")
"""Beginnings of urls that a config may also hold, for the ccxt path: nothing here goes there."""
DAY_S = 86_400


class NativeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`name` is ours (`BTT/USDT@name`). `urls` replace the venue's own, under the same dotted
    names as on the ccxt path.

    A connection is followed by a fresh one after `connection_life_s`; the venue cuts it at 24 h.
    """

    name: str
    exchange: str
    urls: dict[str, str] = {}
    sandbox: bool = False
    recv_window_ms: int = RECV_WINDOW_MS_MAX
    request_timeout_ms: int = 3000
    snapshot_limit: int = 5000
    connection_life_s: float = 84_600.0

    def __post_init__(self) -> None:
        check_windows(self.recv_window_ms, self.request_timeout_ms)
        if self.exchange != "binance":
            raise ValueError('adapter "native" knows exchange "binance" only')
        if not 1 <= self.snapshot_limit <= 5000:
            raise ValueError("snapshot_limit must be in 1..5000")
        if not 1.0 <= self.connection_life_s < DAY_S:
            raise ValueError(f"connection_life_s must be at least 1 and below {DAY_S}")
        for name in self.urls:
            if name not in REAL and not name.startswith(UNUSED):
                raise ValueError(f"urls.{name}: nothing goes there; known are {', '.join(REAL)}")

    def url(self, name: str) -> str:
        return self.urls.get(name) or (SANDBOX if self.sandbox else REAL)[name]
