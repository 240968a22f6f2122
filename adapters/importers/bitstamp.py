"""A Bitstamp log: `<ms> order_created|order_changed|order_deleted|trade|order_book <json>`.

The order rows are lossy, the top-20 books are not: each of those is a whole BookSnapshot. A trade
names no side. Where two orders have just lost exactly what was traded, the younger one (the greater
id) took; where the log lost one of them, a price at or beyond a side of the last book tells.
"""

from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from adapters.importers.books import best_first
from adapters.importers.faults import Faults
from adapters.importers.grid import Decimals, Grid, instrument_of
from adapters.importers.imported import Imported, Targets, moment, text_lines
from engine.values.events import BookSnapshot, Event, Grade, Trade
from engine.values.instrument import Instrument
from engine.values.units import BUY, NS_PER_MS, SELL, Ns, Side

SYMBOL, VENUE = "BTC-USD", "bitstamp"
KINDS = ("order_created", "order_changed", "order_deleted", "trade", "order_book")
RECENT_MS = 2_000
RECENT_MAX = 50
ORDERS_MAX = 200_000
NOTES = [
    "books are top-20 snapshots of the venue; its order rows are lossy and only tell who took",
    "no time of the venue in books and trades, no sequence: books are numbered from 1",
    "the file names no market: it is taken to be BTC-USD",
]


class _Order(msgspec.Struct, frozen=True):
    id: int
    amount: str
    order_type: int


class _Trade(msgspec.Struct, frozen=True):
    id: int
    price: msgspec.Raw
    amount: msgspec.Raw


class _Book(msgspec.Struct, frozen=True):
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class _Shrunk(msgspec.Struct, frozen=True):
    """An order that lost so many lots."""

    at_ms: int
    id: int
    side: Side
    lots: int


def is_bitstamp(line: str) -> bool:
    stamp, _, rest = line.partition(" ")
    return stamp.isdigit() and rest.partition(" ")[0] in KINDS


def open_bitstamp(path: Path) -> Imported:
    """One log. It is read twice: first for its decimals. Raises UserError."""
    found = Decimals()
    for _, line in text_lines(path):
        for price, size in _told(line):
            found.see(price, size)
    return Imported(
        kind="bitstamp log",
        files=[path],
        instruments=[instrument_of(SYMBOL, VENUE, (found.price, max(found.size, 8)))],
        facts=partial(_facts, path),
        notes=NOTES,
    )


def _told(line: str) -> list[tuple[str, str]]:
    """Prices and sizes of a line; one that cannot be read says nothing. A trade's size is noisy."""
    _, kind, body = _parts(line)
    try:
        if kind == "order_book":
            book = msgspec.json.decode(body, type=_Book)
            return [*book.bids, *book.asks]
        if kind == "trade":
            return [(_text(msgspec.json.decode(body, type=_Trade).price), "0")]
    except (msgspec.MsgspecError, ValueError):
        pass
    return []


def _parts(line: str) -> tuple[str, str, str]:
    stamp, _, rest = line.partition(" ")
    kind, _, body = rest.partition(" ")
    return stamp, kind, body


def _facts(path: Path, faults: Faults, targets: Targets) -> Iterator[Event]:
    target = targets.get(f"{SYMBOL}@{VENUE}")
    if target is None:
        return
    log = _Log(target, faults)
    for number, line in text_lines(path):
        faults.rows += 1
        try:
            fact = log.read(*_parts(line))
        except (msgspec.MsgspecError, ValueError) as error:
            faults.note(path, number, error)
            continue
        if fact is not None:
            yield fact


class _Log:
    def __init__(self, target: Instrument, faults: Faults) -> None:
        self._market = target.market
        self._grid = Grid(target.price_exponent, target.size_exponent)
        self._faults = faults
        self._lots: dict[int, int] = {}
        self._shrunk: deque[_Shrunk] = deque(maxlen=RECENT_MAX)
        self._best: tuple[int, int] = (0, 0)
        self._books = 0
        self._orders = msgspec.json.Decoder(_Order)
        self._trades = msgspec.json.Decoder(_Trade)
        self._tops = msgspec.json.Decoder(_Book)

    def read(self, stamp: str, kind: str, body: str) -> Event | None:
        """Raises ValueError for what is no row of this log."""
        if not stamp.isdigit() or kind not in KINDS:
            raise ValueError(f"not `<ms> <kind> <json>`: {stamp[:20]} {kind[:20]}")
        at_ms = moment(int(stamp) * NS_PER_MS) // NS_PER_MS
        if kind == "order_book":
            return self._book(self._tops.decode(body), at_ms * NS_PER_MS)
        if kind == "trade":
            return self._trade(self._trades.decode(body), at_ms)
        self._order(kind, self._orders.decode(body), at_ms)
        return None

    def _book(self, book: _Book, at_ns: Ns) -> Event:
        bids, asks = (
            best_first([(self._grid.tick(p), self._grid.lots(s)) for p, s in rows], side)
            for rows, side in ((book.bids, BUY), (book.asks, SELL))
        )
        self._best = (bids[0][0] if bids else 0, asks[0][0] if asks else 0)
        self._books += 1
        return BookSnapshot(
            market=self._market,
            at_ns=at_ns,
            sequence=self._books,
            bids=bids,
            asks=asks,
            grade=Grade.SNAPSHOT,
        )

    def _order(self, kind: str, order: _Order, at_ms: int) -> None:
        """Whoever is deleted with an amount left was cancelled; with none, filled."""
        self._faults.passed_over["order rows"] += 1
        lots, before = self._grid.lots(order.amount), self._lots.pop(order.id, None)
        if kind != "order_created" and before is not None and (kind == "order_changed" or not lots):
            side = BUY if order.order_type == 0 else SELL
            self._shrunk.append(_Shrunk(at_ms, order.id, side, before - lots))
        if kind != "order_deleted" and len(self._lots) < ORDERS_MAX:
            self._lots[order.id] = lots

    def _trade(self, trade: _Trade, at_ms: int) -> Event | None:
        tick, lots = (self._grid.tick(_text(trade.price)), self._grid.lots(_text(trade.amount)))
        aggressor = self._aggressor(tick, lots, at_ms)
        if aggressor is None:
            self._faults.passed_over["trades without a side"] += 1
            return None
        return Trade(
            market=self._market,
            at_ns=at_ms * NS_PER_MS,
            trade_id=trade.id,
            tick=tick,
            lots=lots,
            aggressor=aggressor,
        )

    def _aggressor(self, tick: int, lots: int, at_ms: int) -> Side | None:
        young: dict[Side, int] = {}
        for each in self._shrunk:
            if each.lots == lots and at_ms - each.at_ms < RECENT_MS:
                young[each.side] = max(each.id, young.get(each.side, 0))
        if len(young) == 2:
            return BUY if young[BUY] > young[SELL] else SELL
        bid, ask = self._best
        if ask and tick >= ask:
            return BUY
        return SELL if bid and tick <= bid else None


def _text(raw: msgspec.Raw) -> str:
    """A JSON number as it is written: never by way of a float."""
    return bytes(raw).decode().strip('"')
