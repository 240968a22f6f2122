"""Damaged depth frames against the kernel: `python -m tests.fuzz_kernel 10000000`.

Whatever the bytes, the kernel either gives up or says exactly what msgspec and the grid say. It
must never crash, which only a process that ends badly can show: tests/asan.sh runs this under
AddressSanitizer. The frames are recorded ones where the recordings are there, else made up here.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from itertools import islice

import msgspec

from adapters.codec.binance_messages import DepthUpdate
from adapters.codec.depth_kernel import IS_COMPILED, DepthReader
from adapters.codec.grid import Grid
from adapters.transport.capture import read_lines
from engine.values.events import BookDelta
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS
from tests.market_data import FOLDER

AT_NS = 7
CORPUS_MAX, LEVELS_KEPT = 300, 6
DATA = b'","data":'
TELLING = b'0123456789.-+eE"[]{},:\\ \x00\x7f\x80\xff'
"""Bytes that mean something to a reader of depth frames."""
TORN = (b'"],["', b'","', b"[]", b"00000000000000000000", b"]", b'[["', b"}}", b',"pu":', b".")


def instrument(symbol: str, price_exponent: int, tick: int, size_exponent: int) -> Instrument:
    return Instrument(
        symbol=symbol, venue="binance", venue_symbol=symbol, base="B", quote="Q",
        price_exponent=price_exponent, tick=tick, size_exponent=size_exponent, lot=1,
        maker_fee_ppm=0, taker_fee_ppm=0,
    )  # fmt: skip


SPOT, FUTURES = instrument("BTCUSDT", 2, 1, 5), instrument("ETHUSD_PERP", 2, 1, 0)
COARSE = instrument("BTTUSDT", 9, 5, 0)


def made_up(market: Instrument, rng: random.Random) -> bytes:
    """A frame as the venue packs it, with prices on the market's grid."""
    data: dict[str, object] = {"e": "depthUpdate", "E": rng.getrandbits(40)}
    is_futures = market is FUTURES
    data |= {"T": 1723161257434} if is_futures else {}
    data |= {"s": market.venue_symbol} | ({"ps": "ETHUSD"} if is_futures else {})
    data |= {"U": rng.getrandbits(40), "u": rng.getrandbits(41)}
    data |= {"pu": rng.getrandbits(40)} if is_futures else {}
    for side in ("b", "a"):
        data[side] = [_level(market, rng) for _ in range(rng.randint(0, 5))]
    frame = {"stream": f"{market.venue_symbol.lower()}@depth@100ms", "data": data}
    is_bare = rng.random() < 0.2
    return json.dumps(data if is_bare else frame, separators=(",", ":")).encode()


def _level(market: Instrument, rng: random.Random) -> list[str]:
    price = market.price_text(rng.randint(1, 10**7))
    lots = rng.choice((0, 1, rng.getrandbits(20), rng.getrandbits(45)))
    size = market.size_text(lots)
    return [price, size + ("000" if "." in size else rng.choice(("", ".", ".000")))]


def corpus(rng: random.Random) -> list[tuple[Instrument, bytes]]:
    names = (("btcusdt_20240808.gz", SPOT), ("ethusd_perp_20240808.gz", FUTURES))
    frames = [(market, made_up(market, rng)) for market in (SPOT, FUTURES, COARSE) * 60]
    for name, market in names:
        path = FOLDER / "binance_wire" / name
        if path.exists():
            depth = (line for _, _, line in read_lines([path]) if b'"depthUpdate"' in line)
            frames += [(market, shortened(frame)) for frame in islice(depth, CORPUS_MAX)]
    return frames


def shortened(frame: bytes) -> bytes:
    """With the first levels of each side only, so that most damage is not in the same place."""
    wrapped = json.loads(frame)
    for side in ("b", "a"):
        wrapped["data"][side] = wrapped["data"][side][:LEVELS_KEPT]
    return json.dumps(wrapped, separators=(",", ":")).encode()


def damaged(frame: bytes, rng: random.Random) -> bytes:
    """One to four acts of damage, from one flipped bit to a torn-out piece."""
    body = bytearray(frame)
    dice = rng.getrandbits(4)
    for _ in range(max(1, dice - 11)):
        draw = rng.getrandbits(64)
        at, act, byte = (draw >> 16) % (len(body) + 1), draw & 7, (draw >> 8) & 255
        span = (draw >> 48) & 15
        if act < 3:
            body[at : at + 1] = TELLING[byte % len(TELLING)].to_bytes(1, "little")
        elif act == 3:
            body[at : at + 1] = (byte,) if at < len(body) else ()
        elif act == 4:
            del body[at : at + span]
        elif act == 5:
            body[at:at] = body[at : at + span]
        elif act == 6:
            body[at:at] = TORN[byte % len(TORN)]
        elif draw >> 60 == 0:
            del body[at:]
        else:
            body[at : at + 1] = b"0123456789"[byte % 10].to_bytes(1, "little")
    return bytes(body)


class Judge:
    """Reads each frame in both ways. Raises AssertionError where the kernel says otherwise."""

    def __init__(self, market: Instrument) -> None:
        self._market = market
        self._reader = DepthReader(market)
        self._grid = Grid(market)
        self._bare = msgspec.json.Decoder(DepthUpdate)
        wrapped = msgspec.defstruct("Wrapped", [("data", DepthUpdate)])
        self._wrapped = msgspec.json.Decoder(wrapped)

    def is_read(self, frame: bytes) -> bool:
        """Did the kernel read it? Then msgspec does, and to the same facts."""
        reader, at = self._reader, max(0, frame.find(DATA))
        delta = reader.read(frame, at, AT_NS)
        if delta is None:
            return False
        if at:
            # The stream's name is not the kernel's to judge, and here it may be damaged.
            frame = b'{"stream":"' + frame[at:]
        message = self._wrapped.decode(frame).data if at else self._bare.decode(frame)
        expected = BookDelta(
            market=self._market.market,
            at_ns=AT_NS,
            venue_ns=message.venue_ms * NS_PER_MS,
            sequence=message.last_id,
            bids=self._grid.levels(message.bids),
            asks=self._grid.levels(message.asks),
        )
        assert (message.event, message.symbol) == ("depthUpdate", self._market.venue_symbol), frame
        assert delta == expected, frame
        ids = (message.first_id, message.previous_id)
        assert (reader.first_id, reader.previous_id) == ids, frame
        return True


def fuzz(count: int, seed: int) -> Iterator[tuple[bytes, bool]]:
    """`count` damaged frames, each judged; the reader of one market sees all of its frames."""
    rng = random.Random(seed)
    frames = corpus(rng)
    judges = {market.symbol: Judge(market) for market in (SPOT, FUTURES, COARSE)}
    for number in range(count):
        market, frame = frames[number % len(frames)]
        broken = damaged(frame, rng)
        yield broken, judges[market.symbol].is_read(broken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    began, read = time.monotonic(), 0
    for number, (_, is_read) in enumerate(fuzz(args.count, args.seed), 1):
        read += is_read
        if number % 1_000_000 == 0:
            print(f"{number:,} frames, {read:,} of them still readable", flush=True)
    form = "compiled" if IS_COMPILED else "interpreted"
    span_s = time.monotonic() - began
    print(
        f"{form}: {args.count:,} frames in {span_s:.1f} s, {read:,} readable, none read otherwise"
    )


if __name__ == "__main__":
    sys.exit(main())
