"""One engine, one venue and everything that may go wrong between them, on simulated time.

A seed makes the whole schedule: latencies, lost and late requests, two paths for each fact, links
that fall silent, lists that lag, kills. The driver keeps the runtime's two promises only: facts
come one at a time, and an order's intent is durable before its bytes leave.
"""

import hashlib
import heapq
from random import Random

import msgspec

from engine.values.commands import Cancel, CancelAll, Place, QueryOrder, Reconcile
from engine.values.errors import Failure
from engine.values.events import (
    Alive,
    AllCanceled,
    BookDelta,
    BookLost,
    CancelFailed,
    Connected,
    Disconnected,
    Halt,
    JournalLag,
    LoopLag,
    OrderAbsent,
    OrderFailed,
    OrderSent,
    QueryFailed,
    Resume,
    Stop,
    Stream,
    Timer,
    VenueState,
)
from engine.values.records import OrderIntent
from engine.values.units import NS_PER_MS, NS_PER_S
from tests.sim import builders
from tests.sim.checks import Checks
from tests.sim.venue import BTT, MARKET, Venue, stamped

MS, S = NS_PER_MS, NS_PER_S
START_NS = 1_700_000_000 * S
VALID_NS = S
TIMEOUT_NS = S
VENUE = BTT.venue


class Faults(msgspec.Struct):
    """Chances, per request unless said otherwise. All zero is a healed world."""

    request_lost: float = 0.0
    answer_lost: float = 0.0
    refused: float = 0.0
    slow: float = 0.0
    twice: float = 0.0
    list_lag_ns: int = 0
    per_second: float = 0.0
    """How many of the faults in `World.mishaps` happen in a second."""
    commit_ns: int = 2 * MS
    public_delay_ns: int = 0


def bad_weather(dice: Random) -> Faults:
    """A different mix for each seed, so that some see one fault in a calm world."""
    pick = dice.choice
    return Faults(
        request_lost=pick((0, 0.02, 0.1)),
        answer_lost=pick((0, 0.02, 0.1, 0.3)),
        refused=pick((0, 0.02, 0.1)),
        slow=pick((0, 0.05, 0.3)),
        twice=pick((0, 0.1, 0.5)),
        list_lag_ns=pick((0, 100, 400)) * MS,
        per_second=pick((0.05, 0.2, 0.5)),
        commit_ns=pick((1, 5, 40)) * MS,
    )


class World:
    """`run_until` moves time on; what the engine did is checked at every fact."""

    def __init__(self, seed: int, faults: Faults | None = None, **kwargs) -> None:
        self.dice = Random(f"world {seed}")
        self.now = START_NS
        self.faults = faults or Faults()
        self.venue = Venue(seed, self.now, builders.TARGET, 300 * 10**8)
        self.venue.tell_public = self._emit_public
        self.venue.tell_private = self._emit_private
        self.venue.on_change = self._on_venue_change
        self.checks = Checks(self)
        self.trace = hashlib.sha256() if kwargs.pop("traced", False) else None
        self._begin = kwargs.pop("begin", lambda now_ns: ())
        self.seen_commands: list = []
        self.records: list = []
        self.durable = 0
        self.epoch = 0
        self.alive = False
        self.engine = None
        self._engine_kwargs = kwargs
        self._heap: list = []
        self._count = 0
        self._waiting: dict[str, Place] = {}
        self._last_ns = {Stream.PUBLIC: 0, Stream.PRIVATE: 0}
        self._up = {Stream.PUBLIC: False, Stream.PRIVATE: False}
        self._silent = {Stream.PUBLIC: False, Stream.PRIVATE: False}
        self._link = {Stream.PUBLIC: 0, Stream.PRIVATE: 0}
        self._feed = "off"
        self.processed = 0
        self._at(0, self._market_turn)
        self._at(0, self._mishap_turn)
        self._at(0, self._ping_turn)
        self.start()

    # --- time

    def _at(self, delay_ns, act, *args):
        self._count += 1
        heapq.heappush(self._heap, (self.now + max(0, int(delay_ns)), self._count, act, args))

    def run(self, seconds):
        self.run_until(self.now + int(seconds * S))

    def run_until(self, end_ns):
        while self._heap and self._heap[0][0] <= end_ns:
            at_ns, _, act, args = heapq.heappop(self._heap)
            self.now = self.venue.now = at_ns
            act(*args)
        self.now = self.venue.now = end_ns

    def run_while(self, is_true, seconds_max):
        """Returns the seconds it took; fails the test after `seconds_max`."""
        began = self.now
        while is_true():
            if self.now - began > seconds_max * S:
                return None
            self.run(0.1)
        return (self.now - began) / S

    # --- process life

    def start(self):
        """A process with what the journal kept; its links come up a little later."""
        self.epoch += 1
        self.alive = True
        self._waiting.clear()
        self.engine = builders.engine(
            epoch=self.epoch, past=list(self.records), **self._engine_kwargs
        )
        self.checks.started()
        for fact in self._begin(self.now):
            self.deliver(fact)
        self._timer_turn(self.epoch)
        for stream in Stream:
            self._link_down(stream)
            self._at(self.dice.randrange(10, 300) * MS, self._link_up, stream, self._link[stream])

    def kill(self):
        """kill -9: all that was not durable may be gone, and nobody hears the answers."""
        self.checks.rebuilt_equals_live()
        kept = self.dice.randint(self.durable, len(self.records))
        del self.records[kept:]
        self.alive = False
        self._waiting.clear()
        self._at(self.dice.randrange(100, 3000) * MS, self.start)

    def _timer_turn(self, epoch):
        if not self.alive or epoch != self.epoch:
            return
        self.deliver(Timer(at_ns=self.now))
        self._at(100 * MS, self._timer_turn, epoch)

    # --- engine in, engine out

    def deliver(self, event):
        if not self.alive:
            return
        self.processed += 1
        self.checks.told(event)
        step = self.engine.process(event)
        if step.records:
            self.records += step.records
            self._at(self.faults.commit_ns, self._kept, len(self.records), self.epoch)
        if self.trace is not None:
            self.trace.update(msgspec.json.encode((event, step.commands, step.records)))
        self.checks.decided(event, step)
        if step.commands:
            self.seen_commands += [(self.now, command) for command in step.commands]
            for command in step.commands:
                self._send(command)

    def _send(self, command):
        if isinstance(command, Place):
            self._waiting[command.client_id] = command
            self._at(self.faults.commit_ns, self._committed, command, len(self.records), self.epoch)
            return
        gone = [
            place
            for place in self._waiting.values()
            if isinstance(command, CancelAll)
            or (isinstance(command, Cancel) and command.client_id == place.client_id)
        ]
        for place in gone:
            del self._waiting[place.client_id]
            self._at(0, self._hear, self.epoch, self._failed(place, Failure.REJECTED, "withdrawn"))
        if not (gone and isinstance(command, Cancel)):
            self._leave(command)

    def _kept(self, count, epoch):
        if self.alive and epoch == self.epoch:
            self.durable = max(self.durable, count)

    def _committed(self, place, count, epoch):
        if not self.alive or epoch != self.epoch:
            return
        self.durable = max(self.durable, count)
        if self._waiting.pop(place.client_id, None) is None:
            return
        sent = OrderSent(market=MARKET, client_id=place.client_id, at_ns=self.now)
        self._at(0, self._hear, self.epoch, sent)
        self._leave(place)

    def _leave(self, command):
        """The first byte leaves. `epoch` dies with the process that waits for the answer."""
        faults, dice = self.faults, self.dice
        self.checks.left(command)
        epoch, left_ns = self.epoch, self.now
        way = dice.randrange(1, 15) * MS
        if faults.slow and dice.random() < faults.slow:
            way = dice.randrange(15, 2500) * MS
        back = dice.randrange(1, 15) * MS
        if dice.random() < faults.refused:
            self._at(way, self._hear, epoch, self._failed(command, Failure.TRANSIENT, "-1003"))
            return
        is_answered = way + back < TIMEOUT_NS and dice.random() >= faults.answer_lost
        if dice.random() >= faults.request_lost:
            self._at(way, self._arrive, command, left_ns, back if is_answered else None, epoch)
        else:
            is_answered = False
        if not is_answered:
            lost = self._failed(command, Failure.UNKNOWN, "timeout")
            self._at(TIMEOUT_NS, self._hear, epoch, lost)

    def _hear(self, epoch, fact):
        """An answer, on its own path: it may overtake the streams and be overtaken."""
        if epoch == self.epoch and fact is not None:
            self.deliver(stamped(fact, self.now))

    def _failed(self, command, failure, code):
        kind = {Place: OrderFailed, Cancel: CancelFailed}.get(type(command), QueryFailed)
        return kind(
            market=MARKET,
            client_id=getattr(command, "client_id", ""),
            at_ns=self.now,
            failure=failure,
            code=code,
            text="",
        )

    # --- the venue's end of a request

    def _arrive(self, command, left_ns, back, epoch):
        if isinstance(command, Reconcile):
            self._read_orders(command, left_ns, back, epoch)
            return
        fact = self._execute(command, left_ns)
        if back is not None and fact is not None:
            self._at(back, self._hear, epoch, fact)

    def _execute(self, command, left_ns):
        venue = self.venue
        if isinstance(command, Place):
            if self.now > left_ns + VALID_NS:
                return self._failed(command, Failure.REJECTED, "-1021")
            code = venue.place(command)
            if code:
                return self._failed(command, Failure.REJECTED, code)
            return venue.by_client[command.client_id].report(self.now)
        if isinstance(command, Cancel):
            if venue.cancel(command.client_id):
                return venue.by_client[command.client_id].report(self.now)
            return self._failed(command, Failure.REJECTED, "-2011")
        if isinstance(command, CancelAll):
            return AllCanceled(market=MARKET, at_ns=self.now, count=venue.cancel_all())
        assert isinstance(command, QueryOrder)
        row = venue.by_client.get(command.client_id)
        if row is None or row.accepted_ns > self.now - self.faults.list_lag_ns:
            return OrderAbsent(
                market=MARKET, client_id=command.client_id, at_ns=self.now, asked_ns=left_ns
            )
        return row.report(self.now)

    def _read_orders(self, command, left_ns, back, epoch):
        """Open orders, then fills, then balances: the market moves between the three."""
        old = self.now - self.faults.list_lag_ns
        rows = [row for row in self.venue.open_rows() if row.accepted_ns <= old]
        parts = [row.report(self.now) for row in rows]
        gap = self.dice.randrange(1, 40) * MS
        self._at(gap, self._read_fills, command, left_ns, (back, epoch, parts, gap))

    def _read_fills(self, command, left_ns, rest):
        old = self.now - self.faults.list_lag_ns
        fills = [
            fill
            for fill in self.venue.fills
            if fill.trade_id > command.trade_id_from and fill.at_ns <= old
        ]
        self._at(rest[3], self._read_balances, left_ns, fills, rest)

    def _read_balances(self, left_ns, fills, rest):
        back, epoch, orders, _ = rest
        if back is None:
            return
        fills = [stamped(fill, self.now) for fill in fills]
        state = VenueState(
            market=MARKET,
            asked_ns=left_ns,
            at_ns=self.now,
            open_orders=orders,
            fills=fills,
            balances=self.venue.balances(),
        )
        self._at(back, self._hear, epoch, state)

    # --- the two streams

    def _emit_public(self, fact):
        is_book = isinstance(fact, BookDelta)
        if self._feed == "on" or (self._feed == "stalled" and not is_book):
            self._enqueue(Stream.PUBLIC, fact, self.faults.public_delay_ns)

    def _emit_private(self, fact):
        if self._up[Stream.PRIVATE] and not self._silent[Stream.PRIVATE]:
            self._enqueue(Stream.PRIVATE, fact)
            if self.dice.random() < self.faults.twice:
                late = self.dice.randrange(0, 3000) * MS
                self._at(late, self._arrive_on, Stream.PRIVATE, self._link[Stream.PRIVATE], fact)

    def _enqueue(self, stream, fact, delay_ns=0):
        """Each stream keeps its own order; between streams and answers there is none."""
        at_ns = self.now + delay_ns + self.dice.randrange(1, 20) * MS
        self._last_ns[stream] = at_ns = max(at_ns, self._last_ns[stream])
        self._at(at_ns - self.now, self._arrive_on, stream, self._link[stream], fact)

    def _arrive_on(self, stream, link, fact):
        if link == self._link[stream]:
            self.deliver(stamped(fact, self.now))

    def _ping_turn(self):
        for stream in Stream:
            if self._up[stream] and not self._silent[stream]:
                self._enqueue(stream, Alive(venue=VENUE, stream=stream, at_ns=self.now))
        self._at(S, self._ping_turn)

    def _link_down(self, stream):
        self._link[stream] += 1
        self._up[stream] = self._silent[stream] = False
        self._last_ns[stream] = 0
        if stream is Stream.PUBLIC:
            self._feed = "off"

    def _link_up(self, stream, link):
        if link != self._link[stream] or not self.alive:
            return
        self._up[stream] = True
        self.deliver(Connected(venue=VENUE, stream=stream, at_ns=self.now))
        if stream is Stream.PUBLIC:
            self._at(self.dice.randrange(10, 200) * MS, self._resync, link)

    def _resync(self, link):
        if link == self._link[Stream.PUBLIC]:
            self._feed = "on"
            self._enqueue(Stream.PUBLIC, self.venue.snapshot())

    def _market_turn(self):
        self.venue.step_market()
        self._at(self.venue.flow.next_ns(self.now) - self.now, self._market_turn)

    def _on_venue_change(self):
        self.checks.venue_changed()

    # --- what goes wrong by itself

    def cut(self, stream, back_s=1.0):
        """The connection closes and comes back."""
        if not self._up[stream]:
            return
        self._link_down(stream)
        reason = "closed by the far end"
        self.deliver(Disconnected(venue=VENUE, stream=stream, at_ns=self.now, reason=reason))
        self._at(back_s * S, self._link_up, stream, self._link[stream])

    def silence(self, stream, noticed_s=4.0):
        """Half open: nothing comes any more, and only our own ping time-out closes it."""
        if not self._up[stream] or self._silent[stream]:
            return
        self._silent[stream] = True
        if stream is Stream.PUBLIC:
            self._feed = "off"
        self._at(noticed_s * S, self._noticed, stream, self._link[stream])

    def _noticed(self, stream, link):
        if link == self._link[stream]:
            self.cut(stream, back_s=self.dice.random())

    def lose_delta(self):
        """A gap: the feed says so and comes back with a snapshot."""
        if self._feed != "on":
            return
        self._feed = "off"
        self._enqueue(Stream.PUBLIC, BookLost(market=MARKET, at_ns=self.now, reason="gap"))
        back = self.dice.randrange(50, 1500) * MS
        self._at(back, self._resync, self._link[Stream.PUBLIC])

    def stall(self, seconds=3.0):
        """The book's topic stops, all others go on."""
        if self._feed != "on":
            return
        self._feed = "stalled"
        self._at(seconds * S, self._unstall, self._link[Stream.PUBLIC])

    def _unstall(self, link):
        if link == self._link[Stream.PUBLIC] and self._feed == "stalled":
            self._feed = "on"
            self.lose_delta()

    def halt_and_resume(self):
        self.deliver(Halt(market=MARKET, at_ns=self.now, who="ann", reason="lunch"))
        self._at(self.dice.randrange(100, 4000) * MS, self.resume)

    def resume(self):
        self.deliver(Resume(market=MARKET, at_ns=self.now, who="ann", reason="back"))

    def stop(self):
        self.deliver(Stop(at_ns=self.now, who="ann"))

    def slow_disk(self):
        before = self.faults.commit_ns
        self.faults.commit_ns = self.dice.randrange(300, 1500) * MS
        for i in range(3):
            lag = JournalLag(at_ns=self.now, age_ns=(300 + 100 * i) * MS)
            self._at((250 + 100 * i) * MS, self._hear, self.epoch, lag)
        self._at(2 * S, self._mend_disk, before)

    def _mend_disk(self, commit_ns):
        self.faults.commit_ns = min(commit_ns, self.faults.commit_ns)

    def lag(self):
        late = self.dice.randrange(20, 300) * MS
        self.deliver(LoopLag(at_ns=self.now, lag_ns=late))

    def delay(self):
        self.faults.public_delay_ns = self.dice.randrange(50, 3000) * MS
        self._at(3 * S, self._mend_delay)

    def _mend_delay(self):
        self.faults.public_delay_ns = 0

    def mishaps(self):
        dice = self.dice
        return (
            lambda: self.cut(Stream.PUBLIC, dice.random() * 3),
            lambda: self.cut(Stream.PRIVATE, dice.random() * 3),
            lambda: self.silence(Stream.PUBLIC, 1 + dice.random() * 4),
            lambda: self.silence(Stream.PRIVATE, 1 + dice.random() * 4),
            self.lose_delta,
            lambda: self.stall(dice.random() * 4),
            self.halt_and_resume,
            self.slow_disk,
            self.lag,
            self.delay,
            self.kill,
            self.kill,
        )

    def _mishap_turn(self):
        if self.alive and self.dice.random() < self.faults.per_second / 4:
            self.dice.choice(self.mishaps())()
        self._at(S // 4, self._mishap_turn)

    def heal(self):
        """From here on the venue answers and the links come back by themselves."""
        self.faults = Faults()

    # --- questions

    @property
    def maker(self):
        return self.engine.makers[MARKET]

    @property
    def keeper(self):
        return self.engine.keepers[VENUE]

    @property
    def state(self):
        return self.maker.state[0]

    def intents(self, count):
        return {
            record.order.client_id: record.order
            for record in self.records[:count]
            if isinstance(record, OrderIntent)
        }
