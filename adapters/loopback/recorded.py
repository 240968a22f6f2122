"""A recorded market: its frames move a shadow book in which our own orders queue."""

from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from adapters.loopback.config import MONEY_EXPONENT, SymbolSpec
from adapters.loopback.exchange import Exchange
from adapters.loopback.klines import PublicTrade
from adapters.loopback.market import Market
from engine.sim.matching.queue import Power
from engine.sim.matching.shadow import ShadowBook
from engine.sim.matching.terms import Match, Outcome
from engine.values.errors import UserError
from engine.values.units import Levels, Lot, Ns, Side, Tick, scaled

Lines = Callable[[], Iterator[tuple[Ns, bytes]]]
Rows = list[tuple[str, str]]
_SURVEY_LINES = 200_000
_QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "BTC", "ETH", "BNB", "EUR", "TRY")
_OWN_TRADE_IDS_FROM = 10**15


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A capture to serve. `lines` opens it from its start; `speed` 0 is as fast as clients take."""

    lines: Lines
    speed: float = 1.0


class Envelope(msgspec.Struct, frozen=True):
    """A line of a combined stream, or a REST snapshot, which has no stream."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    lastUpdateId: int = 0


class Depth(msgspec.Struct, frozen=True):
    U: int
    u: int
    b: Rows
    a: Rows


class Snapshot(msgspec.Struct, frozen=True):
    lastUpdateId: int
    bids: Rows
    asks: Rows


class Traded(msgspec.Struct, frozen=True):
    t: int
    p: str
    q: str
    T: int
    m: bool


class Shown(msgspec.Struct, frozen=True):
    """A frame to send again, its payload byte for byte as it was recorded."""

    stream: str
    payload: bytes


def shadow_book() -> ShadowBook:
    """Cancels in front of us and behind us in the proportion in which both are there."""
    return ShadowBook(Power(1.0))


class RecordedMarket:
    """Applies the capture of one symbol to its market. Malformed lines raise UserError."""

    def __init__(self, exchange: Exchange, symbol: str) -> None:
        self._exchange = exchange
        self._market: Market = exchange.markets[symbol]
        book = self._market.book
        assert isinstance(book, ShadowBook), f"{symbol} is not recorded"
        self._book = book
        self._has_book = False
        self._prefix = f"{symbol.lower()}@"
        self._depth = msgspec.json.Decoder(Depth)
        self._traded = msgspec.json.Decoder(Traded)
        self._envelope = msgspec.json.Decoder(Envelope)
        self._market.start_trade_ids(_OWN_TRADE_IDS_FROM)

    def open(self, lines: Lines) -> None:
        """Start from the first snapshot of the capture, so that there is a book from the start."""
        snapshot = survey(lines).snapshot
        if snapshot is None:
            return
        bids, asks = self._levels(snapshot.bids), self._levels(snapshot.asks)
        self._book.apply_public(bids, asks, replace=True)
        self._market.update_id = snapshot.lastUpdateId
        self._market.restart_windows()
        self._has_book = True

    def apply(self, frame: bytes, now_ns: Ns) -> Shown | None:
        """What is to be sent again after this line, and its effect on the book and our orders."""
        try:
            envelope = self._envelope.decode(frame)
            if not envelope.stream.startswith(self._prefix):
                return None
            payload = bytes(envelope.data)
            self._follow(envelope.stream, payload, now_ns)
        except (msgspec.MsgspecError, ValueError) as error:
            raise UserError(f"--capture: a frame cannot be read: {error}") from error
        return Shown(envelope.stream, payload)

    def _follow(self, stream: str, payload: bytes, now_ns: Ns) -> None:
        kind = stream.removeprefix(self._prefix)
        if kind.startswith("depth"):
            self._apply_depth(kind, self._depth.decode(payload), now_ns)
        elif kind == "trade":
            self._apply_trade(self._traded.decode(payload), now_ns)

    def _apply_depth(self, kind: str, depth: Depth, now_ns: Ns) -> None:
        market = self._market
        if depth.u <= market.update_id and self._has_book:
            return
        bids, asks = self._levels(depth.b), self._levels(depth.a)
        self._has_book = True
        market.update_id = depth.u
        matches = self._book.apply_public(bids, asks, replace=False)
        self._settle(matches, now_ns)
        market.derive_depth(kind, (bids, asks), now_ns)

    def _apply_trade(self, traded: Traded, now_ns: Ns) -> None:
        tick, lots = self._tick(traded.p), self._lots(traded.q)
        seen = PublicTrade(
            trade_id=traded.t,
            tick=tick,
            lots=lots,
            quote_atoms=self._market.scale.quote_atoms(tick, lots),
            at_ms=traded.T,
            is_buyer_maker=traded.m,
        )
        self._market.print_trade(seen)
        self._market.derive_aggregate(seen)
        side = Side.SELL if traded.m else Side.BUY
        self._settle(self._book.public_trade(tick, lots, side), now_ns)

    def _settle(self, matches: tuple[Match, ...], now_ns: Ns) -> None:
        if matches:
            self._exchange.settlement.settle(self._market, Outcome(matches=matches), now_ns)

    def _levels(self, rows: Rows) -> Levels:
        return [(self._tick(price), self._lots(size)) for price, size in rows]

    def _tick(self, text: str) -> Tick:
        return self._market.instrument.ticks(text)

    def _lots(self, text: str) -> Lot:
        """A size finer than a lot is cut in the shadow book; what is sent stays as it was."""
        fine = scaled(text, MONEY_EXPONENT)
        return max(fine // self._market.scale.lot_atoms, 1) if fine else 0


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a look through a capture found: its symbols, first snapshot and finest decimals."""

    symbols: list[str]
    snapshot: Snapshot | None
    price_exponent: int
    size_exponent: int


def survey(lines: Lines) -> Survey:
    """Look at the first lines of a capture. Raises UserError where one is not of this venue."""
    depth, snapshots = msgspec.json.Decoder(Depth), msgspec.json.Decoder(Snapshot)
    envelopes = msgspec.json.Decoder(Envelope)
    symbols: dict[str, None] = {}
    snapshot: Snapshot | None = None
    prices: list[int] = [0]
    sizes: list[int] = [0]
    try:
        for _, frame in islice(lines(), _SURVEY_LINES):
            envelope = envelopes.decode(frame)
            rows: Rows = []
            if envelope.stream:
                symbols[envelope.stream.partition("@")[0].upper()] = None
            if "@depth" in envelope.stream:
                update = depth.decode(envelope.data)
                rows = update.b + update.a
            elif envelope.lastUpdateId and snapshot is None:
                snapshot = snapshots.decode(frame)
                rows = snapshot.bids + snapshot.asks
            prices.append(max((_decimals(price) for price, _ in rows), default=0))
            sizes.append(max((_decimals(size) for _, size in rows), default=0))
    except msgspec.MsgspecError as error:
        raise UserError(f"--capture: not a capture of Binance spot: {error}") from error
    return Survey(
        symbols=list(symbols),
        snapshot=snapshot,
        price_exponent=max(prices),
        size_exponent=max(sizes),
    )


def surveyed_spec(symbol: str, found: Survey, like: SymbolSpec) -> SymbolSpec:
    """Tick and lot as fine as the capture, which may be finer than the venue's own: old orders.

    Everything else is like the other symbol. Raises UserError for a quote asset nobody knows.
    """
    quote = next((q for q in _QUOTES if symbol.endswith(q) and symbol != q), "")
    if not quote:
        raise UserError(f"--symbols {symbol}: the quote asset is none of {', '.join(_QUOTES)}")
    exponent = min(found.price_exponent, MONEY_EXPONENT)
    return msgspec.structs.replace(
        like,
        symbol=symbol,
        base=symbol.removesuffix(quote),
        quote=quote,
        price_exponent=exponent,
        size_exponent=min(found.size_exponent, MONEY_EXPONENT - exponent),
        tick=1,
        lot=1,
        tick_max=10**12,
        lots_max=10**13,
    )


def _decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))
