"""The compiled kernels and their sources are one thing: equal on made-up and on recorded data."""

import ast
import os
import random
from itertools import islice
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.codec.binance import BinanceCodec, CodecParams
from adapters.codec.continuity import Dialect
from adapters.transport.capture import read_lines
from bench.kernel_forms import are_compiled, interpreted, is_compiled, kernels, source_of
from engine.market import book as book_module
from engine.market import features as features_module
from engine.runtime.doctor import INSTALL_S, KERNELS
from engine.sim.matching import book as matching_module
from engine.sim.matching.terms import Kind, NewOrder, SelfTrade, TimeInForce
from engine.values.events import BookDelta, BookSnapshot, Event
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Side
from tests.fuzz_kernel import COARSE, FUTURES, SPOT, Judge, damaged, fuzz, made_up
from tests.market_data import futures_wire, spot_wire

SOURCES = interpreted()
WANTED = os.environ.get("BALLAST_KERNELS", "")
COMPILED_ONLY = pytest.mark.skipif(
    not are_compiled(), reason="the kernels run interpreted here: there is no other form"
)
TICKS, LOTS = st.integers(1, 60), st.integers(0, 3)
LEVELS = st.lists(st.tuples(TICKS, LOTS), max_size=12)
PARAMS = features_module.FeaturesParams(
    volatility_half_life_ns=7 * NS_PER_S,
    volatility_sample_ns=NS_PER_S // 3,
    volatility_warm_up_ns=2 * NS_PER_S,
    flow_half_life_ns=3 * NS_PER_S,
    microprice=None,
)


@pytest.mark.skipif(not WANTED, reason="BALLAST_KERNELS names no form")
def test_the_form_that_was_asked_for_is_the_one_that_runs():
    assert [is_compiled(name) for name in kernels()] == [WANTED == "compiled"] * len(kernels())


def test_doctor_looks_at_every_kernel_that_is_built():
    assert sorted(KERNELS) == sorted(kernels())


@pytest.mark.parametrize("kernel", kernels())
def test_a_kernel_runs_without_cython(kernel):
    """Types stand beside the source, or are left out: the source imports nothing of Cython."""
    names = [
        name
        for node in ast.walk(ast.parse(source_of(kernel).read_text()))
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
    ]
    assert not [name for name in names if name.lower().startswith("cython")]
    types = source_of(kernel).with_suffix(".pxd")
    assert types.exists() or "annotation_typing=False" in source_of(kernel).read_text()
    assert str(SOURCES[kernel].__file__).endswith(".py")


@pytest.mark.parametrize("kernel", kernels())
def test_a_compiled_kernel_is_not_older_than_its_source(kernel):
    """Else every other test here tests the code of yesterday: reinstall."""
    if not is_compiled(kernel):
        pytest.skip("the kernel runs interpreted here")
    built = os.stat(str(__import__(kernel, fromlist=["x"]).__file__)).st_mtime
    types = source_of(kernel).with_suffix(".pxd")
    for source in (source_of(kernel), types) if types.exists() else (source_of(kernel),):
        assert source.stat().st_mtime <= built + INSTALL_S, f"run: pip install -e . ({source})"


# --- book and features ----------------------------------------------------------------------------


class Watched:
    """A book and its features of one form, and everything that they say."""

    def __init__(self, books: ModuleType, features: ModuleType) -> None:
        self.book = books.Book(levels_max=40)
        self.features = features.Features(PARAMS)

    def take(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]], at_ns: int) -> None:
        self.book.apply_delta(bids, asks)
        self.features.on_book(self.book, at_ns)

    def says(self, at_ns: int) -> list[object]:
        book, features = self.book, self.features
        book.check()
        view = book.without({(Side.BUY, book.bid_tick): 2})
        sides = [
            (shown.levels(side, 99), shown.depth_within(side, 700), shown.walk(side, 9))
            for shown in (book, view)
            for side in Side
        ]
        numbers = (
            features.mid, features.microprice, features.imbalance, features.order_flow_last,
            features.order_flow(at_ns), features.trade_flow(at_ns), features.trade_volume(at_ns),
            features.volatility_ticks(at_ns), features.volatility_bps(at_ns),
        )  # fmt: skip
        tops = (book.bid_tick, book.bid_lots, book.ask_tick, book.ask_lots, view.bid_tick)
        return [sides, numbers, tops, repr(book), repr(view), book.is_crossed()]


def both_forms() -> tuple[Watched, Watched]:
    books, features = SOURCES["engine.market.book"], SOURCES["engine.market.features"]
    return Watched(book_module, features_module), Watched(books, features)


@COMPILED_ONLY
@given(st.lists(st.tuples(LEVELS, LEVELS, st.integers(0, 2 * NS_PER_S), LOTS), max_size=30))
@settings(max_examples=80, deadline=None)
def test_book_and_features_say_the_same_in_both_forms(messages):
    first, second = both_forms()
    at_ns = 1
    for bids, asks, span_ns, traded in messages:
        at_ns += span_ns
        for form in (first, second):
            form.take(bids, asks, at_ns)
            form.features.on_trade(Side.BUY if traded % 2 else Side.SELL, traded, at_ns)
        assert first.says(at_ns) == second.says(at_ns)


@COMPILED_ONLY
@pytest.mark.parametrize("odd", [None, 7, [(1, 2, 3)], [5]])
def test_a_book_refuses_the_same_nonsense_in_both_forms(odd):
    raised = []
    for form in both_forms():
        with pytest.raises((TypeError, ValueError)) as caught:
            form.book.apply_snapshot(odd, [])
        raised.append(caught.type)
    assert raised[0] is raised[1]


# --- matching -------------------------------------------------------------------------------------


def acts(seed: int, count: int) -> list[object]:
    rng = random.Random(seed)
    found: list[object] = []
    for order_id in range(1, count + 1):
        kind = rng.choice((*[Kind.LIMIT] * 8, Kind.LIMIT_MAKER, Kind.MARKET))
        order = NewOrder(
            order_id=order_id,
            owner=rng.choice("abc"),
            side=rng.choice(list(Side)),
            tick=0 if kind is Kind.MARKET else rng.randint(90, 110),
            lots=rng.randint(1, 9),
            kind=kind,
            tif=rng.choice((*[TimeInForce.GTC] * 5, *TimeInForce)),
            self_trade=rng.choice(list(SelfTrade)),
        )
        found += [order, rng.randint(1, order_id)] if rng.random() < 0.4 else [order]
    return found


@COMPILED_ONLY
@pytest.mark.parametrize("seed", range(8))
def test_matching_has_the_same_outcomes_in_both_forms(seed):
    """Orders, cancels of any order, and reductions, each with all that it leads to."""
    first = matching_module.MatchingBook()
    second = SOURCES["engine.sim.matching.book"].MatchingBook()
    for act in acts(seed, 400):
        if isinstance(act, NewOrder):
            assert first.submit(act) == second.submit(act)
        else:
            assert first.cancel(act) == second.cancel(act)
        assert first.take_changes() == second.take_changes()
        assert (first.top(), len(first), repr(first)) == (second.top(), len(second), repr(second))
    for owner in "abc":
        assert first.orders_of(owner) == second.orders_of(owner)
    first.check()
    second.check()


# --- depth frames ---------------------------------------------------------------------------------


def codec_pair(market: Instrument, dialect: Dialect) -> tuple[BinanceCodec, BinanceCodec]:
    """The same codec with the kernel and without it, whatever form runs."""
    first, second = (
        BinanceCodec([market], dialect, CodecParams(is_depth_by_kernel=has_kernel))
        for has_kernel in (True, False)
    )
    return first, second


def state_of(codec: BinanceCodec) -> list[object]:
    books = [
        (book.is_synced, book.sequence, book.losses, book.gaps, book.snapshot_due_ns)
        for book in codec.books.values()
    ]
    return [books, codec.counts, codec.level_changes]


@given(seed=st.integers(0, 2**32), market=st.sampled_from([SPOT, FUTURES, COARSE]))
@settings(max_examples=150, deadline=None)
def test_the_codec_says_the_same_of_any_frame_with_the_kernel_and_without(seed, market):
    rng = random.Random(seed)
    dialect = Dialect.FUTURES if market is FUTURES else Dialect.SPOT
    first, second = codec_pair(market, dialect)
    for at_ns in range(1, 12):
        frame = made_up(market, rng)
        if at_ns % 3:
            frame = damaged(frame, rng)
        assert first.decode(frame, at_ns) == second.decode(frame, at_ns), frame
        assert state_of(first) == state_of(second), frame


TEXTS = [
    ("1.00", "1"), ("1", "0"), ("1.", "0.000010000"), ("0.01", "0.000001"), ("0.00", "1"),
    (".01", "1"), ("1.001", "1"), ("1.00", "-1"), ("1.00", ""), ("", "1"), ("1.0.0", "1"),
    ("1e3", "1"), (" 1", "1"), ("00001.00", "00"), ("1.00", "9999999999999999999"),
    ("9999999999999999.00", "1"), ("99999999999999999.00", "1"), ("1.00", "1" + "0" * 70),
    ("1." + "0" * 47, "1"), ("1." + "0" * 60, "1"), ("1." + "0" * 55 + "1", "0." + "0" * 30 + "1"),
    ("\\u0031.00", "1"), ("1.00", "1\\n"), ("٣", "1"), ("1.00", "NaN"),
]  # fmt: skip


@pytest.mark.parametrize(("price", "size"), TEXTS)
def test_an_odd_decimal_is_read_as_the_grid_reads_it(price, size):
    level = f'["{price}","{size}"]'
    frame = (
        '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT",'
        f'"U":1,"u":2,"b":[["5","5"],{level}],"a":[{level}]}}}}'
    ).encode()
    Judge(SPOT).is_read(frame)
    first, second = codec_pair(SPOT, Dialect.SPOT)
    snapshot = b'{"lastUpdateId":1,"bids":[],"asks":[]}'
    market = SPOT.market
    assert first.snapshot(market, snapshot, 1) == second.snapshot(market, snapshot, 1)
    assert first.decode(frame, 2) == second.decode(frame, 2)
    assert state_of(first) == state_of(second)


@pytest.mark.parametrize(
    "change", [{"tick": 10**18}, {"price_exponent": 18}, {"size_exponent": 40}]
)
def test_a_market_beyond_64_bits_is_left_to_the_general_way(change):
    reader = Judge(
        Instrument(**{name: getattr(SPOT, name) for name in SPOT.__struct_fields__} | change)
    )
    assert not reader.is_read(made_up(SPOT, random.Random(1)))


def test_every_length_of_a_frame_is_read_or_refused_to_its_end():
    """A frame cut anywhere is not read, and one byte more than the whole is not read either."""
    rng, judge = random.Random(4), Judge(FUTURES)
    frame = made_up(FUTURES, rng)
    assert judge.is_read(frame)
    assert not any(judge.is_read(frame[:end]) for end in range(len(frame)))
    assert not judge.is_read(frame + b" ")


def test_a_hundred_thousand_damaged_frames_are_read_rightly_or_not_at_all():
    read = [is_read for _, is_read in fuzz(100_000, seed=3)]
    assert 5_000 < sum(read) < 95_000


@COMPILED_ONLY
def test_both_forms_of_the_kernel_read_the_same_damaged_frames():
    source = SOURCES["adapters.codec.depth_kernel"].DepthReader
    readers = {market.symbol: (Judge(market), source(market)) for market in (SPOT, FUTURES, COARSE)}
    rng = random.Random(8)
    for number in range(3_000):
        market = (SPOT, FUTURES, COARSE)[number % 3]
        judge, reader = readers[market.symbol]
        frame = damaged(made_up(market, rng), rng)
        at = max(0, frame.find(b'","data":'))
        is_read = reader.read(frame, at, 1) is not None
        assert judge.is_read(frame) is is_read, frame


# --- recorded data --------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", Dialect)
def test_recorded_frames_are_the_same_facts_with_the_kernel_and_without(dialect):
    is_spot = dialect is Dialect.SPOT
    paths, market = (spot_wire(), SPOT) if is_spot else (futures_wire(), FUTURES)
    first, second = codec_pair(market, dialect)
    reads = depth = 0
    for number, at_ns, frame in islice(read_lines(paths), 40_000 if is_spot else 20_000):
        events = first.decode(frame, at_ns)
        assert events == second.decode(frame, at_ns), number
        if b'"depthUpdate"' in frame:
            depth += 1
            reader = first.books[market.market].reader
            reads += reader.read(frame, frame.find(b'","data":'), at_ns) is not None
    assert state_of(first) == state_of(second)
    assert depth > 1_000
    assert reads == depth, "the kernel knows every frame that the venue sent"


@pytest.mark.parametrize("dialect", Dialect)
def test_recorded_frames_without_a_stream_name_are_the_same_facts_too(dialect):
    """As a connection sends them on which the streams were asked for by SUBSCRIBE."""
    is_spot = dialect is Dialect.SPOT
    paths, market = (spot_wire(), SPOT) if is_spot else (futures_wire(), FUTURES)
    first, second = codec_pair(market, dialect)
    reader = first.books[market.market].reader
    depth = 0
    for number, at_ns, frame in islice(read_lines(paths), 10_000):
        bare = frame[frame.find(b'"data":') + len(b'"data":') : -1]
        before = reader.first_id
        events = first.decode(bare, at_ns)
        assert events == second.decode(bare, at_ns), number
        if bare.startswith(b'{"e":"depthUpdate"'):
            depth += 1
            assert reader.first_id != before, "the kernel read it"
        else:
            assert reader.first_id == before
    assert state_of(first) == state_of(second)
    assert depth > 100


def test_damaged_bare_frames_are_the_same_facts_with_the_kernel_and_without():
    rng = random.Random(12)
    first, second = codec_pair(SPOT, Dialect.SPOT)
    for _ in range(3_000):
        frame = made_up(SPOT, rng)
        start = max(0, frame.find(b'"data":') + len(b'"data":'))
        bare = damaged(frame[start:-1], rng)
        assert first.decode(bare, 1) == second.decode(bare, 1), bare
    assert state_of(first) == state_of(second)


@COMPILED_ONLY
@pytest.mark.parametrize("dialect", Dialect)
def test_recorded_books_and_features_are_the_same_in_both_forms(dialect):
    is_spot = dialect is Dialect.SPOT
    paths, market = (spot_wire(), SPOT) if is_spot else (futures_wire(), FUTURES)
    codec, forms = BinanceCodec([market], dialect), both_forms()
    applied = 0
    for _, at_ns, frame in islice(read_lines(paths), 60_000):
        for event in codec.decode(frame, at_ns):
            applied += is_applied(event, forms, at_ns)
    assert applied > (1_000 if is_spot else 0)


def is_applied(event: Event, forms: tuple[Watched, Watched], at_ns: int) -> bool:
    """Give both forms the book's event; do they say the same, now and then in full?"""
    if not isinstance(event, BookDelta | BookSnapshot):
        return False
    for form in forms:
        if isinstance(event, BookSnapshot):
            form.book.apply_snapshot(event.bids, event.asks)
        form.take(event.bids, event.asks, at_ns)
    first, second = forms
    if event.sequence % 50 == 0:
        assert first.says(at_ns) == second.says(at_ns)
    tops = [(f.book.bid_tick, f.book.bid_lots, f.book.ask_tick, f.book.ask_lots) for f in forms]
    assert tops[0] == tops[1]
    return True
