"""An engine for tests: the demo's market with rows that trip on what a test means them to."""

from pathlib import Path

import msgspec

from engine.core import Engine, EngineParams
from engine.runtime.config import load_config
from engine.trading.keeper import KeeperParams
from engine.trading.maker import MakerParams
from engine.trading.quoter import MarketSetup
from engine.trading.reconcile import ReconcileParams
from engine.trading.risk import Check
from engine.treasury.bands import Bands
from engine.values.units import NS_PER_MS, NS_PER_S
from strategies.fixed import FixedParams, FixedStrategy
from strategies.ladder import LadderParams, LadderStrategy
from tests.sim.venue import BTT

DEMO = Path(__file__).resolve().parents[2] / "configs" / "demo.toml"
FLOOR, TARGET, CAP = 100_000_000, 200_000_000, 300_000_000
BANDS = Bands(
    floor_lots=FLOOR,
    lower_lots=170_000_000,
    target_lots=TARGET,
    upper_lots=230_000_000,
    cap_lots=CAP,
)
WORST_SHARE = 0.95
# What a test of faults must not trip by accident: the market's own wildness.
QUIET = {
    Check.VOLATILITY: 1e6,
    Check.SPREAD_WIDE: 1e5,
    Check.LOSS: 1e6,
    Check.FILLS: 1e4,
    Check.REJECTS: 1e4,
    Check.MESSAGE_RATE: 400,
}
_CONFIG = load_config(DEMO)


def rows(**thresholds):
    """The demo's rows; `thresholds` by name of Check, as in rows(LOSS=60)."""
    wanted = QUIET | {Check[name]: value for name, value in thresholds.items()}
    changed = []
    for row in _CONFIG.markets[0].risk:
        value = wanted.get(row.check)
        release = value if value is not None else row.release
        changed.append(
            row
            if value is None
            else msgspec.structs.replace(row, threshold=float(value), release=float(release))
        )
    return changed


def ladder(**changes):
    return LadderStrategy(msgspec.convert(_CONFIG.markets[0].params | changes, LadderParams))


def fixed(lots=4_000_000, half_spread_ticks=1.0):
    return FixedStrategy(
        FixedParams(half_spread_ticks=half_spread_ticks, step_ticks=0.0, lots=lots)
    )


def setup(strategy=None, risk=None, warm_up_s=1.0, instrument=BTT):
    features = _CONFIG.markets[0].features.params()
    return MarketSetup(
        instrument=instrument,
        bands=BANDS,
        rows=risk if risk is not None else rows(),
        strategy=strategy or ladder(),
        strategy_name="test",
        features=msgspec.structs.replace(features, volatility_warm_up_ns=int(warm_up_s * NS_PER_S)),
        snapshot_share_ppm=500_000,
    )


def engine(setups=None, epoch=1, past=(), timer_ms=100, reconcile_s=5.0, steward=None):
    """`steward` makes one anew for each process."""
    return Engine(
        setups or [setup()],
        EngineParams(
            epoch=epoch,
            id_prefix="bal",
            maker=MakerParams(config_hash="hash", reconcile=ReconcileParams()),
            keeper=KeeperParams(reconcile_every_ns=int(reconcile_s * NS_PER_S)),
            timer_ns=timer_ms * NS_PER_MS,
        ),
        past,
        treasurer=steward() if steward is not None else None,
    )
