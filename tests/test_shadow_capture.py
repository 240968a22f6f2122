"""Our orders beside a real recording: it stays itself, and our fills stay within its volume."""

import gzip
import json
import os
from pathlib import Path

import pytest

from engine.sim.matching.queue import Power
from engine.sim.matching.shadow import ShadowBook
from engine.sim.matching.terms import Kind, NewOrder
from engine.values.units import Side, scaled

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MARKET_DATA", ROOT.parent / "shared" / "data")) / "binance_wire"
DAYS = [DATA / f"btcusdt_2024080{day}.gz" for day in (8, 9)]
# A few levels of this recording are finer than the market's step of five decimals.
PRICE_DECIMALS, SIZE_DECIMALS = 2, 8
QUOTE_LOTS = 1_000_000

pytestmark = pytest.mark.skipif(
    not all(day.exists() for day in DAYS), reason="the recorded BTCUSDT pair is not here"
)


def frames():
    for day in DAYS:
        with gzip.open(day, "rt") as lines:
            for line in lines:
                frame = json.loads(line.split(" ", 1)[1])
                yield frame.get("stream", "@snapshot").split("@")[1], frame.get("data", frame)


def levels(rows):
    return [(scaled(price, PRICE_DECIMALS), scaled(size, SIZE_DECIMALS)) for price, size in rows]


class Quoter:
    """Keeps one order a side at the recorded touch."""

    def __init__(self, book):
        self.book, self.last_id = book, 0

    def quote(self):
        bid, _, ask, _ = self.book.top()
        wanted = {Side.BUY: bid, Side.SELL: ask}
        for resting in self.book.orders_of("me"):
            if resting.tick != wanted[resting.side]:
                self.book.cancel(resting.order_id)
        kept = [resting.side for resting in self.book.orders_of("me")]
        for side in (side for side in Side if side not in kept):
            self.last_id += 1
            new = NewOrder(
                order_id=self.last_id,
                owner="me",
                side=side,
                tick=wanted[side],
                lots=QUOTE_LOTS,
                kind=Kind.LIMIT_MAKER,
            )
            assert self.book.submit(new).rested_lots == QUOTE_LOTS


def top_of(ticker):
    ((bid, bid_lots),) = levels([(ticker["b"], ticker["B"])])
    ((ask, ask_lots),) = levels([(ticker["a"], ticker["A"])])
    return bid, bid_lots, ask, ask_lots


def test_a_recording_stays_itself_while_we_trade_beside_it():
    book = ShadowBook(Power(2))
    quoter = Quoter(book)
    tops, early, last = {}, [], 0
    compared = fills = 0
    for kind, data in frames():
        matches = ()
        if kind == "snapshot":
            book.apply_public(levels(data["bids"]), levels(data["asks"]), True)
            last = data["lastUpdateId"]
            for each in early:
                if each["u"] > last:
                    book.apply_public(levels(each["b"]), levels(each["a"]), False)
                    last = each["u"]
        elif kind == "bookTicker":
            tops[data["u"]] = top_of(data)
        elif kind == "depth" and not last:
            early.append(data)
        elif kind == "depth" and data["u"] > last:
            matches = book.apply_public(levels(data["b"]), levels(data["a"]), False)
            last = data["u"]
            if last in tops:
                assert book.top() == tops[last]
                compared += 1
            quoter.quote()
        elif kind == "trade" and last:
            ((tick, lots),) = levels([(data["p"], data["q"])])
            matches = book.public_trade(tick, lots, Side.SELL if data["m"] else Side.BUY)
            assert sum(match.lots for match in matches) <= lots
        fills += len(matches)
    book.check()
    assert compared == 1072
    assert fills > 100
