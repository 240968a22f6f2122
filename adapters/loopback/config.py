"""What a loopback venue is made of: its symbols, keys, money, limits and rules."""

import msgspec

from engine.values.instrument import Instrument
from engine.values.units import Atoms, Ppm, scaled

MONEY_EXPONENT = 8
"""Every amount of every asset is a whole number of 1e-8; symbols that need finer are refused."""

SELF_TRADE_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")
FORBIDDEN_OWNER_START = "~"


class SymbolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol. `tick` and `lot` are in units of 10**-price_exponent and 10**-size_exponent.

    An order's price must lie within the bands: reference price times `band_down` and `band_up`.
    """

    symbol: str
    base: str
    quote: str
    price_exponent: int
    tick: int
    size_exponent: int
    lot: int
    notional_min: Atoms
    maker_fee_ppm: Ppm
    taker_fee_ppm: Ppm
    lots_max: int = 9_000_000_000_000
    tick_max: int = 1_000_000_000_000
    band_up_ppm: Ppm = 5_000_000
    band_down_ppm: Ppm = 200_000
    orders_max: int = 200

    def __post_init__(self) -> None:
        if self.price_exponent + self.size_exponent > MONEY_EXPONENT:
            raise ValueError(f"{self.symbol}: tick x lot is finer than 1e-{MONEY_EXPONENT}")

    def instrument(self) -> Instrument:
        return Instrument(
            symbol=f"{self.base}/{self.quote}",
            venue="loopback",
            venue_symbol=self.symbol,
            base=self.base,
            quote=self.quote,
            price_exponent=self.price_exponent,
            tick=self.tick,
            size_exponent=self.size_exponent,
            lot=self.lot,
            lots_max=self.lots_max,
            notional_min=self.notional_min,
            maker_fee_ppm=self.maker_fee_ppm,
            taker_fee_ppm=self.taker_fee_ppm,
        )


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key of an account, signed by an HMAC secret or by an Ed25519 key (raw public)."""

    api_key: str
    account: str
    hmac_secret: str = ""
    ed25519_public: bytes = b""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The real venue's limits, unless a test wants to meet them sooner."""

    weight_per_minute: int = 6_000
    orders_per_10_s: int = 100
    orders_per_day: int = 200_000
    refusals_before_ban: int = 10
    ban_s: int = 120
    messages_per_s: int = 5
    ping_every_s: float = 20.0
    pong_within_s: float = 60.0
    streams_per_connection: int = 1_024


class VenueConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`balances` is account -> asset -> atoms (1e-8). `seed` makes generated ids repeatable."""

    symbols: list[SymbolSpec]
    keys: list[Key]
    balances: dict[str, dict[str, Atoms]]
    limits: Limits = Limits()
    self_trade_default: str = "EXPIRE_MAKER"
    self_trade_allowed: tuple[str, ...] = SELF_TRADE_MODES
    seed: int = 0

    def __post_init__(self) -> None:
        if self.self_trade_default not in SELF_TRADE_MODES:
            raise ValueError(f"unknown self-trade mode {self.self_trade_default}")
        for key in self.keys:
            if key.account not in self.balances or key.account.startswith(FORBIDDEN_OWNER_START):
                raise ValueError(f"key of an unknown account {key.account}")


def atoms(text: str) -> Atoms:
    """Decimal text of any asset to atoms: atoms('1.5') is 150000000."""
    return scaled(text, MONEY_EXPONENT)


def btt_usdt() -> SymbolSpec:
    """BTT/USDT as it was listed: one tick is about 160 bp at 62 ticks."""
    return SymbolSpec(
        symbol="BTTUSDT",
        base="BTT",
        quote="USDT",
        price_exponent=8,
        tick=1,
        size_exponent=0,
        lot=1,
        notional_min=atoms("1"),
        maker_fee_ppm=1_000,
        taker_fee_ppm=1_000,
        tick_max=100_000_000_000,
        lots_max=92_141_578_737,
    )


def btc_usdt() -> SymbolSpec:
    return SymbolSpec(
        symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        price_exponent=2,
        tick=1,
        size_exponent=5,
        lot=1,
        notional_min=atoms("5"),
        maker_fee_ppm=1_000,
        taker_fee_ppm=1_000,
        tick_max=100_000_000,
        lots_max=900_000_000,
    )
