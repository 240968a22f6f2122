"""The risk gate: between a wish and the venue. It alone makes `Approved`, and only out of rows."""

import math
from collections import deque
from collections.abc import Iterator
from typing import Literal

import msgspec

from engine.trading.risk_checks import (
    CALM,
    Measure,
    Scene,
    adding_sides,
    finite,
    reference_atoms,
)
from engine.trading.risk_cut import (
    Cuts,
    Leave,
    absence,
    all_refused,
    cut,
    order_ranks,
    position_room,
    takes,
)
from engine.trading.risk_rows import MANDATORY, Action, Check, Reading, RiskRow, rows_problem
from engine.trading.risk_sanity import crossed_ticks, nonsense
from engine.trading.risk_watch import Watch
from engine.treasury.bands import Bands
from engine.values.events import Grade
from engine.values.instrument import Instrument
from engine.values.intents import Hedge, Ladder, Level
from engine.values.records import RiskTripped
from engine.values.units import PPM, Lot, Ns, Ppm, Side

__all__ = [
    "MANDATORY",
    "Action",
    "Approved",
    "Check",
    "Gate",
    "Reading",
    "RiskRow",
    "rows_problem",
]

UNREPORTED_MAX = 1000
_STOPS = list(Action).index(Action.PULL_MARKET)
_SIDE_ACTIONS = (Action.PULL_SIDE, Action.HEDGE)
_RANK = {action: rank for rank, action in enumerate(Action)}
_COUNTED_AS = {"message": Check.MESSAGE_RATE, "reject": Check.REJECTS, "fill": Check.FILLS}


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """What may stand in a market: the only thing that `reconcile` takes (law 2).

    `ladder` is what should stand in the end; each side's lots sum up to no more than its room.
    `room_*_lots` bound everything on that side that may still fill (INTENT, SENT, OPEN, CANCEL_SENT
    and UNKNOWN, kept or new): an order goes out only while all of these and it fit in the room.
    `orders_max` bounds the orders that may be live at once, both sides together, and `places_max`
    the new orders of this decision (an amendment is one); cancels always pass. `refused` says why
    each level of the wish that is missing here was dropped.
    """

    market: str
    ladder: Ladder
    room_bid_lots: Lot
    room_ask_lots: Lot
    orders_max: int
    places_max: int
    refused: tuple[str, ...]


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
        self._bands = bands
        self._watches = [Watch(row, instrument, snapshot_grade_share_ppm) for row in rows]
        self._observed: Reading | None = None
        self._of = {check: [w for w in self._watches if w.row.check is check] for check in Check}
        self._of_quotes = [watch for watch in self._watches if watch.of_quote]
        self._unreported: deque[RiskTripped] = deque(maxlen=UNREPORTED_MAX)

    def __repr__(self) -> str:
        posture = self.posture() or "open"
        return f"<gate {self._instrument.market} {posture} tripped {len(self.tripped())}>"

    # --- facts in -------------------------------------------------------------------------------

    def observe(self, reading: Reading) -> list[RiskTripped]:
        """Judge the market at this moment; the rows that tripped or let go since the last call."""
        self._look(reading)
        records = list(self._unreported)
        self._unreported.clear()
        return records

    def note(self, kind: Literal["message", "reject", "fill"], side: Side, at_ns: Ns) -> None:
        """Count a request that left, a rejected order or a fill."""
        for watch in self._of[_COUNTED_AS[kind]]:
            watch.note(side, at_ns)
        self._observed = None

    def resume(self, at_ns: Ns) -> None:
        """A person lets go of halts; what is still breached trips again at the next look."""
        for watch in self._watches:
            watch.resume()
        self.nonsense_count = 0
        self._observed = None

    # --- answers out ----------------------------------------------------------------------------

    def posture(self) -> Action | None:
        """The strongest action that is tripped."""
        return max((watch.action for watch in self._tripped()), key=_RANK.__getitem__, default=None)

    def tripped(self) -> list[tuple[Check, str]]:
        """The rows that are tripped, strongest first, each with its reason."""
        watches = sorted(self._tripped(), key=lambda watch: -_RANK[watch.action])
        return [(watch.row.check, watch.reason) for watch in watches]

    def hedges(self, reading: Reading) -> list[Hedge]:
        """What should be shed elsewhere: once a trip, and again after each further cool-down."""
        due = [watch for watch in self._tripped() if watch.is_hedge_due(reading.now_ns)]
        gap_lots = reading.position_lots - self._bands.target_lots
        if not (due and gap_lots):
            return []
        for watch in due:
            assert watch.trip is not None
            watch.trip.hedged_ns = reading.now_ns
        side = Side.SELL if gap_lots > 0 else Side.BUY
        reason = "; ".join(watch.reason for watch in due)
        return [Hedge(market=self._instrument.market, side=side, lots=abs(gap_lots), reason=reason)]

    def approve(self, wish: Ladder, reading: Reading) -> Approved:
        """The part of `wish` that may stand. Raises nothing, whatever the wish is."""
        if reading is not self._observed:
            self._look(reading)
        problem = nonsense(wish, self._instrument) or self._crossing(wish, reading)
        if problem:
            self.nonsense_count += 1
            return self._nothing(problem, (problem,))
        scenes = [watch.scene(reading, self._instrument, self._bands) for watch in self._of_quotes]
        offences = {
            side: [self._offence(side, level, scenes) for level in wish.side(side)] for side in Side
        }
        if stop := self._stop_reason():
            return self._nothing(stop, all_refused(wish, stop))
        return self._allow(wish, offences, reading)

    # --- how ------------------------------------------------------------------------------------

    def _look(self, reading: Reading) -> None:
        self._observed = reading
        for watch in self._watches:
            if watch.of_market:
                measure = watch.of_market(watch.scene(reading, self._instrument, self._bands))
                self._judge(watch, measure, reading)
            elif watch.trip is not None:
                self._judge(watch, CALM, reading)

    def _judge(self, watch: Watch, measure: Measure, reading: Reading) -> None:
        record = watch.judge(measure, reading.now_ns, reading.grade)
        if record is not None:
            self._unreported.append(record)

    def _crossing(self, wish: Ladder, reading: Reading) -> str:
        """Why a wish whose own bid meets its own ask is refused whole, "" if it does not."""
        ticks = crossed_ticks(wish)
        if not ticks:
            return ""
        for watch in self._of[Check.SELF_CROSS]:
            if watch.row.action is not Action.REFUSE:
                self._judge(watch, Measure(ticks, tuple(Side)), reading)
        return f"the wish crosses itself by {ticks} ticks"

    def _offence(self, side: Side, level: Level, scenes: list[Scene]) -> str:
        """Why this quote may not stand, "" if it may; rows that do more than refuse trip."""
        why = takes(side, level, scenes[0].reading)
        for watch, scene in zip(self._of_quotes, scenes, strict=True):
            value = finite(watch.of_quote(side, level, scene)) if watch.of_quote else 0
            if not watch.is_breach(value, Grade.VERIFIED):
                continue
            why = why or watch.offence(value, Grade.VERIFIED)
            if watch.row.action is not Action.REFUSE:
                self._judge(watch, Measure(value, (side,)), scene.reading)
        return why

    def _stop_reason(self) -> str:
        stopping = [watch for watch in self._tripped() if _RANK[watch.action] >= _STOPS]
        strongest = max(stopping, key=lambda watch: _RANK[watch.action], default=None)
        return f"{strongest.action}: {strongest.reason}" if strongest else ""

    def _leave(self, side: Side, reading: Reading) -> Leave:
        """What the tripped rows and the caps leave of a side."""
        room_lots, room_by = self._room(side, reading)
        adding = adding_sides(self._bands, reading.position_lots)
        for watch in self._tripped():
            if watch.trip is None or watch.action not in _SIDE_ACTIONS:
                continue
            if side in (watch.trip.sides or adding):
                barred = f"{watch.action}: {watch.reason}"
                return Leave(barred=barred, room_lots=0, room_by=barred)
            gap_lots = abs(reading.position_lots - self._bands.target_lots)
            if not watch.trip.sides and gap_lots < room_lots:
                room_lots, room_by = gap_lots, f"reduce only, {watch.reason}"
        return Leave(barred="", room_lots=room_lots, room_by=room_by)

    def _room(self, side: Side, reading: Reading) -> tuple[Lot, str]:
        """The lots of a side that may fill before a cap is met, and the tightest cap's name."""
        rooms = []
        for watch in self._of[Check.WORST_POSITION]:
            share = watch.share_at(reading.grade)
            rooms.append((position_room(side, self._bands, share, reading), watch.row.check))
        unit = reference_atoms(reading, self._instrument)
        for watch in self._of[Check.WORST_VALUE]:
            most = int(watch.bound(reading.grade).threshold) // unit if unit else 0
            room = most - side.sign * reading.position_lots if unit else 0
            rooms.append((max(0, room), watch.row.check))
        room_lots, check = min(rooms)
        return room_lots, f"room to {check}"

    def _allow(self, wish: Ladder, offences: dict[Side, list[str]], reading: Reading) -> Approved:
        orders_max = self._size_max(Check.OPEN_ORDERS, reading)
        ranks = order_ranks(len(wish.bids), len(wish.asks))
        leaves = {side: self._leave(side, reading) for side in Side}
        kept: dict[Side, tuple[Level, ...]] = {}
        refused: dict[Side, list[str]] = {}
        for side in Side:
            whys = [
                why or ("open orders: more than may be live" if rank >= orders_max else "")
                for why, rank in zip(offences[side], ranks[side], strict=True)
            ]
            cuts = Cuts(
                side=side,
                leave=leaves[side],
                instrument=self._instrument,
                size_lots_max=self._size_max(Check.ORDER_SIZE, reading),
                value_atoms_max=self._size_max(Check.ORDER_VALUE, reading),
            )
            kept[side], refused[side] = cut(wish.side(side), whys, cuts)
        return Approved(
            market=self._instrument.market,
            ladder=Ladder(
                bids=kept[Side.BUY],
                asks=kept[Side.SELL],
                bids_absent=absence(wish, Side.BUY, kept, refused),
                asks_absent=absence(wish, Side.SELL, kept, refused),
            ),
            room_bid_lots=leaves[Side.BUY].room_lots,
            room_ask_lots=leaves[Side.SELL].room_lots,
            orders_max=orders_max,
            places_max=self._places_max(reading.now_ns),
            refused=tuple(refused[Side.BUY] + refused[Side.SELL]),
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

    def _size_max(self, check: Check, reading: Reading) -> int:
        return min(int(watch.bound(reading.grade).threshold) for watch in self._of[check])

    def _places_max(self, now_ns: Ns) -> int:
        """What is left of the message budget; nothing while a check of the market refuses."""
        if any(watch.action is Action.REFUSE for watch in self._tripped()):
            return 0
        rates = self._of[Check.MESSAGE_RATE]
        left = (math.floor(watch.row.threshold) - sum(watch.counts(now_ns)) for watch in rates)
        return max(0, min(left))

    def _tripped(self) -> Iterator[Watch]:
        return (watch for watch in self._watches if watch.trip is not None)
