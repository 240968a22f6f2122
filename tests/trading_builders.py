"""Small builders for the gate and the strategies: a thin BTT market at 62 ticks."""

from typing import Any

from engine.signals.stance import Stance
from engine.trading.risk import MANDATORY, Action, Check, Gate, Reading, RiskRow
from engine.trading.strategy import View
from engine.treasury.bands import Bands
from engine.values.events import Grade, RatingLabel
from engine.values.instrument import Instrument
from engine.values.intents import Ladder, Level, Reason
from engine.values.units import NS_PER_S

NOW_NS = 1_700_000_000 * NS_PER_S

BTT = Instrument(
    symbol="BTT/USDT",
    venue="loopback",
    venue_symbol="BTTUSDT",
    base="BTT",
    quote="USDT",
    price_exponent=8,
    tick=1,
    size_exponent=0,
    lot=1,
    tick_max=10_000,
    lots_max=10**12,
    maker_fee_ppm=1000,
    taker_fee_ppm=1000,
)
BANDS = Bands(
    floor_lots=0,
    lower_lots=15_000_000,
    target_lots=20_000_000,
    upper_lots=25_000_000,
    cap_lots=40_000_000,
)
# Checks that trip on nothing unless a test asks for it: thresholds out of reach, no cool-down.
LOOSE = {
    Check.SELF_CROSS: 0.0,
    Check.BOOK_VALID: 0.0,
    Check.WORST_POSITION: 1.0,
    Check.INVENTORY: 100.0,
    Check.PRICE_COLLAR: 5000.0,
    Check.ORDER_SIZE: 10_000_000.0,
}
STRONG = {Check.BOOK_VALID, Check.BOOK_DELAY}


def row(check: Check, **changes: Any) -> RiskRow:
    threshold = changes.get("threshold", LOOSE.get(check, 100_000.0))
    fields: dict[str, Any] = {
        "check": check,
        "threshold": threshold,
        "release": threshold,
        "cool_down_s": 0.0,
        "window_s": 10.0,
        "action": Action.PULL_MARKET if check in STRONG else Action.REFUSE,
    }
    return RiskRow(**(fields | changes))


def rows(*special: RiskRow) -> list[RiskRow]:
    """All mandatory rows, with `special` in place of (or on top of) the loose ones."""
    named = {one.check for one in special}
    return [row(check) for check in sorted(MANDATORY - named)] + list(special)


def gate(*special: RiskRow, bands: Bands = BANDS, snapshot_ppm: int = 500_000) -> Gate:
    return Gate(BTT, bands, rows(*special), snapshot_ppm)


def reading(**changes: Any) -> Reading:
    fields: dict[str, Any] = {
        "now_ns": NOW_NS,
        "grade": Grade.VERIFIED,
        "book_valid": True,
        "delay_ns": 0,
        "bid_tick": 62,
        "ask_tick": 64,
        "imbalance": 0.0,
        "volatility": 0.1,
        "reference_tick": 63.0,
        "reference_age_ns": 0,
        "position_lots": 20_000_000,
        "working_bid_lots": 0,
        "working_ask_lots": 0,
        "own_bid_tick": 0,
        "own_ask_tick": 0,
        "open_orders": 0,
        "pnl_atoms": 0,
        "drawdown_atoms": 0,
        "turnover_atoms": 0,
    }
    return Reading(**(fields | changes))


def reason(**changes: Any) -> Reason:
    fields: dict[str, Any] = {
        "reference": 63.0,
        "skew": 0.0,
        "width": 1.0,
        "rounding": 0.0,
        "stance": "neutral",
    }
    return Reason(**(fields | changes))


def level(tick: Any, lots: Any = 1_000_000, **changes: Any) -> Level:
    return Level(tick=tick, lots=lots, reason=reason(**changes))


def wish(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Ladder:
    return Ladder(
        bids=tuple(level(tick, lots) for tick, lots in bids),
        asks=tuple(level(tick, lots) for tick, lots in asks),
        bids_absent="" if bids else "none wished",
        asks_absent="" if asks else "none wished",
    )


def stance(label: RatingLabel = RatingLabel.NEUTRAL, **changes: Any) -> Stance:
    fields: dict[str, Any] = {
        "label": label,
        "was": label.value,
        "age_ns": 0,
        "is_stale": False,
        "source": "test",
    }
    return Stance(**(fields | changes))


def view(**changes: Any) -> View:
    position_lots = changes.get("position_lots", 20_000_000)
    fields: dict[str, Any] = {
        "now_ns": NOW_NS,
        "instrument": BTT,
        "grade": Grade.VERIFIED,
        "bid_tick": 62,
        "bid_lots": 3_000_000,
        "ask_tick": 63,
        "ask_lots": 3_000_000,
        "microprice": 62.5,
        "imbalance": 0.5,
        "volatility": 0.1,
        "depth_lots": ((3_000_000, 3_000_000), (5_000_000, 5_000_000), (20_000_000, 20_000_000)),
        "own_bid_ticks": (),
        "own_ask_ticks": (),
        "position_lots": position_lots,
        "bands": BANDS,
        "zone": changes.get("bands", BANDS).zone(position_lots),
        "stance": stance(),
    }
    return View(**(fields | changes))
