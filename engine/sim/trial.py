"""One engine, one synthetic market and the wires between, on a clock that a test moves by hand.

The back-test's account and the live engine. Public facts, requests and the venue's words each take
their time; what `weather` says goes wrong on the way (engine.sim.trial_faults begins it).
"""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any, TypeAlias

import msgspec

from engine.core import Engine
from engine.sim.account import Account
from engine.sim.synthetic import Crowd, Public
from engine.values.commands import Cancel, CancelAll, Command, Place
from engine.values.errors import Failure
from engine.values.events import (
    Alive,
    BookDelta,
    BookSnapshot,
    CancelFailed,
    Connected,
    Event,
    Fill,
    OrderFailed,
    OrderSent,
    QueryFailed,
    Stream,
    Timer,
)
from engine.values.step import Step
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

WAY_NS = 5 * NS_PER_MS
"""Of a public fact to us, of a request to the venue, and of its word back."""
TIMEOUT_NS = NS_PER_S
ALIVE_NS = NS_PER_S


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue answers instead of doing it; `is_of_cancels` too, else only of new orders."""

    failure: Failure
    code: str
    text: str
    retry_after_ns: Ns = 0
    is_of_cancels: bool = False


class Weather(msgspec.Struct, kw_only=True):
    """What goes wrong at this moment. As made, nothing does."""

    is_book_silent: bool = False
    is_public_silent: bool = False
    is_private_down: bool = False
    is_request_lost: bool = False
    is_answer_lost: bool = False
    is_cancel_lost: bool = False
    is_filled_first: bool = False
    refusal: Refusal | None = None
    times_told: int = 1
    public_late_ns: Ns = 0
    request_late_ns: Ns = 0
    fill_late_ns: Ns = 0


Act: TypeAlias = Callable[[Any], None]
Watch: TypeAlias = Callable[[Event, Step], None]


class Trial:
    """`account` has the one market of `crowd`; `watch` is told each fact and step."""

    def __init__(self, engine: Engine, account: Account, crowd: Crowd, watch: Watch) -> None:
        self.engine = engine
        self.account = account
        self.crowd = crowd
        self.weather = Weather()
        self.now_ns: Ns = 0
        (self.instrument,) = account.instruments.values()
        self.market, self.venue = self.instrument.market, self.instrument.venue
        self._watch = watch
        self._heap: list[tuple[Ns, int, Act, Any]] = []
        self._count = 0
        self._ways: dict[str, Ns] = {}

    def begin(self, now_ns: Ns, opening: Iterable[Event] = ()) -> None:
        """Wires up, a first book, and everybody at work from this moment on."""
        self.now_ns = now_ns
        for fact in opening:
            self.hear(fact)
        for stream in Stream:
            self.hear(Connected(venue=self.venue, stream=stream, at_ns=now_ns))
        self.publish([self.crowd.snapshot(now_ns)])
        for act in (self._timer, self._ping, self._crowd):
            self.at(0, act)

    def pass_until(self, until_ns: Ns) -> None:
        while self._heap and self._heap[0][0] <= until_ns:
            at_ns, _, act, what = heappop(self._heap)
            self.now_ns = at_ns
            act(what)
        self.now_ns = max(self.now_ns, until_ns)

    def at(self, delay_ns: Ns, act: Act, what: Any = None) -> None:
        """Do it so much later."""
        self._count += 1
        heappush(self._heap, (self.now_ns + delay_ns, self._count, act, what))

    def hear(self, fact: Event) -> None:
        """The engine learns it now."""
        heard = msgspec.structs.replace(fact, at_ns=self.now_ns)
        step = self.engine.process(heard)
        self._watch(heard, step)
        for command in step.commands:
            self._send(command)

    # --- what comes round by itself -------------------------------------------------------------

    def _timer(self, _: Any) -> None:
        self.hear(Timer(at_ns=self.now_ns))
        self.at(self.engine.params.timer_ns, self._timer)

    def _ping(self, _: Any) -> None:
        down = {
            Stream.PUBLIC: self.weather.is_public_silent,
            Stream.PRIVATE: self.weather.is_private_down,
        }
        for stream in Stream:
            if not down[stream]:
                self.hear(Alive(venue=self.venue, stream=stream, at_ns=self.now_ns))
        self.at(ALIVE_NS, self._ping)

    def _crowd(self, _: Any) -> None:
        self.publish(self.crowd.step(self.now_ns))
        self.at(self.crowd.next_ns(self.now_ns) - self.now_ns, self._crowd)

    # --- the public stream ----------------------------------------------------------------------

    def publish(self, facts: Iterable[Public]) -> None:
        """It happens at the venue now, to our orders too; whether we hear of it is the weather."""
        for fact in facts:
            self.tell(self.account.public(fact, self.now_ns))
            self.broadcast(fact)

    def broadcast(self, fact: Event) -> None:
        """A public fact sets out to us; on the stream, nothing overtakes."""
        weather = self.weather
        is_book = isinstance(fact, BookDelta | BookSnapshot)
        if not (weather.is_public_silent or (is_book and weather.is_book_silent)):
            self._travel("public", WAY_NS + weather.public_late_ns, fact)

    def _travel(self, way: str, delay_ns: Ns, fact: Event) -> None:
        at_ns = self._ways[way] = max(self.now_ns + delay_ns, self._ways.get(way, 0))
        self.at(at_ns - self.now_ns, self.hear, fact)

    # --- requests and the private stream --------------------------------------------------------

    def tell(self, facts: Iterable[Event]) -> None:
        """The private stream's word on what happened to our orders."""
        if self.weather.is_private_down:
            return
        for fact in facts:
            late_ns = self.weather.fill_late_ns if isinstance(fact, Fill) else 0
            for _ in range(self.weather.times_told):
                if late_ns:
                    self.at(WAY_NS + late_ns, self.hear, fact)
                else:
                    self._travel("private", WAY_NS, fact)

    def _send(self, command: Command) -> None:
        if isinstance(command, Place):
            sent = OrderSent(market=command.market, client_id=command.client_id, at_ns=self.now_ns)
            self.at(0, self.hear, sent)
        weather, is_cancel = self.weather, isinstance(command, Cancel | CancelAll)
        is_lost = (weather.is_request_lost and isinstance(command, Place)) or (
            weather.is_cancel_lost and is_cancel
        )
        if is_lost:
            self.at(TIMEOUT_NS, self._time_out, command)
        else:
            late_ns = weather.request_late_ns if isinstance(command, Place) else 0
            self._hand_over(command, late_ns)

    def _hand_over(self, command: Command, late_ns: Ns) -> None:
        """Requests keep their order on the way, but for one that is late."""
        if late_ns:
            self.at(WAY_NS + late_ns, self._arrive, command)
            return
        at_ns = self._ways["up"] = max(self.now_ns + WAY_NS, self._ways.get("up", 0))
        self.at(at_ns - self.now_ns, self._arrive, command)

    def _arrive(self, command: Command) -> None:
        weather, is_cancel = self.weather, isinstance(command, Cancel | CancelAll)
        refusal = weather.refusal
        if refusal and (isinstance(command, Place) or (is_cancel and refusal.is_of_cancels)):
            self._travel("down", WAY_NS, _failed(command, refusal, self.now_ns))
            return
        if weather.is_filled_first and isinstance(command, Cancel):
            self.fill(command.client_id)
        facts = self.account.execute(command, self.now_ns)
        if weather.is_answer_lost and isinstance(command, Place):
            self.at(TIMEOUT_NS, self._time_out, command)
            return
        for fact in facts:
            for _ in range(weather.times_told):
                self._travel("down", WAY_NS, fact)

    def _time_out(self, command: Command) -> None:
        lost = Refusal(failure=Failure.UNKNOWN, code="timeout", text="no answer in time")
        self.hear(_failed(command, lost, self.now_ns))

    def fill(self, client_id: str) -> None:
        """Somebody trades through this order of ours, if it is open."""
        order = self.account.orders.get(client_id)
        if order is not None and order.is_open:
            side = order.place.side
            self.publish(self.crowd.printed(side, order.place.tick, order.left_lots, self.now_ns))


def _failed(command: Command, refusal: Refusal, now_ns: Ns) -> Event:
    kind: type[OrderFailed | CancelFailed | QueryFailed] = QueryFailed
    if isinstance(command, Place):
        kind = OrderFailed
    elif isinstance(command, Cancel):
        kind = CancelFailed
    return kind(
        market=command.market,
        client_id=getattr(command, "client_id", ""),
        at_ns=now_ns,
        failure=refusal.failure,
        code=refusal.code,
        text=refusal.text,
        retry_after_ns=refusal.retry_after_ns,
    )
