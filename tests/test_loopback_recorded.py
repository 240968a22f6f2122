"""A recorded market served again: verbatim frames, a book that fits them, fills of our own."""

import asyncio
import json
from itertools import count

import aiohttp
import pytest

from adapters.loopback.config import btc_usdt
from adapters.loopback.keys import new_hmac
from adapters.loopback.recorded import Recording, survey, surveyed_spec
from adapters.loopback.venue import LoopbackVenue
from adapters.transport.capture import read_lines
from engine.values.errors import UserError
from tests.loopback_builders import asked, config, heard, http, received, signed, socket
from tests.market_data import spot_wire
from tests.patience import in_time, until

STREAMS = "btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@trade"


def depth(first, last, bids=(), asks=()):
    data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last,
            "b": [list(row) for row in bids], "a": [list(row) for row in asks]}  # fmt: skip
    return json.dumps({"stream": "btcusdt@depth@100ms", "data": data}).encode()


def trade(number, price, size, is_buyer_maker):
    data = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": number, "p": price, "q": size, "T": 2,
            "m": is_buyer_maker, "M": True}  # fmt: skip
    return json.dumps({"stream": "btcusdt@trade", "data": data}).encode()


SNAPSHOT = json.dumps(
    {
        "lastUpdateId": 10,
        "bids": [["100.00000000", "1.00000000"], ["99.50000000", "2.00000000"]],
        "asks": [["101.00000000", "1.00000000"]],
    }
).encode()


def small_capture(gap_ns=20_000_000):
    """Frames from before the snapshot, then a trade that goes through the bid at 100."""
    frames = [
        depth(8, 9, [("98.00000000", "1.00000000")]),
        SNAPSHOT,
        depth(9, 12, [("100.00000000", "1.50000000")]),
        *[depth(n, n, asks=[("102.00000000", f"{n}.00000000")]) for n in range(13, 40)],
        trade(501, "99.90000000", "3.00000000", True),
        depth(40, 41, [("100.00000000", "0.00000000")]),
    ]
    return [(n * gap_ns, frame) for n, frame in enumerate(frames, 1)]


class Served:
    def __init__(self, lines, speed):
        found = survey(lines)
        self.pair = new_hmac("alice")
        spec = surveyed_spec("BTCUSDT", found, btc_usdt())
        settings = config([self.pair.key])
        self.venue = LoopbackVenue(
            type(settings)(
                symbols=[spec],
                keys=settings.keys,
                balances={"alice": {"BTC": 10**9, "USDT": 10**13}},
            ),
            {"BTCUSDT": Recording(lines=lines, speed=speed)},
            ids=count(1).__next__,
        )

    async def __aenter__(self):
        await self.venue.start()
        return self.venue, self.pair

    async def __aexit__(self, *_):
        await self.venue.stop()
        self.venue.exchange.check()


async def test_frames_are_served_byte_for_byte_and_nothing_before_somebody_listens():
    lines = small_capture()
    async with Served(lambda: iter(lines), 0) as (venue, pair), http(venue, pair) as rest:
        await asyncio.sleep(0.1)
        assert venue.replays["BTCUSDT"].lines == 0
        async with socket(venue, f"/stream?streams={STREAMS}") as ws:
            await rest.bare("GET", "/api/v3/depth?symbol=BTCUSDT")
            wanted = [frame for _, frame in lines if frame is not SNAPSHOT]
            texts = [(await heard(ws)).data.encode() for _ in wanted]
        assert [json.loads(t) for t in texts] == [json.loads(f) for f in wanted]
        assert texts[0].endswith(json.dumps(json.loads(wanted[0])["data"]).encode() + b"}")


async def test_the_book_of_the_recording_is_there_before_its_first_frame():
    lines = small_capture()
    async with Served(lambda: iter(lines), 1) as (venue, pair), http(venue, pair) as rest:
        _, _, book = await rest.bare("GET", "/api/v3/depth?symbol=BTCUSDT")
        assert book["lastUpdateId"] == 10
        assert book["bids"][0] == ["100.00000000", "1.00000000"]


async def test_an_order_of_ours_is_filled_by_the_recording_and_never_shown_in_it():
    lines = small_capture()
    async with (
        Served(lambda: iter(lines), 1) as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, "/ws-api/v3") as private,
    ):
        await asked(private, "userDataStream.subscribe.signature", params=signed(pair))
        status, _, placed = await rest.ask(
            "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="LIMIT_MAKER",
            price="100.00", quantity="0.10000", newClientOrderId="mine",
        )  # fmt: skip
        assert status == 200
        await received(private)
        await received(private)
        _, _, book = await rest.bare("GET", "/api/v3/depth?symbol=BTCUSDT")
        assert book["bids"][0] == ["100.00000000", "1.00000000"]
        async with socket(venue, f"/stream?streams={STREAMS}"):
            report = (await received(private))["event"]
        assert (report["x"], report["X"], report["c"]) == ("TRADE", "FILLED", "mine")
        assert (report["L"], report["l"], report["m"]) == ("100.00000000", "0.10000000", True)
        trades = (await rest.bare("GET", "/api/v3/trades?symbol=BTCUSDT"))[2]
        assert [row["id"] for row in trades] == [501]
        assert placed["orderId"] == report["i"]


async def test_real_time_takes_its_time_and_a_factor_takes_less():
    lines = small_capture()
    loop = asyncio.get_running_loop()
    spent = []
    for speed in (1, 0):
        async with (
            Served(lambda: iter(lines), speed) as (venue, pair),
            http(venue, pair) as rest,
            socket(venue, f"/stream?streams={STREAMS}"),
        ):
            start = loop.time()
            await rest.bare("GET", "/api/v3/depth?symbol=BTCUSDT")
            async with in_time("the end of the replay"):
                await venue.replays["BTCUSDT"].done.wait()
            spent.append(loop.time() - start)
    assert spent[0] > 0.55
    assert spent[1] < spent[0]


def test_a_capture_of_something_else_is_refused():
    with pytest.raises(UserError, match="--capture"):
        survey(lambda: iter([(1, b"not json")]))
    with pytest.raises(UserError, match="quote asset"):
        surveyed_spec("NONESUCH", survey(lambda: iter([(1, SNAPSHOT)])), btc_usdt())


class Rebuilt:
    """A client's book, held against the tickers at equal update id."""

    def __init__(self, snapshot):
        self.last = snapshot["lastUpdateId"]
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        self.tickers = {}
        self.gaps = self.compared = self.matched = 0

    def ticker(self, data):
        self.tickers[data["u"]] = data

    def depth(self, data):
        if data["u"] <= self.last:
            return
        self.gaps += data["U"] > self.last + 1
        self.last = data["u"]
        for name, side in self.sides.items():
            for price, size in data[name]:
                side.pop(price, None)
                if float(size):
                    side[price] = size
        if self.last in self.tickers:
            shown = self.tickers[self.last]
            bid, ask = max(self.sides["b"], key=float), min(self.sides["a"], key=float)
            self.compared += 1
            self.matched += (bid, self.sides["b"][bid], ask, self.sides["a"][ask]) == (
                shown["b"], shown["B"], shown["a"], shown["A"],
            )  # fmt: skip
        self.tickers = {u: t for u, t in self.tickers.items() if u > self.last}


@pytest.mark.slow
async def test_the_real_recording_arrives_whole_and_makes_the_right_book():
    paths = spot_wire()

    def lines():
        return ((at_ns, frame) for _, at_ns, frame in read_lines(paths))

    async with (
        Served(lines, 0) as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, f"/stream?streams={STREAMS}") as ws,
    ):
        frames, book = 0, None
        while frames < 99_573:
            message = await heard(ws)
            if message.type is aiohttp.WSMsgType.PING:
                continue
            assert message.type is aiohttp.WSMsgType.TEXT
            frames += 1
            if frames == 5:
                _, _, snapshot = await rest.bare("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000")
                book = Rebuilt(snapshot)
            shown = json.loads(message.data)
            if book is not None and "@bookTicker" in shown["stream"]:
                book.ticker(shown["data"])
            elif book is not None and "@depth" in shown["stream"]:
                book.depth(shown["data"])
        await until(venue.replays["BTCUSDT"].done.is_set)
        assert book is not None
        assert book.gaps == 0
        assert book.matched == book.compared > 1_000
        top = venue.exchange.market("BTCUSDT").book.top()
        assert venue.exchange.market("BTCUSDT").scale.price_text(top[0]) == max(
            book.sides["b"], key=float
        )
