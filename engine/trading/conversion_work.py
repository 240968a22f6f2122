"""The conversion desk in the running engine: its legs, what it hears, and when it looks.

Every market of an asset of the treasury against its money is a leg, with a gate of its own: what a
conversion trips must not pull the quotes, nor the reverse. That gate's floor is what is reserved at
the venue. How far a conversion goes above it, people signed and the limits say.
"""

import math
from collections.abc import Sequence

import msgspec

from engine.trading.client_ids import ClientIds
from engine.trading.conversion_desk import ConversionDesk, DeskSetup, Told
from engine.trading.conversion_legs import ConversionLeg
from engine.trading.hedge_params import HedgeInstrument, HedgeKind
from engine.trading.maker import Maker
from engine.trading.risk import Gate, RiskRow
from engine.trading.sweeps import Leg
from engine.treasury.bands import Bands
from engine.treasury.buckets import split
from engine.treasury.execution import Parent
from engine.treasury.execution_params import ExecutionParams
from engine.treasury.facts import Facts, Scheme
from engine.treasury.limit_measures import Finding
from engine.treasury.staging import Conversion, turnover_left
from engine.treasury.treasury import Treasury
from engine.values.action_words import Action, Override
from engine.values.events import Event, Fill, OrderFailed, OrderReport, Trade
from engine.values.execution_records import (
    ChildRefused,
    ChildSent,
    ParentMoved,
    ParentStarted,
    Reviewed,
    Switched,
)
from engine.values.intents import Ladder
from engine.values.records import Record
from engine.values.step import Step
from engine.values.treasury_words import Bucket
from engine.values.units import BUY, Atoms, Lot, Ns, Ppm, Side

TOLD = (ParentStarted, ParentMoved, ChildSent, ChildRefused, Reviewed, Switched)
JOINED = (Fill, OrderReport, OrderFailed)
ROOM_LOTS: Lot = 10**15
"""The gate's cap lies so far above its floor: it is not what bounds a purchase."""
PPM_OF_BP = 100
WHY_AWAY = "a conversion is under way on the other side"


class WorkSetup(msgspec.Struct, frozen=True, kw_only=True):
    """How to work. `rows` are the gate's table for conversions; none: the market's own rows."""

    params: ExecutionParams
    rows: tuple[RiskRow, ...]
    config_hash: str


class ConversionWork:
    """Open it over the makers of an engine before anything else is asked of it."""

    def __init__(self, setup: WorkSetup) -> None:
        self.params = setup.params
        self.legs: dict[str, ConversionLeg] = {}
        self._setup = setup
        self._makers: dict[str, Maker] = {}
        self._desk: ConversionDesk | None = None
        self._away: dict[str, frozenset[Side]] = {}
        self._floors: dict[str, Lot] = {}
        self._foreign: set[str] = set()

    def __repr__(self) -> str:
        return f"<conversions at {', '.join(self.legs)}>"

    def open(self, makers: dict[str, Maker], ids: ClientIds, scheme: Scheme) -> None:
        for market, maker in makers.items():
            item = maker.quoter.setup.instrument
            if item.base in scheme.assets and item.quote == scheme.money.name:
                way = HedgeInstrument(kind=HedgeKind.CONVERSION, market=market)
                leg = Leg(way=way, keeper=maker.keeper, quoter=maker.quoter, gate=self._gate(maker))
                self.legs[market] = ConversionLeg(leg, scheme.asset(item.base), scheme.money)
                self._makers[market] = maker
                maker.makes_way = self.hold_back
        setup = DeskSetup(
            legs=tuple(self.legs.values()),
            params=self._setup.params,
            config_hash=self._setup.config_hash,
        )
        self._desk = ConversionDesk(setup, ids)

    def _gate(self, maker: Maker) -> Gate:
        item = maker.quoter.setup
        rows = list(self._setup.rows) or item.rows
        return Gate(item.instrument, _above(0), rows, item.snapshot_share_ppm)

    @property
    def desk(self) -> ConversionDesk:
        assert self._desk is not None, "opened first"
        return self._desk

    def problem(self, action: Action) -> str:
        """Why no market of ours can trade it, as one line; "" where one can, or nothing is sold."""
        inner = action.does if isinstance(action, Override) else action
        if self._desk is None or not isinstance(inner, Conversion):
            return ""
        coins = {inner.sell.asset, inner.least.asset}
        venues = sorted(leg.venue for leg in self.legs.values() if leg.item.base in coins)
        if not venues:
            return f"no market of ours trades {' for '.join(sorted(coins))}"
        if set(venues).isdisjoint(inner.venues):
            named = ", ".join(inner.venues)
            return f"venues: no market of ours at {named}; there are: {', '.join(venues)}"
        return ""

    def parent(self, name: str) -> Parent | None:
        return self.desk.parents.get(name)

    def is_foreign(self, name: str) -> bool:
        """Whether a parent of an earlier session traded in a market that is not run here."""
        return name in self._foreign

    # --- facts ------------------------------------------------------------------------------------

    def remember(self, record: Record) -> None:
        if isinstance(record, JOINED) or (isinstance(record, TOLD) and self._is_ours(record)):
            self.desk.remember(record)

    def _is_ours(self, record: Told) -> bool:
        """What a config no longer trades cannot be worked on; it is nobody's then."""
        match record:
            case ParentStarted():
                if all(market in self.legs for market in record.plan.markets):
                    return True
                self._foreign.add(record.plan.parent)
                return False
            case Switched():
                return True
            case _:
                return record.parent in self.desk.parents

    def hear(self, event: Event, records: Sequence[Record]) -> None:
        """What a fact made of our orders; the keepers have joined it."""
        if isinstance(event, Trade):
            self.desk.on_trade(event)
        for record in records:
            if isinstance(record, JOINED):
                self.desk.remember(record)

    # --- time -------------------------------------------------------------------------------------

    def look(self, now_ns: Ns, treasury: Treasury, step: Step) -> None:
        """Let every parent decide. Nothing to do where none is at work."""
        if not self.desk.is_idle:
            facts = treasury.holdings.facts()
            self._set_floors(facts)
            left = self._turnover_left(facts, treasury.limits.findings)
            self.desk.look(now_ns, left, step)
        self._make_way(now_ns, step)

    def _turnover_left(self, facts: Facts, findings: Sequence[Finding]) -> dict[str, Atoms]:
        """What is out counts as done, quotes and children alike: it may fill yet (law 3)."""
        left = turnover_left(findings, facts)
        out: dict[str, Atoms] = {}
        for market, leg in self.legs.items():
            sums = leg.keeper.orders.sums(market)
            lots = sums.working_bid_lots + sums.working_ask_lots
            out[leg.item.base] = out.get(leg.item.base, 0) + leg.atoms(lots)
        return {asset: max(0, atoms - out.get(asset, 0)) for asset, atoms in left.items()}

    def _set_floors(self, facts: Facts) -> None:
        for market, leg in self.legs.items():
            lots = -(-reserved_at(facts, leg.venue, leg.item.base) // leg.atoms(1))
            if self._floors.get(market) != lots:
                self._floors[market] = lots
                leg.gate.heed(_above(lots))

    def volatility(self, market: str, now_ns: Ns) -> Ppm | None:
        """Measured, in ppm per square root of a second, rounded up; None is not known."""
        leg = self.legs.get(market)
        bps = None if leg is None else leg.quoter.features.volatility_bps(now_ns)
        return None if bps is None else math.ceil(bps * PPM_OF_BP)

    # --- our own quotes ---------------------------------------------------------------------------

    def hold_back(self, market: str, wish: Ladder) -> Ladder:
        """The wish without the side that stands in the way of a conversion."""
        away = self._away.get(market, frozenset())
        if BUY in away:
            wish = msgspec.structs.replace(wish, bids=(), bids_absent=WHY_AWAY)
        if BUY.opposite in away:
            wish = msgspec.structs.replace(wish, asks=(), asks_absent=WHY_AWAY)
        return wish

    def _make_way(self, now_ns: Ns, step: Step) -> None:
        for market, maker in self._makers.items():
            found = [side for side in Side if self.desk.own_quotes_barred(market, side, now_ns)]
            away = frozenset(found)
            if self._away.get(market, frozenset()) != away:
                self._away[market] = away
                maker.look(now_ns, step, "conversion")


def reserved_at(facts: Facts, venue: str, asset: str) -> Atoms:
    """What is put aside for what is owed, of the balance of a venue."""
    return sum(
        part.atoms
        for part in split(facts, asset).parts
        if part.bucket is Bucket.RESERVED and part.piece.place == venue and not part.piece.is_beside
    )


def _above(floor_lots: Lot) -> Bands:
    return Bands(
        floor_lots=floor_lots,
        lower_lots=floor_lots,
        target_lots=floor_lots,
        upper_lots=floor_lots,
        cap_lots=floor_lots + ROOM_LOTS,
    )
