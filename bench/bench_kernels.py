"""Kernels compiled and interpreted: bytes to best bid and ask, book, features, matching.

A frame holds 20 changed levels a side. All paths take turns in blocks within one run, and the order
turns round each time. Beside ours stand msgspec decoding the same frame to texts and doing nothing
with them, and ccxt.pro's own handling. All books must show the same best prices at the end. Where
no compiler was at install, only the interpreted form is measured.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeAlias

import msgspec

from adapters.codec.binance import BinanceCodec, CodecParams
from adapters.codec.binance_messages import DepthUpdate
from adapters.codec.depth_kernel import DepthReader
from bench.bench_decode import INSTRUMENT, MARKET_ID, Theirs
from bench.harness import Ratio, Timing, arguments, finish, ratio, settle, timing
from bench.kernel_forms import are_compiled, interpreted, kernels
from engine.market.features import FeaturesParams
from engine.sim.matching.terms import NewOrder
from engine.values.events import BookDelta
from engine.values.units import NS_PER_S, Side

LEVELS, BLOCK = 20, 250
FRAMES, FRAMES_QUICK, ORDERS, ORDERS_QUICK = 60_000, 4_000, 60_000, 6_000
STREAM = f"{MARKET_ID.lower()}@depth@100ms"
SNAPSHOT = '{"lastUpdateId":0,"bids":[["1.00","1"]],"asks":[["1000000.00","1"]]}'
COMPILED, INTERPRETED = "compiled", "interpreted"
PARAMS = FeaturesParams(
    volatility_half_life_ns=60 * NS_PER_S,
    volatility_sample_ns=NS_PER_S,
    volatility_warm_up_ns=30 * NS_PER_S,
    flow_half_life_ns=10 * NS_PER_S,
    microprice=None,
)
Act: TypeAlias = Callable[[Any], object]
Forms: TypeAlias = dict[str, dict[str, ModuleType]]


def frames_of(count: int, seed: int = 1) -> list[bytes]:
    """A mid that walks, and each time 20 levels a side that are new or have another size."""
    rng, mid, frames = random.Random(seed), 6_000_000, []
    sizes = [f"{rng.randint(1, 10**6) / 10**5:.8f}" for _ in range(3_000)]
    for step in range(count):
        mid += rng.choice((-1, 0, 0, 0, 1))
        bids = [[f"{(mid - 1 - k) / 100:.8f}", rng.choice(sizes)] for k in range(LEVELS - 1)]
        asks = [[f"{(mid + 1 + k) / 100:.8f}", rng.choice(sizes)] for k in range(LEVELS - 1)]
        bids.append([f"{(mid + 1) / 100:.8f}", "0.00000000"])
        asks.append([f"{(mid - 1) / 100:.8f}", "0.00000000"])
        data = {"e": "depthUpdate", "E": 1723161255208 + step, "s": MARKET_ID, "U": step + 1,
                "u": step + 1, "b": bids, "a": asks}  # fmt: skip
        frames.append(msgspec.json.encode({"stream": STREAM, "data": data}))
    return frames


class Ours:
    """The codec, its proof of continuity and the book, in one form."""

    def __init__(self, form: dict[str, ModuleType], has_kernel: bool) -> None:
        params = CodecParams(is_depth_by_kernel=has_kernel)
        self._codec = BinanceCodec([INSTRUMENT], params=params)
        self.book = form["engine.market.book"].Book()
        self._codec.snapshot(INSTRUMENT.market, SNAPSHOT.encode(), 1)

    def take(self, frame: bytes) -> tuple[int, int]:
        book = self.book
        for event in self._codec.decode(frame, 1):
            if type(event) is BookDelta:
                book.apply_delta(event.bids, event.asks)
        return book.bid_tick, book.ask_tick


def frame_paths(forms: Forms, theirs: Theirs) -> tuple[dict[str, Act], dict[str, Ours]]:
    ours = {name: Ours(form, name == COMPILED) for name, form in forms.items()}
    wrapped = msgspec.defstruct("Wrapped", [("data", DepthUpdate)])
    paths: dict[str, Act] = {f"frame: {name}": each.take for name, each in ours.items()}
    paths["frame: msgspec decoding alone"] = msgspec.json.Decoder(wrapped).decode
    paths["frame: ccxt.pro"] = theirs.take
    if COMPILED in forms:
        reader, at = DepthReader(INSTRUMENT), len('{"stream":"') + len(STREAM)
        paths["frame to ticks: compiled kernel"] = lambda frame: reader.read(frame, at, 1)
    return paths, ours


def in_turn(
    paths: dict[str, Act], inputs: dict[str, Sequence[Any]], spans: dict[str, list[int]]
) -> None:
    """Every path over its inputs, in blocks, the order of paths turning round each time."""
    clock, names = time.perf_counter_ns, list(paths)
    for at in range(0, max(map(len, inputs.values())), BLOCK):
        settle()
        for name in names:
            act, taken = paths[name], spans[name]
            for each in inputs[name][at : at + BLOCK]:
                start = clock()
                act(each)
                taken.append(clock() - start)
        names.reverse()


async def measure_frames(forms: Forms, count: int, spans: dict[str, list[int]]) -> None:
    frames = frames_of(count)
    theirs = Theirs()
    paths, ours = frame_paths(forms, theirs)
    texts = [frame.decode() for frame in frames]
    theirs.take(texts[0])
    theirs.snapshot(SNAPSHOT)
    inputs = {name: texts if name.endswith("ccxt.pro") else frames for name in paths}
    in_turn(paths, inputs, spans)
    await theirs.close()
    tops = {(each.book.bid_tick / 100, each.book.ask_tick / 100) for each in ours.values()}
    if tops != {theirs.top()}:
        raise SystemExit(f"the books differ: {tops} and {theirs.top()}")


def measure_book(forms: Forms, count: int, spans: dict[str, list[int]]) -> None:
    """What `Quoter` asks of a message once it is read: apply it, then feel it."""
    codec = BinanceCodec([INSTRUMENT])
    codec.snapshot(INSTRUMENT.market, SNAPSHOT.encode(), 1)
    events = [e for frame in frames_of(count, seed=2) for e in codec.decode(frame, 1)]
    deltas = [event for event in events if type(event) is BookDelta]
    apply, feel = {}, {}
    for name, form in forms.items():
        book = form["engine.market.book"].Book()
        features = form["engine.market.features"].Features(PARAMS)
        apply[f"apply: {name}"] = _applying(book)
        feel[f"apply and feel: {name}"] = _feeling(form["engine.market.book"].Book(), features)
    in_turn(apply | feel, dict.fromkeys(apply | feel, deltas), spans)


def _applying(book: Any) -> Act:
    return lambda delta: book.apply_delta(delta.bids, delta.asks)


def _feeling(book: Any, features: Any) -> Act:
    def feel(delta: BookDelta) -> None:
        book.apply_delta(delta.bids, delta.asks)
        features.on_book(book, delta.sequence * NS_PER_S // 10)

    return feel


def orders_of(count: int) -> list[NewOrder]:
    """Limit orders around one price, of which about a third trade at once."""
    rng = random.Random(3)
    sides = [rng.choice((Side.BUY, Side.SELL)) for _ in range(count)]
    return [
        NewOrder(
            order_id=number,
            owner=f"trader {number % 50}",
            side=side,
            tick=1_000 + rng.randint(-20, 20) - 5 * side.sign,
            lots=rng.randint(1, 100),
        )
        for number, side in enumerate(sides, 1)
    ]


def measure_matching(forms: Forms, count: int, spans: dict[str, list[int]]) -> None:
    orders, books, paths = orders_of(count), {}, {}
    for name, form in forms.items():
        books[name] = form["engine.sim.matching.book"].MatchingBook()
        paths[f"match: {name}"] = books[name].submit
    in_turn(paths, dict.fromkeys(paths, orders), spans)
    if len({repr(book) for book in books.values()}) != 1:
        raise SystemExit(f"the books differ: {books}")


RATIOS = (
    ("frame: compiled", "frame: msgspec decoding alone", 1.5),
    ("frame: compiled", "frame: ccxt.pro", 0.1),
    ("frame: interpreted", "frame: ccxt.pro", 1.0),
    ("frame: compiled", "frame: interpreted", 0.0),
    ("apply: compiled", "apply: interpreted", 0.0),
    ("apply and feel: compiled", "apply and feel: interpreted", 0.0),
    ("match: compiled", "match: interpreted", 0.0),
)


def ratios_of(timings: dict[str, Timing]) -> list[Ratio]:
    return [
        ratio(f"{ours} / {theirs.partition(': ')[2]}", timings[ours], timings[theirs], at_most)
        for ours, theirs, at_most in RATIOS
        if ours in timings and theirs in timings
    ]


def main() -> None:
    args = arguments(__doc__ or "")
    frames, orders = (FRAMES_QUICK, ORDERS_QUICK) if args.quick else (FRAMES, ORDERS)
    forms: Forms = {INTERPRETED: interpreted()}
    if are_compiled():
        compiled = {name: __import__(name, fromlist=["_"]) for name in kernels()}
        forms = {COMPILED: compiled} | forms
    spans: dict[str, list[int]] = defaultdict(list)
    asyncio.run(measure_frames(forms, frames, spans))
    measure_book(forms, frames, spans)
    measure_matching(forms, orders, spans)
    timings = {name: timing(name, taken) for name, taken in spans.items()}
    facts: dict[str, object] = {"forms": ", ".join(forms), "levels a side": LEVELS}
    finish(list(timings.values()), facts, as_json=args.json, ratios=ratios_of(timings))


if __name__ == "__main__":
    main()
