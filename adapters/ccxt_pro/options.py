"""What the runtime says about a venue that ccxt.pro reaches."""

import msgspec

from adapters.common.keys import RECV_WINDOW_MS_MAX, check_windows
from engine.values.events import Grade


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
        check_windows(self.recv_window_ms, self.request_timeout_ms)
        if not 1 <= self.depth_levels <= 5000 or not 1 <= self.snapshot_limit <= 5000:
            raise ValueError("depth_levels and snapshot_limit must be in 1..5000")
