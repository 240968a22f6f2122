"""The tables of a config file, each a frozen struct that refuses what makes no sense in itself."""

from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from engine.market.features import FeaturesParams
from engine.signals.spans import span_of
from engine.trading.hedge_params import HedgeInstrument
from engine.trading.risk import RiskRow
from engine.values.events import RatingLabel
from engine.values.units import DECIMALS_MAX, NS_PER_S, Ppm, scaled

LOOPBACK_HOST = "127.0.0.1"
VOTES = 26
TIMER_MS_MIN, TIMER_MS_MAX = 10, 1_000


class HostParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[runtime.host]`: what a colocated host is asked for. All of it is off by default.

    busy_poll: the loop never sleeps; it takes a whole core. cpus: run on these only. lock_memory:
    no page of ours is ever swapped out. freeze_gc: what lives after the warm-up is never looked at
    again, and cycles are collected when idle. rehearse_every_ms: decide on a scratch copy of the
    market so often while idle, so that caches stay warm; 0 for never, only while busy-polling.
    """

    busy_poll: bool = False
    cpus: list[int] = []
    lock_memory: bool = False
    freeze_gc: bool = False
    rehearse_every_ms: int = 0

    def __post_init__(self) -> None:
        if self.rehearse_every_ms < 0 or any(cpu < 0 for cpu in self.cpus):
            raise ValueError("cpus and rehearse_every_ms must not be negative")
        if self.rehearse_every_ms and not self.busy_poll:
            raise ValueError("rehearse_every_ms needs busy_poll = true")


class RuntimeParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[runtime]`: how often time passes inside the engine, and what a strategy may use of it.

    `record` keeps all that the engine was fed, for `ballast replay`, `backtest` and `review`;
    `record_frames` keeps the raw public frames beside it, as `ballast record` does.
    `ratings_file` is looked at every `ratings_every_s` for ratings of somebody else's.
    """

    timer_ms: int = 100
    quote_budget_ms: int = 20
    reconcile_s: float = 60.0
    stop_s: float = 5.0
    record: bool = True
    record_frames: bool = False
    ratings_file: str = ""
    ratings_every_s: float = 1.0
    host: HostParams = HostParams()

    def __post_init__(self) -> None:
        if not TIMER_MS_MIN <= self.timer_ms <= TIMER_MS_MAX:
            raise ValueError(f"timer_ms must be {TIMER_MS_MIN} to {TIMER_MS_MAX}")
        if not 0.05 <= self.ratings_every_s <= 3_600:
            raise ValueError("ratings_every_s must be 0.05 to 3600")
        if not (self.quote_budget_ms > 0 and self.reconcile_s > 0 and self.stop_s > 0):
            raise ValueError("budgets and intervals must be more than 0")


class VenueConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[venues]]`. `key` names a secret and is none; `key_file` is where it may lie."""

    name: str
    adapter: Literal["ccxt", "native"]
    exchange: str
    key: str = ""
    key_file: str = ""
    sandbox: bool = False
    urls: dict[str, str] = {}
    options: dict[str, bool | int | float | str] = {}

    @property
    def is_loopback(self) -> bool:
        hosts = {host_of(url) for url in self.urls.values()}
        return hosts == {LOOPBACK_HOST}


class BandsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[markets.bands]`: positions as decimal text in the base asset, so "20000000" is tokens."""

    floor: str
    lower: str
    target: str
    upper: str
    cap: str

    def __post_init__(self) -> None:
        row = [scaled(text, DECIMALS_MAX) for text in msgspec.structs.astuple(self)]
        if row != sorted(row) or row[0] == row[-1]:
            raise ValueError("bands must rise: floor <= lower <= target <= upper <= cap")


class RatingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[markets.rating]`: what is thought of the market at start, neutral after `ttl_s`."""

    label: RatingLabel
    ttl_s: float

    def __post_init__(self) -> None:
        if not 0 < self.ttl_s <= 30 * 86_400:
            raise ValueError("ttl_s must be more than 0 and at most 30 days")


class TechnicalConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[markets.technical]`: the ratings that the engine makes itself from the venue's bars.

    `policy` is the one of `timeframes` whose rating the playbook reads. Fewer than `votes_min` of
    26 votes or `bars_min` closed bars are no rating; it is stale `stale_bars` bars after its own.
    """

    timeframes: list[str]
    policy: str
    votes_min: int
    bars_min: int
    stale_bars: int
    rules: Literal["2024", "2020"] = "2024"

    def __post_init__(self) -> None:
        if self.policy not in self.timeframes or len(set(self.timeframes)) < len(self.timeframes):
            raise ValueError("policy must be one of timeframes, each named once")
        for name in self.timeframes:
            span_of(name)
        if not 1 <= self.votes_min <= VOTES or self.bars_min < 1 or self.stale_bars < 1:
            raise ValueError(f"votes_min is 1 to {VOTES}; bars_min and stale_bars at least 1")


class WatchedConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[watched]]`: a market that is looked at and never traded, BTC/USDT above all."""

    symbol: str
    venue: str

    @property
    def market(self) -> str:
        return f"{self.symbol}@{self.venue}"


class TreasuryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[treasury]`: the treasury that the markets live on; they spend what its buckets release.

    `file` is a treasury file, `statements` are files of balances that no venue of ours shows, a
    cold wallet's above all. All of them, and those that the treasury file names, are looked at
    every `every_s`.

    `roster` is the file of the people who may sign: with it actions are asked for, signed and done
    by the treasury file's [authority]; without it the treasury only rules the quotes.
    `conversions` are rows of the gate for what the treasury itself sells and buys, without any
    those of the market; `function` and `code` are what the engine's own requests carry, "" for the
    first that the policy knows.

    `volumes`: whose word a day's volume is, the venue's ("venue", while it says one) or only our
    own count of public trades ("own"), for venues whose numbers nobody should trust.
    """

    file: str
    statements: list[str] = []
    every_s: float = 1.0
    roster: str = ""
    conversions: list[RiskRow] = []
    function: str = ""
    code: str = ""
    volumes: Literal["venue", "own"] = "venue"

    def __post_init__(self) -> None:
        if not self.file:
            raise ValueError("file must name a treasury file")
        if not 0.05 <= self.every_s <= 3_600:
            raise ValueError("every_s must be 0.05 to 3600")


class FeaturesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[markets.features]`: the memory of the market's estimates, in seconds."""

    volatility_half_life_s: float = 60.0
    volatility_sample_s: float = 1.0
    volatility_warm_up_s: float = 10.0
    flow_half_life_s: float = 10.0

    def __post_init__(self) -> None:
        if not all(0 < seconds <= 86_400 for seconds in msgspec.structs.astuple(self)):
            raise ValueError("every memory is more than 0 s and at most a day")

    def params(self) -> FeaturesParams:
        return FeaturesParams(
            volatility_half_life_ns=int(self.volatility_half_life_s * NS_PER_S),
            volatility_sample_ns=int(self.volatility_sample_s * NS_PER_S),
            volatility_warm_up_ns=int(self.volatility_warm_up_s * NS_PER_S),
            flow_half_life_ns=int(self.flow_half_life_s * NS_PER_S),
            microprice=None,
        )


class MarketConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[markets]]`. `params` belong to the strategy, which says what they may be.

    `own_orders_show` is false only where the public book cannot hold our orders: a recorded market
    served again. `snapshot_share_ppm` shrinks the caps where the book is not verified (law 7).
    `playbook` is a file; without one no rating changes anything. `broad` names the market that
    stands for all others ("BTC/USDT@binance"), `hedge` those that this one may be covered in: each
    is a market of this config, and `others` those whose prices its strategy sees.
    """

    symbol: str
    venue: str
    strategy: str
    params: dict[str, Any] = {}
    bands: BandsConfig
    features: FeaturesConfig = FeaturesConfig()
    own_orders_show: bool = True
    snapshot_share_ppm: Ppm = 250_000
    rating: RatingConfig | None = None
    technical: TechnicalConfig | None = None
    playbook: str = ""
    broad: str = ""
    hedge: list[HedgeInstrument] = []
    others: list[str] = []
    risk: list[RiskRow]

    @property
    def market(self) -> str:
        return f"{self.symbol}@{self.venue}"


def host_of(url: str) -> str:
    """The host that `url` really leads to, "" where it leads nowhere."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
