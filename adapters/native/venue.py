"""Opens Binance natively: no ccxt on this path."""

from adapters.common.keys import Keys
from adapters.native.feed import NativeFeed
from adapters.native.gateway import NativeGateway
from adapters.native.options import NativeOptions
from adapters.native.session import Session
from engine.values.events import Grade
from engine.values.instrument import Instrument
from engine.values.ports import Clock, Feed

OPTIONS = NativeOptions


class NativeVenue:
    """One venue: `gateway.instruments(...)` first, then `feed(...)`, then run both."""

    grade = Grade.VERIFIED

    def __init__(self, options: NativeOptions, clock: Clock, keys: Keys | None) -> None:
        self.options = options
        self._session = Session(options, clock, keys)
        self.gateway = NativeGateway(self._session)

    def feed(self, instruments: list[Instrument]) -> Feed:
        """The public feed of these markets, which `gateway.instruments` has returned before."""
        return NativeFeed(self._session, instruments)


def open_venue(options: NativeOptions, clock: Clock, keys: Keys | None) -> NativeVenue:
    """What `adapter = "native"` in the config stands for."""
    return NativeVenue(options, clock, keys)
