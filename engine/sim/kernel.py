# cython: language_level=3, annotation_typing=False
# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The pass over facts that wake nobody: recorded rows through both books, without deciding.

It moves what `Account.public` and `Engine.process` would move, by the very same parts, and stops
before anything that somebody must answer. A book fact that it has shown to the engine's parts may
be processed again: taking in the same fact twice changes nothing.
"""

from engine.sim.kernel_block import (
    IS_LAST,
    IS_SELL,
    KIND,
    LANE_SHIFT,
    LEVEL,
    NEVER_NS,
    OTHER,
    TRADE,
    Block,
)
from engine.sim.kernel_lane import Lane
from engine.sim.matching.terms import Match
from engine.values.units import BUY, SELL, Ns

DUE, MATCHED, HEARD, TOLD, ENDED = range(5)
"""Why a pass stops: something else is due; a fact filled our orders; a fact wakes the engine; a
fact is no row; the block has ended."""
GOES_ON = -1


class Kernel:
    """Two places in the rows: `told` happens at the venue now, `heard` reaches the engine now.

    After a pass `now_ns` is the moment of the row at which it stopped, `lane` its market and `row`
    where the fact begins. `count` numbers what is under way, so that what falls on one moment keeps
    its order; its owner may raise it between two passes. The engine's timer comes next at
    `tick_ns`, as number `tick_turn`: one at which it would find nothing to do is passed over like a
    row that wakes nobody. A `timer_ns` of 0 lets every timer be answered.
    """

    def __init__(self, lanes: list[Lane], feed_ns: Ns, timer_ns: Ns = 0) -> None:
        self.lanes = lanes
        self.feed_ns = feed_ns
        self.timer_ns = timer_ns
        self.tick_ns, self.tick_turn = NEVER_NS, 0
        self.count = self.facts = self.processed = 0
        self.now_ns = self.told_ns = 0
        self.row = self.told = self.heard = self.end = self._next = 0
        self.matches: tuple[Match, ...] = ()
        self.lane: Lane | None = None

    def load(self, block: Block) -> None:
        """Begin a block."""
        columns = block.columns
        self._flags, self._at_ns, self._venue_ns = columns.flags, columns.at_ns, columns.venue_ns
        self._numbers, self._ticks, self._lots = columns.number, columns.tick, columns.lots
        self._turns, self._kept = block.turns, block.facts
        self.told = self.heard = 0
        self.end = len(block)

    def advance(self, due_ns: Ns, due_turn: int) -> int:
        """Pass over rows until something is to be done in Python; says what.

        `due_ns` and `due_turn` belong to the first thing that is neither a row nor the timer.
        """
        for lane in self.lanes:
            lane.enter()
        stop = GOES_ON
        while stop == GOES_ON:
            is_tick = self.tick_ns < due_ns
            is_tick |= self.tick_ns == due_ns and self.tick_turn < due_turn
            if not is_tick:
                stop = self._next_step(due_ns, due_turn)
                continue
            stop = self._next_step(self.tick_ns, self.tick_turn)
            if stop == DUE and self._is_quiet():
                self._pass_tick()
                stop = GOES_ON
        for lane in self.lanes:
            lane.leave()
        return stop

    def _next_step(self, due_ns: Ns, due_turn: int) -> int:
        """What comes first: a fact on its way, the thing that is due, or the next row."""
        told, heard, feed_ns = self.told, self.heard, self.feed_ns
        if heard < told and not self._turns[heard]:
            self.heard += 1  # it was told as a whole fact, and is heard as one
            return GOES_ON
        if told == self.end and (feed_ns or heard == told):
            return ENDED
        told_ns = self._at_ns[told] - feed_ns if told < self.end else NEVER_NS
        if heard < told and self._at_ns[heard] <= told_ns:
            hear_ns = self._at_ns[heard]
            is_due = due_ns < hear_ns or (due_ns == hear_ns and due_turn < self._turns[heard])
            return DUE if is_due and feed_ns else self._hear(heard)
        return DUE if due_ns <= told_ns else self._tell(told, told_ns)

    def _is_quiet(self) -> bool:
        """Would the engine find nothing to do at its timer?"""
        if not self.timer_ns:
            return False
        for lane in self.lanes:  # noqa: SIM110 a generator would cost more than what it asks
            if not lane.is_quiet(self.tick_ns):
                return False
        return True

    def _pass_tick(self) -> None:
        self.now_ns = self.tick_ns
        for lane in self.lanes:
            lane.pass_tick(self.tick_ns)
        self.count += 1
        self.processed += 1
        self.tick_ns, self.tick_turn = self.tick_ns + self.timer_ns, self.count

    # --- at the venue ---------------------------------------------------------------------------

    def _tell(self, row: int, now_ns: Ns) -> int:
        flags = self._flags[row]
        kind, is_sell = flags & KIND, (flags & IS_SELL) != 0
        self.row, self.now_ns, self._next = row, now_ns, row + 1
        if kind == OTHER:
            return TOLD
        lane = self.lanes[flags >> LANE_SHIFT]
        if kind == LEVEL:
            self._put_levels(lane, row)
            if lane.is_crossed(now_ns):
                self.matches = lane.shadow.crossed()
        elif kind != TRADE:
            lane.has_tops = True
        elif lane.is_reached(is_sell, self._ticks[row]):
            side = SELL if is_sell else BUY
            self.matches = lane.shadow.public_trade(self._ticks[row], self._lots[row], side)
        if self.matches:
            self.lane = lane
            return MATCHED
        self.send()
        return GOES_ON

    def _put_levels(self, lane: Lane, row: int) -> None:
        flags = 0
        while not flags & IS_LAST:
            flags = self._flags[row]
            lane.put((flags & IS_SELL) != 0, self._ticks[row], self._lots[row])
            row += 1
        self._next = row

    def send(self) -> None:
        """What happened at the venue is now on its way to the engine."""
        self.count += 1
        self.facts += 1
        self.told_ns = self.now_ns
        self.matches = ()
        self._turns[self.told] = self.count
        self.told = self._next

    def skip(self) -> None:
        """The fact at `told` was told and sent on its way by somebody else."""
        self.told = self._next

    # --- in the engine --------------------------------------------------------------------------

    def _hear(self, row: int) -> int:
        flags = self._flags[row]
        kind = flags & KIND
        lane = self.lanes[flags >> LANE_SHIFT]
        self.row, self.now_ns = row, self._at_ns[row]
        if kind == LEVEL:
            if self._wakes(lane, row):
                return HEARD
        elif kind == TRADE:
            self.heard = row + 1
            if lane.is_advised:
                return HEARD
            sign = -1 if flags & IS_SELL else 1
            lane.features.on_flow(sign * self._lots[row], self.now_ns)
        else:
            lane.hear_top(self._kept[row])
            self.heard = row + 1
        lane.heard_ns = self.now_ns
        self.processed += 1
        return GOES_ON

    def _wakes(self, lane: Lane, row: int) -> bool:
        """Show the book to the engine's senses. A market that is awake is left as it is."""
        is_asleep, first, flags = lane.is_asleep(self.now_ns), row, 0
        while not flags & IS_LAST:
            flags = self._flags[row]
            if is_asleep:
                lane.hear_level((flags & IS_SELL) != 0, self._ticks[row], self._lots[row])
            row += 1
        self.heard = row
        if not is_asleep:
            return True
        lane.heard_ns = self.now_ns
        return lane.wakes(self._numbers[first], self._venue_ns[first])
