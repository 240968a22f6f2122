# cython: language_level=3, annotation_typing=False
"""The risk gate: between a wish and the venue. It alone makes `Approved`, and only out of rows."""

from collections import deque
from typing import Literal

from engine.trading.risk_checks import Number, Scene, Span, adding_sides, scene_of, span_of
from engine.trading.risk_cut import (
    Leave,
    all_refused,
    caps_of,
    room_of,
    stand_of,
    takes,
    with_those_too_many,
)
from engine.trading.risk_rows import (
    MANDATORY,
    RANK,
    SIDE_ACTIONS,
    STOPS,
    Action,
    Approved,
    Check,
    Reading,
    RiskRow,
    rows_problem,
)
from engine.trading.risk_sanity import crossed_ticks, nonsense
from engine.trading.risk_sweep import ApprovedSweep, SweepRefused, sweep_offence, sweep_part
from engine.trading.risk_watch import VERIFIED, Watch, all_clear
from engine.treasury.bands import Bands
from engine.values.events import Grade
from engine.values.instrument import Instrument
from engine.values.intents import Hedge, Ladder, Level, Sweep
from engine.values.records import RiskTripped
from engine.values.units import BUY, PPM, SELL, Lot, Ns, Ppm, Side

__all__ = ["MANDATORY", "Action", "Approved", "Check", "Gate", "Reading", "RiskRow", "rows_problem"]

UNREPORTED_MAX = 1000
SIDES = (BUY, SELL)
NARROWED = (Check.LOSS, Check.VOLATILITY, Check.INVENTORY)
_COUNTED_AS = {"message": Check.MESSAGE_RATE, "reject": Check.REJECTS, "fill": Check.FILLS}
# Named once: Python 3.11 takes longer to find a member in its enum than to use it.
_REFUSE, _MESSAGE_RATE, _SELF_CROSS = Action.REFUSE, Check.MESSAGE_RATE, Check.SELF_CROSS


class Gate:
    """The gate of one market. Raises ValueError where a mandatory row is missing."""

    def __init__(
        self,
        instrument: Instrument,
        bands: Bands,
        rows: list[RiskRow],
        snapshot_grade_share_ppm: Ppm,
    ) -> None:
        if problem := rows_problem(rows):
            raise ValueError(problem)
        if not 0 <= snapshot_grade_share_ppm <= PPM:
            raise ValueError("the share of a snapshot-grade market lies between 0 and 1000000 ppm")
        self.nonsense_count = 0
        self._instrument = instrument
        self._watches = [Watch(row, instrument, snapshot_grade_share_ppm) for row in rows]
        self._trips: list[Watch] = []
        self._observed: Scene | None = None
        self._of = {check: [w for w in self._watches if w.row.check is check] for check in Check}
        self._of_market = [watch for watch in self._watches if watch.of_market]
        self._of_quotes = [watch for watch in self._watches if watch.of_quotes]
        self.heed(bands)
        self._most: tuple[Lot | None, str] = None, ""
        self._stops_share = 1.0
        self._unreported: deque[RiskTripped] = deque(maxlen=UNREPORTED_MAX)

    def __repr__(self) -> str:
        word = f"{self._instrument.market} {self.posture() or 'open'}"
        return f"<gate {word} tripped {len(self.tripped())}>"

    # --- facts in -------------------------------------------------------------------------------

    def observe(self, reading: Reading) -> list[RiskTripped]:
        """Judge the market at this moment; the rows that tripped or let go since the last call."""
        self._look(reading)
        if not self._unreported:
            return []
        records = list(self._unreported)
        self._unreported.clear()
        return records

    def note(self, kind: Literal["message", "reject", "fill"], side: Side, at_ns: Ns) -> None:
        """Count a request that left, a rejected order or a fill."""
        for watch in self._of[_COUNTED_AS[kind]]:
            watch.note(side, at_ns)
        self._observed = None

    def heed(self, bands: Bands) -> None:
        """Other bands from now on."""
        self._bands, self._observed = bands, None
        item, of = self._instrument, self._of
        self._caps = {grade: caps_of(of, item, bands, grade) for grade in Grade}

    def narrow(self, room_bid_lots: Lot, why: str, stops_share: float) -> None:
        """What a playbook takes off the limits, until the next call: what may still be bought, and
        a share (above 0, up to 1) of the thresholds for loss, volatility and inventory."""
        self._most = room_bid_lots, why
        if stops_share != self._stops_share:
            self._stops_share, self._observed = stops_share, None
            for watch in (watch for check in NARROWED for watch in self._of[check]):
                watch.narrow(stops_share)

    def resume(self, at_ns: Ns) -> None:
        """A person lets go of halts; what is still breached trips again at the next look."""
        for watch in self._watches:
            watch.resume()
        self.nonsense_count = 0
        self._observed = None
        self._count_trips()

    # --- answers out ----------------------------------------------------------------------------

    def posture(self) -> Action | None:
        """The strongest action that is tripped."""
        if not self._trips:
            return None
        return max((watch.action for watch in self._trips), key=RANK.__getitem__)

    def tripped(self) -> list[tuple[Check, str]]:
        """The rows that are tripped, strongest first, each with its reason."""
        watches = sorted(self._trips, key=lambda watch: -RANK[watch.action])
        return [(watch.row.check, watch.reason) for watch in watches]

    def hedges(self, reading: Reading) -> list[Hedge]:
        """What should be shed elsewhere: once a trip, and again after each further cool-down."""
        due = [watch for watch in self._trips if watch.is_hedge_due(reading.now_ns)]
        gap_lots = reading.position_lots - self._bands.target_lots
        if not (due and gap_lots):
            return []
        for watch in due:
            assert watch.trip is not None
            watch.trip.hedged_ns = reading.now_ns
        side = SELL if gap_lots > 0 else BUY
        reason = "; ".join(watch.reason for watch in due)
        return [Hedge(market=self._instrument.market, side=side, lots=abs(gap_lots), reason=reason)]

    def approve(self, wish: Ladder, reading: Reading) -> Approved:
        """The part of `wish` that may stand. Raises nothing, whatever the wish is."""
        scene = self._observed
        if scene is None or scene.reading is not reading:
            scene = self._look(reading)
        problem = nonsense(wish, self._instrument) or self._crossing(wish, scene)
        if problem:
            self.nonsense_count += 1
            return self._nothing(problem, (problem,))
        spans = {BUY: span_of(wish.bids), SELL: span_of(wish.asks)}
        offences = {side: self._offences(side, wish, spans[side], scene) for side in SIDES}
        if stop := self._stop_reason():
            return self._nothing(stop, all_refused(wish, stop))
        return self._allow(wish, offences, spans, scene)

    def approve_sweep(self, sweep: Sweep, reading: Reading) -> ApprovedSweep | SweepRefused:
        """The part of a taking order that may go out now, or why none may. Raises nothing."""
        scene, caps, side = self._look(reading), self._caps[reading.grade], sweep.side
        why = self._stop_reason() or sweep_offence(sweep, self._of_quotes, scene)
        lots, cut = (0, why) if why else sweep_part(sweep, self._leave(side, scene), caps, reading)
        if cut or not self._places_max(reading.now_ns):
            return SweepRefused(cut or "message rate: no new order may go out")
        return ApprovedSweep(market=sweep.market, side=side, lots=lots, tick_limit=sweep.tick_limit)

    # --- how ------------------------------------------------------------------------------------

    def _look(self, reading: Reading) -> Scene:
        self._observed = scene = scene_of(reading, self._instrument, self._bands)
        # A row of quotes has something to say of the market only while it is tripped.
        for watch in self._watches if self._trips else self._of_market:
            record = watch.look(scene)
            if record is not None:
                self._unreported.append(record)
        self._count_trips()
        return scene

    def _judge(
        self, watch: Watch, value: Number | None, sides: tuple[Side, ...], at: Scene
    ) -> None:
        record = watch.judge(value, sides, at)
        if record is not None:
            self._unreported.append(record)
        self._count_trips()

    def _count_trips(self) -> None:
        self._trips = [watch for watch in self._watches if watch.trip is not None]

    def _crossing(self, wish: Ladder, scene: Scene) -> str:
        """Why a wish whose own bid meets its own ask is refused whole, "" if it does not."""
        ticks = crossed_ticks(wish)
        if not ticks:
            return ""
        for watch in self._of[_SELF_CROSS]:
            if watch.row.action is not _REFUSE:
                self._judge(watch, ticks, tuple(Side), scene)
        return f"the wish crosses itself by {ticks} ticks"

    def _offences(self, side: Side, wish: Ladder, span: Span | None, scene: Scene) -> list[str]:
        """Why each quote of a side may not stand, "" where it may: usually all may."""
        levels = wish.side(side)
        if span is None or self._is_calm(side, span, scene):
            return [""] * len(levels)
        return [self._offence(side, level, scene) for level in levels]

    def _is_calm(self, side: Side, span: Span, scene: Scene) -> bool:
        """Whether surely no quote of this side breaks a row, judged by the side's extremes."""
        if takes(side, span.tick_best, scene.reading):
            return False
        return all_clear(self._of_quotes, side, span, scene)

    def _offence(self, side: Side, level: Level, scene: Scene) -> str:
        """Why this quote may not stand, "" if it may; rows that do more than refuse trip."""
        span = span_of((level,))
        if span is None or self._is_calm(side, span, scene):
            return ""
        why = takes(side, level.tick, scene.reading)
        for watch in self._of_quotes:
            value = watch.quoted(side, span, scene)
            if not watch.is_breach(value, VERIFIED):
                continue
            why = why or watch.offence(value, VERIFIED)
            if watch.row.action is not _REFUSE:
                self._judge(watch, value, (side,), scene)
        return why

    def _stop_reason(self) -> str:
        if not self._trips:
            return ""
        stopping = [watch for watch in self._trips if RANK[watch.action] >= STOPS]
        strongest = max(stopping, key=lambda watch: RANK[watch.action], default=None)
        return f"{strongest.action}: {strongest.reason}" if strongest else ""

    def _leave(self, side: Side, scene: Scene) -> Leave:
        """What the tripped rows and the caps leave of a side."""
        reading = scene.reading
        room_lots, room_by = room_of(side, self._caps[reading.grade], scene)
        most_lots, most_by = self._most
        if side is BUY and most_lots is not None and most_lots < room_lots:
            room_lots, room_by = most_lots, most_by
        for watch in self._trips:
            if watch.trip is None or watch.action not in SIDE_ACTIONS:
                continue
            if side in (watch.trip.sides or adding_sides(self._bands, reading.position_lots)):
                barred = f"{watch.action}: {watch.reason}"
                return Leave(side=side, barred=barred, room_lots=0, room_by=barred)
            gap_lots = abs(reading.position_lots - self._bands.target_lots)
            if not watch.trip.sides and gap_lots < room_lots:
                room_lots, room_by = gap_lots, f"reduce only, {watch.reason}"
        return Leave(side=side, barred="", room_lots=room_lots, room_by=room_by)

    def _allow(
        self,
        wish: Ladder,
        offences: dict[Side, list[str]],
        spans: dict[Side, Span | None],
        scene: Scene,
    ) -> Approved:
        caps = self._caps[scene.reading.grade]
        whys = with_those_too_many(offences, caps.orders_max)
        buy, sell = self._leave(BUY, scene), self._leave(SELL, scene)
        bids = stand_of(wish, whys[BUY], spans[BUY], buy, caps)
        asks = stand_of(wish, whys[SELL], spans[SELL], sell, caps)
        return Approved(
            market=self._instrument.market,
            ladder=Ladder(
                bids=bids.levels,
                asks=asks.levels,
                bids_absent=bids.absent,
                asks_absent=asks.absent,
            ),
            room_bid_lots=buy.room_lots,
            room_ask_lots=sell.room_lots,
            orders_max=caps.orders_max,
            places_max=self._places_max(scene.reading.now_ns),
            refused=bids.refused + asks.refused,
        )

    def _nothing(self, reason: str, refused: tuple[str, ...]) -> Approved:
        return Approved(
            market=self._instrument.market,
            ladder=Ladder(bids_absent=reason, asks_absent=reason),
            room_bid_lots=0,
            room_ask_lots=0,
            orders_max=0,
            places_max=0,
            refused=refused,
        )

    def _places_max(self, now_ns: Ns) -> int:
        """What is left of the message budget; nothing while a check of the market refuses."""
        if self._trips and any(watch.action is _REFUSE for watch in self._trips):
            return 0
        return max(0, min([watch.left(now_ns) for watch in self._of[_MESSAGE_RATE]]))
