"""The whole engine with a conversion desk beside its makers, over the venue of `hedge_world`.

The token's market is also quoted by us where a test asks for it: then its bids stand in the way.
"""

from engine.trading.conversion_desk import ConversionDesk, DeskSetup
from engine.trading.conversion_legs import ConversionLeg
from engine.trading.hedge_params import HedgeInstrument, HedgeKind
from engine.trading.risk import Gate
from engine.trading.sweeps import Leg
from engine.treasury.amounts import Asset
from engine.treasury.estimate import Venue
from engine.treasury.planning import Order, plan
from engine.values import events as ev
from engine.values.execution_records import (
    ChildRefused,
    ChildSent,
    ParentMoved,
    ParentStarted,
    Reviewed,
    Switched,
)
from engine.values.step import Step
from engine.values.units import SELL, Side
from tests.execution_builders import estimate_params, params
from tests.hedge_world import BTC, BTC_BANDS, BTT, COIN, TOKEN, WIRES, HedgeWorld, NoQuotes
from tests.hedge_world import market_setup as setup_of
from tests.trading_builders import BANDS

from engine.core import Engine, EngineParams  # isort: skip
from engine.trading.keeper import KeeperParams  # isort: skip
from engine.trading.maker import MakerParams  # isort: skip
from engine.trading.reconcile import ReconcileParams  # isort: skip

S = 10**9
BASE, MONEY = Asset("BTT", 8), Asset("USDT", 8)
TOLD = (ParentStarted, ParentMoved, ChildSent, ChildRefused, Reviewed, Switched)
JOINED = (ev.Fill, ev.OrderReport, ev.OrderFailed)
WAY = HedgeInstrument(kind=HedgeKind.CONVERSION, market=TOKEN)


class ExecutionWorld(HedgeWorld):
    """`turnover` is what the daily cap leaves; others trade `others_lots` in every turn."""

    def __init__(self, **changes):
        self.how = changes.pop("how", None) or params(
            child_every_s=10, jitter_ppm=100_000, gap_ppm=30_000, pause_s=10, hand_over_s=60,
            answer_s_max=3, estimate=estimate_params(ceiling_ppm_max=20_000),
        )  # fmt: skip
        self.turnover = 10**30
        self.others_lots = changes.pop("others_lots", 10**9)
        super().__init__(**changes)

    def start(self):
        self.epoch += 1
        made = EngineParams(
            epoch=self.epoch, id_prefix="bal",
            maker=MakerParams(config_hash="hash", reconcile=ReconcileParams()),
            keeper=KeeperParams(reconcile_every_ns=60 * S),
        )  # fmt: skip
        setups = [setup_of(BTT, BANDS, self.strategy), setup_of(BTC, BTC_BANDS, NoQuotes())]
        self.engine = Engine(setups, made)
        maker = self.engine.makers[TOKEN]
        gate = Gate(BTT, BANDS, self.gate_rows, 500_000)
        leg = Leg(way=WAY, keeper=maker.keeper, quoter=maker.quoter, gate=gate)
        setup = DeskSetup(
            legs=(ConversionLeg(leg, BASE, MONEY),), params=self.how, config_hash="hash"
        )
        self.desk = ConversionDesk(setup, self.engine.ids)
        for record in self.records:
            self.engine._remember(record)
            if isinstance(record, TOLD + JOINED):
                self.desk.remember(record)
        for venue, stream in WIRES:
            self.feed(ev.Connected(venue=venue, stream=stream, at_ns=self.now))
        self.publish()
        for _ in range(4):
            self.turn()

    def feed(self, event):
        """One fact, as core would handle it with a desk beside its makers."""
        step = self.engine.process(event)
        for record in step.records:
            if isinstance(record, JOINED):
                self.desk.remember(record)
        if isinstance(event, ev.Trade):
            self.desk.on_trade(event)
        if isinstance(event, ev.Timer | ev.VenueState | ev.Fill | ev.OrderReport):
            self.desk.look(self.engine.now_ns, {"BTT": self.turnover}, step)
        self.did(step)

    def did(self, step):
        for parent in self.desk.parents.values():
            parent.check()
        self.records += step.records
        self.alerts += [alert.text for alert in step.alerts]
        for command in step.commands:
            self.do(command)

    def turn(self):
        self.trade_id += 1
        trade = ev.Trade(
            market=TOKEN, at_ns=self.now, trade_id=self.trade_id, tick=self.books[TOKEN][0],
            lots=self.others_lots, aggressor=Side.BUY,
        )  # fmt: skip
        if self.others_lots:
            self.feed(trade)
        super().turn()

    # --- what a test does

    def plan(self, lots, **changes):
        """A plan to sell so many lots, from the book as it stands."""
        self.publish()
        leg = self.desk._legs[TOKEN]
        venue = Venue(
            market=TOKEN, book=leg.depth(self.now), volume_atoms=10**30,
            lesson_ppm=self.desk.lessons.ppm(TOKEN),
        )  # fmt: skip
        fields = {
            "parent": "p1", "proposal": "d" * 64, "asset": "BTT", "side": SELL,
            "atoms": leg.atoms(lots), "begin_ns": self.now, "until_ns": self.now + 10**15,
            "least": None, "score_ns": 0, "volatility": 0,
        }  # fmt: skip
        return plan(Order(**(fields | changes)), [venue], self.how)

    def sell(self, lots, **changes):
        self.begin(self.plan(lots, **changes))
        return self.parent

    def begin(self, made):
        step = Step(commands=[], records=[], alerts=[])
        self.desk.start(made, self.now, step)
        self.did(step)

    def switch(self, scope, name, *, is_on=True):
        step = Step(commands=[], records=[], alerts=[])
        word = Switched(
            at_ns=self.now, scope=scope, name=name, is_on=is_on, who="ann", reason="drill"
        )
        self.desk.switch(word, step)
        self.did(step)

    @property
    def parent(self):
        return self.desk.parents["p1"]

    @property
    def gone(self):
        """Lots that the venue's own ledger lacks."""
        return BANDS.target_lots - self.position


assert BTC.market == COIN
