"""What ballast's side of the back-test benchmark runs: one market, a far gate, two quotes."""

from pathlib import Path

import msgspec

from engine.core import Engine, EngineParams
from engine.market.features import FeaturesParams
from engine.runtime.config import load_config
from engine.sim.account import Account
from engine.sim.backtest import Backtest, Params
from engine.sim.latency import Constant, Latency
from engine.sim.matching.queue import Power
from engine.trading.keeper import KeeperParams
from engine.trading.maker import MakerParams
from engine.trading.quoter import MarketSetup
from engine.trading.reconcile import ReconcileParams
from engine.trading.risk import Check, RiskRow
from engine.trading.strategy import Ladder, Level, Reason, View, Wake
from engine.treasury.bands import Bands
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, NS_PER_S

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "recorded.toml"
DELAY_NS, EVERY_NS, AWAY, LOTS = 5 * NS_PER_MS, 100 * NS_PER_MS, 5, 100
NEVER = Wake(top_moved_ticks=0, microprice_moved_ticks=0.0, timer_ns=0)
FAR = {
    Check.SELF_CROSS: 0.0,
    Check.WORST_POSITION: 1.0,
    Check.INVENTORY: 1.0,
    **dict.fromkeys((Check.ORDER_VALUE, Check.WORST_VALUE, Check.TURNOVER, Check.LOSS), 1e12),
}
MARKET = Instrument(
    symbol="BTC/USDT", venue="loopback", venue_symbol="BTCUSDT", base="BTC", quote="USDT",
    price_exponent=2, tick=1, size_exponent=5, lot=1, maker_fee_ppm=0, taker_fee_ppm=0,
)  # fmt: skip
FEATURES = FeaturesParams(
    volatility_half_life_ns=60 * NS_PER_S,
    volatility_sample_ns=NS_PER_S,
    volatility_warm_up_ns=NS_PER_S,
    flow_half_life_ns=10 * NS_PER_S,
    microprice=None,
)


class Away:
    """Two orders so many ticks behind the best prices, looked at every 100 ms."""

    Params = msgspec.Struct

    def __init__(self, wake: Wake) -> None:
        self.wake = wake

    def quote(self, view: View) -> Ladder:
        if not view.mid or not self.wake.timer_ns:
            return Ladder(bids_absent="idle", asks_absent="idle")
        reason = Reason(reference=view.mid, skew=0.0, width=0.0, rounding=0.0, stance="unused")
        bid = Level(tick=view.bid_tick - AWAY, lots=LOTS, reason=reason)
        ask = Level(tick=view.ask_tick + AWAY, lots=LOTS, reason=reason)
        return Ladder(bids=(bid,), asks=(ask,))


def back_test(is_quoting: bool) -> Backtest:
    """An engine with the demo's checks left out: what is measured is the way, not a policy."""
    wake = msgspec.structs.replace(NEVER, timer_ns=EVERY_NS) if is_quoting else NEVER
    most = 10**9
    setup = MarketSetup(
        instrument=MARKET,
        bands=Bands(
            floor_lots=0, lower_lots=4 * most // 10, target_lots=most // 2,
            upper_lots=6 * most // 10, cap_lots=most,
        ),
        rows=gate_rows(), strategy=Away(wake), strategy_name="away", features=FEATURES,
        snapshot_share_ppm=500_000, own_orders_show=False,
    )  # fmt: skip
    engine = Engine(
        [setup],
        EngineParams(
            epoch=1,
            id_prefix="bench",
            maker=MakerParams(config_hash="bench", reconcile=ReconcileParams()),
            keeper=KeeperParams(reconcile_every_ns=5 * NS_PER_S),
        ),
    )
    account = Account([MARKET], {"BTC": most * 500, "USDT": 10**18}, Power(1.0))
    latency = Latency(up=Constant(DELAY_NS), down=Constant(DELAY_NS), feed_ns=DELAY_NS)
    return Backtest(engine, {MARKET.venue: account}, Params(seed=1, latency=latency))


def gate_rows() -> list[RiskRow]:
    """The checks of the recorded market, at thresholds that this feed does not reach."""
    return [
        msgspec.structs.replace(row, threshold=far, release=far)
        for row in load_config(CONFIG).markets[0].risk
        for far in [FAR.get(row.check, row.threshold if row.threshold < 1 else 1e5)]
    ]
