"""The whole engine with a treasury that acts, over the venue of `hedge_world`; it may be killed.

`deadly` kills the process between two records: so many of the journal's are kept, no more. Whatever
had its intent kept has left by then, and nobody hears the answer.
"""

from typing import Any

import msgspec

from engine.core import Engine, EngineParams
from engine.runtime.signing import verify
from engine.trading.action_work import ActionWork, Asking
from engine.trading.conversion_work import ConversionWork, WorkSetup
from engine.trading.keeper import KeeperParams
from engine.trading.maker import MakerParams
from engine.trading.reconcile import ReconcileParams
from engine.trading.steward import Steward
from engine.trading.treasury_work import TreasuryWork
from engine.treasury.action_desk import ActionDesk
from engine.treasury.amounts import Asset
from engine.treasury.calibration import CalibrationParams
from engine.treasury.facts import Scheme
from engine.treasury.liquid import LiquidParams
from engine.treasury.rebalance import RebalanceParams, Rebalancer
from engine.treasury.score import ScoreParams
from engine.treasury.treasury import Treasury
from engine.values import events as ev
from engine.values.action_records import Executing
from engine.values.commands import Place
from engine.values.execution_records import ParentStarted
from engine.values.records import OrderIntent
from engine.values.units import Side
from tests.action_builders import authority, bounds, row
from tests.execution_builders import estimate_params, params
from tests.hedge_world import (
    BTC,
    BTC_BANDS,
    BTT,
    TOKEN,
    WIRES,
    HedgeWorld,
    NoQuotes,
    S,
    loose_rows,
    market_setup,
)
from tests.holdings_builders import asset, bucket, float_row, place
from tests.trading_builders import BANDS

TARGET = BANDS.target_lots
SCHEME = Scheme(
    money=Asset("USDT", 8),
    assets={"BTT": asset("BTT", exponent=8)},
    places={"loopback": place("loopback")},
    buckets={
        "BTT": bucket("BTT", discretionary="0", float=[float_row("loopback", target=str(TARGET))]),
        "USDT": bucket("USDT", discretionary="0", float=[
            float_row("loopback", target="5000", lower_ppm=0, cap_ppm=3_000_000),
        ]),
    },
)  # fmt: skip
SCORES = ScoreParams(
    asset="BTT", own_size="1000000", spread_half_ppm=15_000, spread_weight=1.0,
    depth_half=["1000000", "2000000", "4000000"], depth_weights=[1.0, 1.0, 1.0],
    volume_half="1000000", volume_weight=1.0, venues_half=1.0, venues_weight=1.0,
    slippage_half_ppm=20_000, slippage_weight=1.0, floor=1.0,
)  # fmt: skip
REBALANCE = RebalanceParams(
    check_hour=1, back_to_ppm=1_000_000, worst_ppm=20_000, child_ppm=100_000, until_h=24,
    calibration=CalibrationParams(noise_times=2.0, participation_ppm=100_000, payout_days=2),
)  # fmt: skip
HOW = params(
    child_every_s=10, jitter_ppm=100_000, gap_ppm=30_000, pause_s=10, hand_over_s=60,
    answer_s_max=3, estimate=estimate_params(ceiling_ppm_max=20_000),
)  # fmt: skip
ROUTINE = bounds("600", "2000", "10000000", "40000000")
POLICY = authority(
    rows=[
        row("kill switch", "automatic", kind=["stop"]),
        row("limits", "two people", kind=["widen limit"]),
        row("emergency", "executive", kind=["emergency sale"]),
        row("routine", "automatic", initiator=["engine"], kind=["rebalance"], **ROUTINE),
        row("medium", "two people", **bounds("9000", "20000", "90000000", "400000000")),
        row("the rest", "executive"),
    ]
)


class Died(Exception):
    """The process of the world ended, as by `kill -9`."""


class TreasuryWorld(HedgeWorld):
    """`others_lots` are traded by others in every turn. Sessions share journal and venue."""

    def __init__(self, **changes: Any) -> None:
        self.deadly: int | None = None
        self.policy = changes.pop("policy", POLICY)
        self.begin_with = changes.pop("begin", [])
        self.others_lots = changes.pop("others_lots", 10**9)
        super().__init__(**changes)
        self.begun_ns = self.now

    def start(self) -> None:
        self.epoch += 1
        self._later.clear()
        made = EngineParams(
            epoch=self.epoch, id_prefix="bal",
            maker=MakerParams(config_hash="hash", reconcile=ReconcileParams()),
            keeper=KeeperParams(reconcile_every_ns=20 * S),
        )  # fmt: skip
        setups = [market_setup(BTT, BANDS, self.strategy), market_setup(BTC, BTC_BANDS, NoQuotes())]
        self.engine = Engine(setups, made, list(self.records), treasurer=self._work())
        for word in self.begin_with:
            self.feed(msgspec.structs.replace(word, at_ns=self.now))
        for venue, stream in WIRES:
            self.feed(ev.Connected(venue=venue, stream=stream, at_ns=self.now))
        self.publish()

    def _work(self) -> TreasuryWork:
        treasury = Treasury(SCHEME, LiquidParams(token="BTT", within_h=24), [SCORES])
        rows = tuple(self.gate_rows)
        conversions = ConversionWork(WorkSetup(params=HOW, rows=rows, config_hash="hash"))
        desk = ActionDesk(self.policy, verify)
        asking = Asking(function="rebates", code="excess")
        actions = ActionWork(desk, Rebalancer(REBALANCE), asking)
        return TreasuryWork(Steward(treasury, []), actions, conversions)

    def feed(self, event: ev.Event) -> None:
        step = self.engine.process(event)
        room = len(step.records) if self.deadly is None else self.deadly - len(self.records)
        is_dead = room < len(step.records)
        self.records += step.records[:room]
        self.alerts += [alert.text for alert in step.alerts]
        kept = {r.order.client_id for r in step.records[:room] if isinstance(r, OrderIntent)}
        for parent in self.parents.values():
            parent.check()
        for command in step.commands:
            if not is_dead or (isinstance(command, Place) and command.client_id in kept):
                self.do(command)
        if is_dead:
            self.deadly = None
            raise Died

    def turn(self) -> None:
        self.trade_id += 1
        trade = ev.Trade(
            market=TOKEN, at_ns=self.now, trade_id=self.trade_id, tick=self.books[TOKEN][0],
            lots=self.others_lots, aggressor=Side.BUY,
        )  # fmt: skip
        if self.others_lots:
            self.feed(trade)
        super().turn()

    def live(self, seconds: float) -> None:
        """Run; a process that dies is followed by another."""
        until = self.now + round(seconds * S)
        while self.now < until:
            try:
                self.run((until - self.now) / S)
            except Died:
                self.start()

    # --- what a test looks at

    @property
    def work(self) -> TreasuryWork:
        found = self.engine.neighbours.treasurer
        assert isinstance(found, TreasuryWork)
        return found

    @property
    def desk(self) -> ActionDesk:
        return self.work.actions.desk

    @property
    def parents(self) -> dict[str, Any]:
        assert self.work.conversions is not None
        return self.work.conversions.desk.parents

    @property
    def begun(self) -> list[str]:
        """Parents that the journal says began, by name."""
        return [record.plan.parent for record in self.of(ParentStarted)]

    @property
    def executing(self) -> list[Executing]:
        return self.of(Executing)

    @property
    def gone(self) -> int:
        """Lots that the venue's own ledger lacks of what the float's target is."""
        return TARGET - self.position


__all__ = ["POLICY", "TARGET", "Died", "TreasuryWorld", "loose_rows"]
