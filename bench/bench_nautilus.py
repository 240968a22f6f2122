"""Depth frame to book: ballast beside nautilus_trader's own schema, parser and Rust book.

Only where nautilus_trader is installed; it is never a dependency. BENCH_PEERS may name the
site-packages of another environment of the same Python, which are then looked into last. Both get
the recorded depth frames in alternating blocks and must end at the same best prices. Nautilus's
message bus, data engine and cache, through which a live frame also passes, are not in it: its
orders cannot be measured here, since its Binance client wants the listen keys that the venue no
longer has.
"""

import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import msgspec

from bench.bench_decode import BLOCK, Ours, recorded, synthetic
from bench.harness import arguments, finish, ratio, settle, timing

FRAMES, FRAMES_QUICK = 150_000, 8_000
PEER = "nautilus_trader"


class Nautilus:
    """What its Binance data client does with a depth frame, then the book."""

    def __init__(self) -> None:
        from nautilus_trader.adapters.binance.common.schemas.market import (
            BinanceDepth,
            BinanceOrderBookMsg,
        )
        from nautilus_trader.model.book import OrderBook
        from nautilus_trader.model.enums import BookType
        from nautilus_trader.model.identifiers import InstrumentId

        self._id = InstrumentId.from_str("BTCUSDT.BINANCE")
        self._book = OrderBook(self._id, BookType.L2_MBP)
        self._frame: Any = msgspec.json.Decoder(BinanceOrderBookMsg)
        self._whole: Any = msgspec.json.Decoder(BinanceDepth)

    def snapshot(self, text: str) -> None:
        found = self._whole.decode(text.encode())
        deltas = found.parse_to_order_book_snapshot(instrument_id=self._id, ts_init=1)
        self._book.apply_deltas(deltas)

    def take(self, text: str) -> None:
        data = self._frame.decode(text.encode()).data
        deltas = data.parse_to_order_book_deltas(instrument_id=self._id, ts_init=1)
        self._book.apply_deltas(deltas)

    def top(self) -> tuple[float, float]:
        best = self._book.best_bid_price(), self._book.best_ask_price()
        return round(float(best[0]), 2), round(float(best[1]), 2)


def depth_frames(count: int) -> tuple[str, list[str]]:
    """The capture's first snapshot, and the depth frames that follow from it."""
    frames = recorded(count) or synthetic(count)
    at = next(n for n, (kind, _) in enumerate(frames) if kind == "snapshot")
    last_id = msgspec.json.decode(frames[at][1])["lastUpdateId"]
    texts = [text for kind, text in frames if kind == "depth"]
    return frames[at][1], [t for t in texts if msgspec.json.decode(t)["data"]["u"] > last_id]


def measured(
    snapshot: str, texts: list[str], paths: list[Any]
) -> tuple[list[list[int]], list[tuple[float, float]]]:
    spans: list[list[int]] = [[] for _ in paths]
    for path in paths:
        path.snapshot(snapshot)
    order = list(zip(paths, spans, strict=True))
    for at in range(0, len(texts), BLOCK):
        settle()
        for path, kept in order:
            kept += block(path.take, texts[at : at + BLOCK])
        order.reverse()
    return spans, [path.top() for path in paths]


def block(take: Callable[[str], None], texts: list[str]) -> list[int]:
    clock, spans = time.perf_counter_ns, []
    for text in texts:
        began_ns = clock()
        take(text)
        spans.append(clock() - began_ns)
    return spans


def main() -> None:
    chosen = arguments(__doc__ or "")
    if os.environ.get("BENCH_PEERS"):
        sys.path.append(os.environ["BENCH_PEERS"])
    if find_spec(PEER) is None:
        finish([], {PEER: "not installed here"}, as_json=chosen.json)
        return
    snapshot, texts = depth_frames(FRAMES_QUICK if chosen.quick else FRAMES)
    spans, tops = measured(snapshot, texts, [Ours(), Nautilus()])
    if tops[0] != tops[1]:
        raise SystemExit(f"the books differ: {tops}")
    ours, theirs = timing("depth: ballast", spans[0]), timing(f"depth: {PEER}", spans[1])
    ratios = [ratio(f"depth: ours / {PEER}", ours, theirs)]
    finish([ours, theirs], {PEER: version(PEER)}, as_json=chosen.json, ratios=ratios)


if __name__ == "__main__":
    main()
