"""Opens a venue through ccxt: the gateway at once, the feed when the instruments are known."""

from adapters.ccxt_pro.bars import recent
from adapters.ccxt_pro.gateway import CcxtGateway, PrivateStream
from adapters.ccxt_pro.options import VenueOptions
from adapters.ccxt_pro.private import ParsedPrivate
from adapters.ccxt_pro.session import Session
from adapters.ccxt_pro.snapshot_feed import SnapshotFeed
from adapters.ccxt_pro.user_stream import UserStream
from adapters.ccxt_pro.verified_feed import VerifiedFeed
from adapters.codec.binance_bars import Row
from adapters.codec.binance_user import BinanceUserCodec
from adapters.common.bars import NO_BARS, Spans
from adapters.common.client_ids import ClientIds
from adapters.common.keys import Keys
from engine.values.errors import UserError
from engine.values.events import Grade
from engine.values.instrument import Instrument
from engine.values.ports import Clock, Feed
from engine.values.units import Ns

OPTIONS = VenueOptions
CODECS = ("binance",)
"""Exchange ids whose raw frames we read and prove ourselves."""


class Venue:
    """One venue: `gateway.instruments(...)` first, then `feed(...)`, then run both."""

    def __init__(self, options: VenueOptions, clock: Clock, keys: Keys | None) -> None:
        self.options = options
        self._clock = clock
        self._session = Session(options, clock, keys)
        client_ids = ClientIds()
        private: PrivateStream
        if options.exchange in CODECS:
            private = UserStream(self._session, client_ids, BinanceUserCodec)
        else:
            private = ParsedPrivate(self._session, client_ids)
        self.gateway = CcxtGateway(self._session, client_ids, private)

    @property
    def grade(self) -> Grade:
        """What the feed can vouch for: never better than asked, never better than we can."""
        return self.options.grade if self.options.exchange in CODECS else Grade.SNAPSHOT

    def feed(self, instruments: list[Instrument], bars: Spans = NO_BARS) -> Feed:
        """The public feed of these markets, which `gateway.instruments` has returned before.

        `bars` names the spans whose bars are wanted, by market. Raises UserError for others than
        the venue has, and for any at snapshot grade: ccxt's parsed candles do not say which have
        closed.
        """
        if self.grade is Grade.VERIFIED:
            return VerifiedFeed(self._session, instruments, bars)
        if any(bars.values()):
            name = self.options.name
            raise UserError(f"venue {name}: bars need a feed of verified grade, this is snapshot")
        # Its own exchange object: whatever ccxt connects there is public, and knows no key.
        twin = Session(self.options, self._clock, None)
        twin.limits = self._session.limits
        return SnapshotFeed(twin, instruments)

    async def recent_bars(self, symbol: str, span_ns: Ns, count: int) -> list[Row]:
        """The last bars, oldest first, the forming one last. Raises VenueError and UserError."""
        return await recent(self._session, symbol, span_ns, count)


def open_venue(options: VenueOptions, clock: Clock, keys: Keys | None) -> Venue:
    """What `adapter = "ccxt"` in the config stands for. Imports the one exchange it needs."""
    return Venue(options, clock, keys)
