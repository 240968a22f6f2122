"""Frame to book: our codec, continuity and book beside ccxt's own path, on the same frames.

Both get the text that the websocket hands over and end with an updated order book. They take turns
in blocks within one run, so that a busy machine is busy for both; which one goes first alternates.
At the end both must show the same best prices, or the numbers are worth nothing.
"""

import asyncio
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import ccxt.pro
import msgspec

from adapters.codec.binance import BinanceCodec
from adapters.transport.capture import read_lines
from bench.harness import Timing, arguments, finish, settle, timing
from engine.market.book import Book
from engine.values.events import BookDelta, BookSnapshot
from engine.values.instrument import Instrument

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("MARKET_DATA") or ROOT.parent / "shared" / "data") / "binance_wire"
FILES = ("btcusdt_20240808.gz", "btcusdt_20240809.gz")
ROUNDS, ROUNDS_QUICK, FRAMES_QUICK, BLOCK = 3, 1, 8_000, 500
SYMBOL, MARKET_ID = "BTC/USDT", "BTCUSDT"
INSTRUMENT = Instrument(
    symbol=SYMBOL, venue="binance", venue_symbol=MARKET_ID, base="BTC", quote="USDT",
    price_exponent=2, tick=1, size_exponent=5, lot=1, maker_fee_ppm=1_000, taker_fee_ppm=1_000,
)  # fmt: skip

Frame = tuple[str, str]
"""Its type, and its text as the websocket gives it."""
Spans = dict[str, list[int]]


class Ours:
    name = "ballast"

    def __init__(self) -> None:
        self._codec = BinanceCodec([INSTRUMENT])
        self._book = Book()

    def take(self, text: str) -> None:
        for event in self._codec.decode(text.encode(), 1):
            if type(event) is BookDelta:
                self._book.apply_delta(event.bids, event.asks)
            elif type(event) is BookSnapshot:
                self._book.apply_snapshot(event.bids, event.asks)

    snapshot = take

    def top(self) -> tuple[float, float]:
        return self._book.bid_tick / 100, self._book.ask_tick / 100


class Theirs:
    """ccxt.pro's websocket client and `handle_message`; only the REST answer is handed in."""

    name = "ccxt.pro"

    def __init__(self) -> None:
        self._exchange: Any = ccxt.pro.binance()
        self._exchange.set_markets([_ccxt_market(self._exchange)])
        self._client: Any = self._exchange.client("wss://stream.binance.com:9443/stream")
        self._exchange.orderbooks[SYMBOL] = self._exchange.order_book({}, 1_000)
        self._exchange.orderbooks[SYMBOL].cache = []

    def take(self, text: str) -> None:
        self._client.handle_text_or_binary_message(text)

    def snapshot(self, text: str) -> None:
        rest = msgspec.json.decode(text)
        parsed = self._exchange.parse_order_book(rest, SYMBOL)
        parsed["nonce"] = rest["lastUpdateId"]

        async def answer(*_: object) -> object:
            return parsed

        self._exchange.fetch_rest_order_book_safe = answer
        run = self._exchange.fetch_order_book_snapshot(self._client, None, {"symbol": SYMBOL})
        with_no_wait(run)

    async def close(self) -> None:
        await self._exchange.close()

    def top(self) -> tuple[float, float]:
        book = self._exchange.orderbooks[SYMBOL]
        return book["bids"][0][0], book["asks"][0][0]


def with_no_wait(coroutine: Any) -> None:
    """Run to its end a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("it waited")


def _ccxt_market(exchange: Any) -> Any:
    fields = {
        "id": MARKET_ID, "lowercaseId": MARKET_ID.lower(), "symbol": SYMBOL, "base": "BTC",
        "quote": "USDT", "baseId": "BTC", "quoteId": "USDT", "type": "spot", "spot": True,
        "swap": False, "future": False, "option": False, "contract": False, "inverse": None,
        "linear": None, "active": True,
        "precision": {"price": 0.01, "amount": 0.00001},
    }  # fmt: skip
    return exchange.safe_market_structure(fields)


def kind_of(text: str) -> str:
    if text.startswith('{"lastUpdateId"'):
        return "snapshot"
    name = text[11:60].partition('"')[0].partition("@")[2]
    return {"depth@100ms": "depth", "bookTicker": "bookTicker", "trade": "trade"}.get(name, "other")


def recorded(count: int | None) -> list[Frame]:
    """The first `count` frames of the capture, all of them for None."""
    paths = [FOLDER / name for name in FILES]
    if not all(path.exists() for path in paths):
        return []
    texts = (frame.decode() for _, _, frame in islice(read_lines(paths), count))
    return [(kind_of(text), text) for text in texts]


def synthetic(count: int) -> list[Frame]:
    """A stand-in market of the same shape where the recording is absent."""
    rng = random.Random(1)
    price, update_id, trade_id = 6_000_000, 1_000, 1
    frames: list[Frame] = []
    for step in range(count):
        price += rng.choice((-1, 0, 1))
        if step == 2:
            rows = [[[f"{(price + s * i) / 100:.8f}", "1.00000000"] for i in range(1, 1_001)]
                    for s in (-1, 1)]  # fmt: skip
            whole = {"lastUpdateId": update_id, "bids": rows[0], "asks": rows[1]}
            frames.append(("snapshot", _packed(whole)))
        draw = rng.random()
        if draw < 0.07 or step < 4:
            first, update_id = update_id + 1, update_id + rng.randint(1, 30)
            bids, asks = (_changes(price, side, rng) for side in (-1, 1))
            data = {"e": "depthUpdate", "E": step, "s": MARKET_ID, "U": first, "u": update_id,
                    "b": bids, "a": asks}  # fmt: skip
            frames.append(("depth", _packed({"stream": "btcusdt@depth@100ms", "data": data})))
        elif draw < 0.8:
            bid, ask = f"{price / 100:.8f}", f"{(price + 1) / 100:.8f}"
            data = {"u": update_id, "s": MARKET_ID, "b": bid, "B": "1.50000000", "a": ask,
                    "A": "2.00000000"}  # fmt: skip
            frames.append(("bookTicker", _packed({"stream": "btcusdt@bookTicker", "data": data})))
        else:
            trade_id += 1
            data = {"e": "trade", "E": step, "s": MARKET_ID, "t": trade_id, "T": step, "m": True,
                    "p": f"{price / 100:.8f}", "q": "0.01000000", "M": True}  # fmt: skip
            frames.append(("trade", _packed({"stream": "btcusdt@trade", "data": data})))
    return frames


def _changes(price: int, sign: int, rng: random.Random) -> list[list[str]]:
    ticks = {price + sign * (1 + int(rng.expovariate(0.01))) for _ in range(23)}
    return [[f"{t / 100:.8f}", f"{rng.choice((0, 0.5, 1.25)):.8f}"] for t in sorted(ticks)]


def _packed(value: object) -> str:
    return msgspec.json.encode(value).decode()


def run_block(path: Ours | Theirs, frames: list[Frame], spans: Spans) -> None:
    clock = time.perf_counter_ns
    for kind, text in frames:
        take = path.snapshot if kind == "snapshot" else path.take
        start = clock()
        take(text)
        spans[kind].append(clock() - start)


async def measure(frames: list[Frame], rounds: int, tell: Callable[[str], None]) -> list[Spans]:
    """Both paths over all frames, `rounds` times from scratch, in alternating blocks."""
    ours_spans, theirs_spans = defaultdict(list), defaultdict(list)
    for number in range(rounds):
        ours, theirs = Ours(), Theirs()
        pair = [(ours, ours_spans), (theirs, theirs_spans)]
        for at in range(0, len(frames), BLOCK):
            settle()
            for path, spans in pair:
                run_block(path, frames[at : at + BLOCK], spans)
            pair.reverse()
        await theirs.close()
        tell(f"round {number + 1} of {rounds}: both end at {ours.top()}")
        if ours.top() != theirs.top():
            raise SystemExit(f"the books differ: {ours.top()} and {theirs.top()}")
    return [ours_spans, theirs_spans]


def main() -> None:
    args = arguments(__doc__ or "")
    frames = recorded(FRAMES_QUICK if args.quick else None)
    source = "recorded BTCUSDT spot wire"
    if not frames:
        frames, source = synthetic(FRAMES_QUICK), "frames made up here: the recording is absent"
    rounds = ROUNDS_QUICK if args.quick else ROUNDS
    tell = lambda text: print(text, file=sys.stderr)  # noqa: E731
    ours, theirs = asyncio.run(measure(frames, rounds, tell))
    timings: list[Timing] = []
    facts: dict[str, object] = {"frames": source}
    for kind in ("depth", "bookTicker", "trade", "all"):
        pair = [_spans_of(each, kind) for each in (ours, theirs)]
        rows = [timing(f"{kind}: {name}", spans) for name, spans in
                zip((Ours.name, Theirs.name), pair, strict=True)]  # fmt: skip
        timings += rows
        facts[f"{kind}: ccxt / ours, medians"] = round(rows[1].p50 / rows[0].p50, 2)
        facts[f"{kind}: ccxt / ours, totals"] = round(sum(pair[1]) / sum(pair[0]), 2)
    finish(timings, facts, as_json=args.json)


def _spans_of(spans: Spans, kind: str) -> list[int]:
    return [span for each in spans.values() for span in each] if kind == "all" else spans[kind]


if __name__ == "__main__":
    main()
