"""Opens Binance natively: no ccxt on this path."""

from adapters.codec.binance_bars import Row
from adapters.common.bars import NO_BARS, Spans
from adapters.common.keys import Keys
from adapters.native.bars import recent
from adapters.native.feed import NativeFeed
from adapters.native.gateway import NativeGateway
from adapters.native.options import NativeOptions
from adapters.native.session import Session
from engine.values.events import Grade
from engine.values.instrument import Instrument
from engine.values.ports import Clock, Feed
from engine.values.units import Ns

OPTIONS = NativeOptions


class NativeVenue:
    """One venue: `gateway.instruments(...)` first, then `feed(...)`, then run both."""

    grade = Grade.VERIFIED

    def __init__(self, options: NativeOptions, clock: Clock, keys: Keys | None) -> None:
        self.options = options
        self._session = Session(options, clock, keys)
        self.gateway = NativeGateway(self._session)

    def feed(self, instruments: list[Instrument], bars: Spans = NO_BARS) -> Feed:
        """The public feed of these markets, which `gateway.instruments` has returned before.

        `bars` names the spans whose bars are wanted, by market. Raises UserError for others than
        the venue has.
        """
        return NativeFeed(self._session, instruments, bars)

    async def recent_bars(self, symbol: str, span_ns: Ns, count: int) -> list[Row]:
        """The last bars, oldest first, the forming one last. Raises VenueError and UserError."""
        return await recent(self._session, symbol, span_ns, count)


def open_venue(options: NativeOptions, clock: Clock, keys: Keys | None) -> NativeVenue:
    """What `adapter = "native"` in the config stands for."""
    return NativeVenue(options, clock, keys)
