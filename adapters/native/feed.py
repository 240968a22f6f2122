"""The public feed over picows: one connection for all markets, the next before the last.

Verified grade: our codec proves the continuity of raw frames (law 7). Ids of updates are the
venue's, not the connection's, so one codec lives on from connection to connection.
"""

import asyncio
from collections.abc import Callable

import msgspec

from adapters.codec.binance import BinanceCodec
from adapters.codec.binance_bars import is_kline
from adapters.common.backoff import Backoff
from adapters.common.bars import NO_BARS, BarFeed, Spans
from adapters.common.market_streams import (
    LOOK_EVERY_S,
    SUBSCRIBED_S_MAX,
    Heard,
    hear_reply,
    snapshot_cost,
    stream_names,
    subscribe_request,
)
from adapters.common.pulse import LinkLost, Pulse
from adapters.common.wire import DEPTH as DEPTH_STREAM
from adapters.common.wire import LOST, PUBLIC, Wire, stream
from adapters.native.bars import bar_feed
from adapters.native.calls import DEPTH
from adapters.native.handover import Handover
from adapters.native.lane import SHUTDOWN, SHUTDOWN_BYTES_MAX, Lane
from adapters.native.link import Link, Tap, ignore
from adapters.native.session import Params, Session
from engine.values.errors import UserError, VenueError
from engine.values.events import Stream
from engine.values.instrument import Instrument
from engine.values.ports import Inbox
from engine.values.units import NS_PER_S, Ns

STREAMS_MAX = 1024
STREAMS_PER_MESSAGE = 100
MESSAGE_EVERY_S = 0.35
"""With a ping of ours a second and now and then a pong, this stays below five messages a second."""
QUIET_S = 10.0
"""After so long a market in which nothing moves no longer holds up its handover."""
HANDOVER_S_MAX = 60.0


class NativeFeed:
    """Binance spot. All markets share one connection at a time, and so one life.

    `wire` hears every frame that the codec is given, where it was set before `run`.
    Raises UserError for bars that the venue does not have, and for more than one connection.
    """

    def __init__(
        self, session: Session, instruments: list[Instrument], bars: Spans = NO_BARS
    ) -> None:
        self._session = session
        self._instruments = {item.market: item for item in instruments}
        self._codec = BinanceCodec(instruments)
        self._bars = bar_feed(session, instruments, bars)
        self._names = stream_names(instruments)
        self._backoff = Backoff(session.clock, session.limits.connects)
        self.handovers = 0
        self.wire: Wire | None = None
        self._current: _Ear | None = None
        if len(self._names) + len(self._bars.names) > STREAMS_MAX:
            raise UserError(f"{session.venue}: one connection carries {STREAMS_MAX} streams")

    async def run(self, inbox: Inbox) -> None:
        await self._backoff.repeat(lambda: self._live(inbox))

    async def _live(self, inbox: Inbox) -> None:
        """From one connection to the loss of sight, over as many as hand over to each other."""
        hear = _decoding(self._codec, self._bars, inbox)
        if self.wire is not None:
            hear = _heard_by(self.wire, stream(PUBLIC, self._session.venue), hear)
        ear = self._current = self._ear(inbox, hear)
        try:
            await ear.lane.open()
            inbox.put(ear.pulse.connected())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._snapshots(inbox, ear), name="snapshots")
                tasks.create_task(self._history(inbox, ear), name="bars")
                while True:
                    await ear.lane.until_due()
                    old, ear = ear, await self._follow(ear, inbox, hear)
                    self._current = ear
                    await old.lane.close()
        except* LinkLost:
            pass
        finally:
            ear.pulse.fail("stopped")
            self._bars.disconnected()
            now_ns = self._session.clock.now_ns()
            if self.wire is not None:
                self.wire(now_ns, stream(LOST, self._session.venue), ear.pulse.reason.encode())
            for fact in self._codec.disconnected(now_ns):
                inbox.put(fact)
            inbox.put(ear.pulse.disconnected())
            await ear.lane.close()

    def _ear(self, inbox: Inbox, hear: Tap) -> "_Ear":
        session = self._session
        pulse = Pulse(session.venue, Stream.PUBLIC, session.clock)
        # The streams are asked for by SUBSCRIBE, so that the address stays the same.
        link = Link(session.options.url("ws.spot"), pulse, session.clock)
        link.on_pong = lambda at_ns: inbox.put(pulse.alive(at_ns))
        return _Ear(Lane(link, session.options.connection_life_s), hear)

    # --- handover -------------------------------------------------------------------------------

    async def _follow(self, old: "_Ear", inbox: Inbox, hear: Tap) -> "_Ear":
        """A connection that brings what `old` brings, heard instead of it from here on."""
        try:
            new, handover = await old.lane.followed_by(lambda: self._prepare(old, inbox, hear))
        finally:
            old.hear = hear
        # Nothing is awaited between the last frame of the old and the first of the new.
        old.hear, new.hear = ignore, hear
        now_ns = self._session.clock.now_ns()
        for frame in handover.rest():
            hear(frame, now_ns)
        self.handovers += 1
        return new

    async def _prepare(self, old: "_Ear", inbox: Inbox, hear: Tap) -> "tuple[_Ear, Handover]":
        await self._backoff.ready()
        handover = Handover(
            {
                book.instrument.venue_symbol: book.sequence
                for book in self._codec.books.values()
                if book.is_synced
            }
        )
        new = self._ear(inbox, lambda frame, at_ns: handover.saw_new(frame))
        is_proved = False
        old.hear = _both(hear, handover.saw_old)
        try:
            await new.lane.open()
            await new.subscribe([*self._names, *self._bars.names])
            await self._prove(new, handover)
            is_proved = True
        finally:
            if not is_proved:
                old.hear = hear
                await new.lane.close()
        return new, handover

    async def _prove(self, new: "_Ear", handover: Handover) -> None:
        """Return when the new connection goes on where the old one is. Raises LinkLost."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while not new.pulse.lost.is_set():
            waited_s = loop.time() - began_s
            is_quiet = waited_s > QUIET_S and handover.is_proved_where_anything_moved
            if handover.is_proved or is_quiet:
                return
            if waited_s > HANDOVER_S_MAX or handover.is_too_much:
                raise LinkLost("the new connection does not go on where the old one is")
            await asyncio.sleep(LOOK_EVERY_S)
        raise LinkLost(new.pulse.reason)

    # --- snapshots ------------------------------------------------------------------------------

    async def _snapshots(self, inbox: Inbox, first: "_Ear") -> None:
        """Fetch whatever snapshot the codec finds due; it doubles the wait after each."""
        await first.subscribe(self._names)
        while True:
            for market in self._codec.snapshots_due(self._session.clock.now_ns()):
                await self._snapshot(inbox, market)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _snapshot(self, inbox: Inbox, market: str) -> None:
        session, limit = self._session, self._session.options.snapshot_limit
        asked: Params = {"symbol": self._instruments[market].venue_symbol, "limit": limit}
        self._codec.snapshot_asked(market, session.clock.now_ns())
        try:
            body = await session.ask(DEPTH, asked, snapshot_cost(limit))
        except VenueError as error:
            # The codec will find it due again, later each time; a rate limit asks for more.
            await asyncio.sleep(min(error.retry_after_ns, 10 * NS_PER_S) / NS_PER_S)
            return
        now_ns = session.clock.now_ns()
        if self.wire is not None:
            self.wire(now_ns, stream(DEPTH_STREAM, market), body)
        for fact in self._codec.snapshot(market, body, now_ns):
            inbox.put(fact)

    # --- bars -----------------------------------------------------------------------------------

    async def _history(self, inbox: Inbox, first: "_Ear") -> None:
        """Bars come after books: their streams too, or the first snapshot would wait for them."""

        async def subscribe() -> None:
            try:
                if self._current is first:
                    await first.subscribe(self._bars.names)
            except LinkLost:
                if self._current is first:
                    raise
                # Its successor has subscribed to everything.

        books = self._codec.books.values()
        await self._bars.run(inbox, lambda: all(book.is_synced for book in books), subscribe)


class _Ear:
    """One public connection: the venue's words about it are for us, all else goes to `hear`."""

    def __init__(self, lane: Lane, hear: Tap) -> None:
        self.lane = lane
        self.pulse = lane.link.pulse
        self.hear = hear
        self._number = 0
        self._answered = asyncio.Event()
        lane.link.tap = self._take

    async def subscribe(self, names: list[str]) -> None:
        """Message by message, each after the answer to the last. Raises LinkLost."""
        for start in range(0, len(names), STREAMS_PER_MESSAGE):
            if start:
                await asyncio.sleep(MESSAGE_EVERY_S)
            self._number += 1
            self._answered.clear()
            request = subscribe_request(names[start : start + STREAMS_PER_MESSAGE], self._number)
            try:
                async with asyncio.timeout(SUBSCRIBED_S_MAX):
                    self.lane.link.send(msgspec.json.encode(request))
                    await self._answered.wait()
            except TimeoutError:
                self.pulse.fail("could not subscribe: TimeoutError")
        if self.pulse.lost.is_set():
            raise LinkLost(self.pulse.reason)

    def _take(self, frame: bytes, at_ns: Ns) -> None:
        if len(frame) < SHUTDOWN_BYTES_MAX:
            self._hear_control(frame)
        self.hear(frame, at_ns)

    def _hear_control(self, frame: bytes) -> None:
        if SHUTDOWN in frame:
            self.lane.retire()
        if self._number and not self._answered.is_set():
            heard = hear_reply(frame, self._number)
            if heard is Heard.REFUSED:
                self.pulse.fail("subscription refused")
            if heard is not Heard.NOTHING:
                self._answered.set()


def _decoding(codec: BinanceCodec, bars: BarFeed, inbox: Inbox) -> Tap:
    """The way of every frame, with nothing to look up on it."""
    decode, put = codec.decode, inbox.put

    def hear_both(frame: bytes, at_ns: Ns) -> None:
        if is_kline(frame):
            bars.hear(frame, at_ns, inbox)
        else:
            hear(frame, at_ns)

    def hear(frame: bytes, at_ns: Ns) -> None:
        for fact in decode(frame, at_ns):
            put(fact)

    return hear_both if bars.names else hear


def _heard_by(wire: Wire, name: str, hear: Tap) -> Tap:
    def tell_and_hear(frame: bytes, at_ns: Ns) -> None:
        wire(at_ns, name, frame)
        hear(frame, at_ns)

    return tell_and_hear


def _both(hear: Tap, note: Callable[[bytes], None]) -> Tap:
    def hear_and_note(frame: bytes, at_ns: Ns) -> None:
        hear(frame, at_ns)
        note(frame)

    return hear_and_note
