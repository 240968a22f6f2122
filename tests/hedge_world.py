"""Two markets of two venues, the whole engine, and a hedger joined as core would join it.

The venue keeps its own ledger. An immediate order takes from a book that fills up again at once;
faults are chosen by a test: `mute` (no answer), `refuse` (an error code), `slow_s` (late answer).
"""

import heapq
from typing import Any

import msgspec

from engine.core import Engine, EngineParams
from engine.market.features import FeaturesParams
from engine.signals.outlook import HedgeRatio
from engine.trading.hedge_desk import HedgeSetup
from engine.trading.hedge_params import HedgeInstrument, HedgeKind, HedgeParams
from engine.trading.hedge_sight import HedgeSight
from engine.trading.hedger import Hedger
from engine.trading.keeper import KeeperParams
from engine.trading.maker import MakerParams
from engine.trading.posture import HedgeStance, Signal
from engine.trading.quoter import MarketSetup
from engine.trading.reconcile import ReconcileParams
from engine.trading.risk import Check, Gate, RiskRow
from engine.trading.strategy import Ladder, View, Wake
from engine.trading.sweeps import Leg
from engine.treasury.bands import Bands
from engine.values import events as ev
from engine.values.commands import Cancel, CancelAll, Place, QueryOrder, Reconcile
from engine.values.errors import Failure
from engine.values.instrument import Instrument
from engine.values.records import OrderIntent, Record
from engine.values.units import BUY, NS_PER_MS, NS_PER_S, PPM, SELL, Lot, Ns
from tests.hedge_builders import hedge_params
from tests.trading_builders import BANDS, NOW_NS, row, rows

S = NS_PER_S
BTT = Instrument(
    symbol="BTT/USDT", venue="loopback", venue_symbol="BTTUSDT", base="BTT", quote="USDT",
    price_exponent=8, tick=1, size_exponent=0, lot=1, tick_max=10_000, lots_max=10**12,
    maker_fee_ppm=1000, taker_fee_ppm=1000,
)  # fmt: skip
BTC = Instrument(
    symbol="BTC/USDT", venue="other", venue_symbol="BTCUSDT", base="BTC", quote="USDT",
    price_exponent=2, tick=1, size_exponent=6, lot=1, tick_max=10**9, lots_max=10**10,
    maker_fee_ppm=1000, taker_fee_ppm=1000,
)  # fmt: skip
BTC_BANDS = Bands(
    floor_lots=0, lower_lots=0, target_lots=1_000_000, upper_lots=1_000_000, cap_lots=2_000_000
)
TOKEN, COIN = BTT.market, BTC.market
WIRES = [(venue, stream) for venue in (BTT.venue, BTC.venue) for stream in ev.Stream]
FEATURES = FeaturesParams(
    volatility_half_life_ns=60 * S, volatility_sample_ns=S, volatility_warm_up_ns=S,
    flow_half_life_ns=10 * S, microprice=None,
)  # fmt: skip
WAY = BANDS.cap_lots - BANDS.target_lots
BETA = HedgeInstrument(kind=HedgeKind.BETA, market=COIN)
CONVERSION = HedgeInstrument(kind=HedgeKind.CONVERSION, market=TOKEN)
RATIO = HedgeRatio(ratio=1.0, error=0.1, residual_share=0.5)


class NoQuotes:
    """A market that is only hedged in."""

    wake = Wake()

    def quote(self, view: View) -> Ladder:
        return Ladder(bids_absent="only hedged in", asks_absent="only hedged in")


def loose_rows() -> list[RiskRow]:
    return rows(row(Check.ORDER_SIZE, threshold=1e9), row(Check.PRICE_COLLAR, threshold=500.0))


def market_setup(item: Instrument, bands: Bands, strategy: Any) -> MarketSetup:
    return MarketSetup(
        instrument=item,
        bands=bands,
        rows=loose_rows(),
        strategy=strategy,
        strategy_name="test",
        features=FEATURES,
        snapshot_share_ppm=500_000,
    )


class HedgeWorld:
    """`run` moves time on in steps of `tick_s`; `move` is a fill of a quote of ours."""

    def __init__(self, **changes: Any) -> None:
        self.now: Ns = NOW_NS // (86_400 * S) * 86_400 * S
        self.tick_s = 1.0
        self.params: HedgeParams = changes.pop("params", None) or hedge_params(
            child_value="100", slippage_bps_max=20.0, day_cost_max="20"
        )
        self.ways = changes.pop("ways", (BETA,))
        self.strategy = changes.pop("strategy", None) or NoQuotes()
        self.gate_rows = changes.pop("gate_rows", None) or loose_rows()
        self.position = BANDS.target_lots
        self.coins = 1_000_000
        self.usdt = {TOKEN: 10_000 * 10**8, COIN: 10_000 * 10**8}
        self.books = {TOKEN: (6_299, 6_301), COIN: (6_000_000, 6_000_010)}
        self.depth = {TOKEN: 10**9, COIN: 10**6}
        self.mute = self.refuse = False
        self.slow_s = 0.0
        self.sight = HedgeSight(
            stance=HedgeStance.STAGED, signal=Signal.NEUTRAL, signal_held_ns=0, trend_sigmas=None,
            turnover_ratio=None, ratios={COIN: RATIO}, carries={},
        )  # fmt: skip
        self.records: list[Record] = []
        self.alerts: list[str] = []
        self.places: list[Place] = []
        self.sequence = self.trade_id = self._count = self.epoch = 0
        self.fills: dict[str, list[ev.Fill]] = {TOKEN: [], COIN: []}
        self.orders: dict[str, ev.OrderReport] = {}
        self._later: list[tuple[Ns, int, ev.Event]] = []
        self.start()

    # --- the process

    def start(self) -> None:
        """A new process over the same journal."""
        self.epoch += 1
        maker = MakerParams(config_hash="hash", reconcile=ReconcileParams())
        params = EngineParams(
            epoch=self.epoch, id_prefix="bal", maker=maker,
            keeper=KeeperParams(reconcile_every_ns=60 * S),
        )  # fmt: skip
        setups = [
            market_setup(BTT, BANDS, self.strategy), market_setup(BTC, BTC_BANDS, NoQuotes())
        ]  # fmt: skip
        self.engine = Engine(setups, params)
        legs = []
        for way in self.ways:
            maker = self.engine.makers[way.market]
            item, bands = maker.quoter.setup.instrument, maker.quoter.setup.bands
            gate = Gate(item, bands, self.gate_rows, 500_000)
            legs.append(Leg(way=way, keeper=maker.keeper, quoter=maker.quoter, gate=gate))
        token = self.engine.makers[TOKEN]
        setup = HedgeSetup(
            keeper=token.keeper, quoter=token.quoter, legs=tuple(legs), params=self.params,
            config_hash="hash",
        )  # fmt: skip
        self.hedger = Hedger(setup, self.engine.ids)
        for record in self.records:
            self.engine._remember(record)
            self.hedger.remember(record)
        self.remembered = (self.hedger.cover_lots, self.hedger.converted_lots, self.spent)
        for venue, stream in WIRES:
            self.feed(ev.Connected(venue=venue, stream=stream, at_ns=self.now))
        self.publish()
        for _ in range(4):
            self.turn()

    def feed(self, event: ev.Event) -> None:
        """One fact, as core would handle it with a hedger beside its makers."""
        step = self.engine.process(event)
        for record in step.records:
            self.hedger.remember(record)
        is_due = isinstance(event, ev.Timer | ev.VenueState | ev.Fill | ev.OrderReport)
        if is_due and self.hedger.look(self.engine.now_ns, step, self.sight):
            pass  # core would ask the maker now
        for sweeps in self.hedger.desk.sweeps:
            sweeps.check()
        self.records += step.records
        self.alerts += [alert.text for alert in step.alerts]
        for command in step.commands:
            self.do(command)

    # --- time

    def turn(self) -> None:
        self.now += round(self.tick_s * S)
        while self._later and self._later[0][0] <= self.now:
            self.feed(heapq.heappop(self._later)[2])
        self.publish()
        for venue, stream in WIRES:
            self.feed(ev.Alive(venue=venue, stream=stream, at_ns=self.now))
        self.feed(ev.Timer(at_ns=self.now))

    def run(self, seconds: float) -> None:
        until = self.now + round(seconds * S)
        while self.now < until:
            self.turn()

    def publish(self) -> None:
        self.sequence += 1
        for market, (bid, ask) in self.books.items():
            lots = self.depth[market]
            bids, asks = [(bid, lots), (bid - 10, lots)], [(ask, lots), (ask + 10, lots)]
            self.feed(
                ev.BookSnapshot(
                    market=market, at_ns=self.now, venue_ns=self.now, sequence=self.sequence,
                    bids=bids if lots else [(1, 1)], asks=asks if lots else [(9_999_999, 1)],
                )
            )  # fmt: skip

    def see(self, **changes: Any) -> None:
        self.sight = msgspec.structs.replace(self.sight, **changes)

    # --- the venue

    def do(self, command: Any) -> None:
        match command:
            case Place():
                self.places.append(command)
                self._place(command)
            case Reconcile() if not (self.mute and command.market == COIN):
                self._answer(0.0, self._state(command))
            case Cancel():
                self._cancel(command.client_id)
            case QueryOrder():
                self._query(command)
            case CancelAll():
                for client_id, report in list(self.orders.items()):
                    if report.market == command.market:
                        self._cancel(client_id)
            case _:
                pass

    def _place(self, place: Place) -> None:
        sent = ev.OrderSent(market=place.market, client_id=place.client_id, at_ns=self.now)
        self._answer(0.0, sent)
        if self.mute or self.refuse:
            failure = Failure.UNKNOWN if self.mute else Failure.REJECTED
            failed = ev.OrderFailed(
                market=place.market, client_id=place.client_id, at_ns=self.now, failure=failure,
                code="test", text="a fault of the test",
            )  # fmt: skip
            if self.refuse:
                self._answer(self.slow_s, failed)
                return
        report = self._report(place, ev.OrderState.OPEN, 0)
        if place.is_ioc:
            bid, ask = self.books[place.market]
            best = ask if place.side is BUY else bid
            meets = (best - place.tick) * place.side.sign <= 0
            lots = min(place.lots, self.depth[place.market]) if meets else 0
            if lots:
                fill = self._filled(place, best, lots)
                if not self.mute:
                    self._answer(self.slow_s, fill)
            state = ev.OrderState.FILLED if lots == place.lots else ev.OrderState.EXPIRED
            report = self._report(place, state, lots)
        self.orders[place.client_id] = report
        if not self.mute:
            self._answer(self.slow_s, report)

    def _filled(self, place: Place, tick: int, lots: Lot) -> ev.Fill:
        item = BTT if place.market == TOKEN else BTC
        money = item.quote_atoms(tick, lots)
        fee = money * item.taker_fee_ppm // PPM
        sign = place.side.sign
        if item is BTT:
            self.position += sign * lots
        else:
            self.coins += sign * lots
        self.usdt[place.market] -= sign * money + fee
        self.trade_id += 1
        fill = ev.Fill(
            market=place.market, client_id=place.client_id, venue_id=f"v{place.client_id}",
            trade_id=self.trade_id, at_ns=self.now, venue_ns=self.now, side=place.side, tick=tick,
            lots=lots, fee_atoms=fee, fee_asset="USDT", is_maker=False,
        )  # fmt: skip
        self.fills[place.market].append(fill)
        return fill

    def _report(self, place: Place, state: ev.OrderState, filled: Lot) -> ev.OrderReport:
        return ev.OrderReport(
            market=place.market, client_id=place.client_id, venue_id=f"v{place.client_id}",
            at_ns=self.now, update_ns=self.now, state=state, side=place.side, tick=place.tick,
            lots=place.lots, filled_lots=filled,
        )  # fmt: skip

    def _ended(self, report: ev.OrderReport, state: ev.OrderState) -> ev.OrderReport:
        return msgspec.structs.replace(report, state=state, at_ns=self.now, update_ns=self.now)

    def _cancel(self, client_id: str) -> None:
        report = self.orders[client_id]
        if report.state is ev.OrderState.OPEN:
            self.orders[client_id] = self._ended(report, ev.OrderState.CANCELED)
            self._answer(0.0, self.orders[client_id])

    def _query(self, query: QueryOrder) -> None:
        if self.mute:
            return
        known = self.orders.get(query.client_id)
        if known is None:
            absent = ev.OrderAbsent(
                market=query.market, client_id=query.client_id, at_ns=self.now, asked_ns=self.now
            )
            self._answer(0.0, absent)
            return
        self._answer(0.0, msgspec.structs.replace(known, at_ns=self.now))

    def _state(self, question: Reconcile) -> ev.VenueState:
        token = question.market == TOKEN
        item, base = (BTT, self.position) if token else (BTC, self.coins)
        balances = [
            ev.Balance(asset=item.base, free_atoms=item.base_atoms(base), locked_atoms=0),
            ev.Balance(asset="USDT", free_atoms=self.usdt[question.market], locked_atoms=0),
        ]
        fills = [f for f in self.fills[question.market] if f.trade_id > question.trade_id_from]
        market = question.market
        shown = [
            report
            for report in self.orders.values()
            if report.market == market and report.state is ev.OrderState.OPEN
        ]
        return ev.VenueState(
            market=market, asked_ns=self.now, at_ns=self.now, open_orders=shown, fills=fills,
            balances=balances,
        )  # fmt: skip

    def _answer(self, delay_s: float, event: ev.Event) -> None:
        """Facts come later, never from within the step that asked."""
        self._count += 1
        at_ns = self.now + round(delay_s * S) + NS_PER_MS * (1 if delay_s == 0 else 0)
        heapq.heappush(self._later, (at_ns, self._count, _at(event, at_ns)))

    # --- what a test does

    def move(self, lots: Lot) -> None:
        """Quotes of ours fill: the position changes by so many lots, at mid and without a fee."""
        side = BUY if lots > 0 else SELL
        self._count += 1
        tick = sum(self.books[TOKEN]) // 2
        place = Place(
            market=TOKEN, client_id=f"balq{self.epoch}x{self._count}", side=side, tick=tick,
            lots=abs(lots), post_only=True, at_ns=self.now,
        )  # fmt: skip
        self.engine.makers[TOKEN].keeper.orders.intend(place)
        self.records.append(_intent(place))
        fill = self._filled(place, tick, abs(lots))
        self.usdt[TOKEN] += fill.fee_atoms
        fill = msgspec.structs.replace(fill, fee_atoms=0, is_maker=True)
        self.fills[TOKEN][-1] = fill
        self.orders[place.client_id] = self._report(place, ev.OrderState.FILLED, abs(lots))
        self.feed(fill)
        self.feed(self.orders[place.client_id])

    def to(self, gone: float) -> None:
        """Bring the position so far from target to cap."""
        lots = BANDS.target_lots + round(gone * WAY) - self.position
        if lots:
            self.move(lots)

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    @property
    def covered(self) -> float:
        """As a share of the way from target to cap."""
        return self.hedger.cover_lots / WAY

    @property
    def sold(self) -> Lot:
        """Coins that the venue's own ledger lacks."""
        return 1_000_000 - self.coins

    @property
    def spent(self) -> float:
        return float(self.hedger.desk.spent(self.now))


def _at(event: ev.Event, at_ns: Ns) -> ev.Event:
    return msgspec.structs.replace(event, at_ns=at_ns)


def _intent(place: Place) -> Record:
    return OrderIntent(order=place, decision=1, strategy="test", config_hash="hash")
