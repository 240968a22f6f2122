"""The kernel's pass and the plain way are one back-test: the same decisions, fills and state."""

import os
import subprocess
import sys
from itertools import islice
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.codec.binance import BinanceCodec
from adapters.codec.continuity import Dialect
from adapters.transport.capture import read_lines
from bench.kernel_forms import are_compiled
from engine.sim.backtest import merged
from engine.sim.kernel_block import Block, Columns, blocks_of
from engine.sim.latency import Constant, Latency, LogNormal
from engine.sim.matching.queue import Log, Power, RiskAverse
from engine.trading.strategy import Wake
from engine.values.events import (
    Alive,
    BookDelta,
    BookLost,
    BookSnapshot,
    Connected,
    Disconnected,
    RatingLabel,
    RatingSet,
    Stream,
    Timer,
    TopOfBook,
    Trade,
)
from engine.values.units import NS_PER_MS, NS_PER_S, Side
from tests.backtest_builders import FIVE_MS, account, backtest, beside, market_facts
from tests.fuzz_kernel import SPOT as LISTED
from tests.market_data import spot_wire
from tests.sim import builders
from tests.sim.venue import BTT, MARKET
from tests.sim.world import START_NS

MS = NS_PER_MS
SPOT = msgspec.structs.replace(LISTED, venue=BTT.venue)
AT_ONCE = Latency(up=Constant(0), down=Constant(0), feed_ns=0)
DRAWN = LogNormal(median_ns=3 * MS, sigma=0.8, ns_max=90 * MS)
UNEVEN = Latency(up=DRAWN, down=DRAWN, feed_ns=50 * MS)
SLOW_FEED = Latency(up=Constant(MS), down=Constant(0), feed_ns=700 * MS)


def plain(event, step):
    """Whoever watches hears each fact, so that none may be passed over."""


def state_of(run, market):
    """What the parts of engine and venue know at the end, beyond the result."""
    maker = run.engine.makers[market]
    quoter = maker.quoter
    features, now_ns = quoter.features, run.now_ns
    account = next(each for each in run.accounts.values() if market in each.books)
    trail = run.trails[market]
    account.check()
    return [
        maker.state, quoter.sequence, quoter.book_ns, quoter.delay.delay_ns, run.engine.now_ns,
        [quoter.book.levels(side, 99) for side in Side],
        [account.books[market].levels(side) for side in Side],
        features.mid, features.microprice, features.order_flow_last, features.order_flow(now_ns),
        features.trade_flow(now_ns), features.volatility_ticks(now_ns),
        quoter.second_stream.compared, quoter.second_stream.matched,
        run.engine.links[quoter.setup.instrument.venue][Stream.PUBLIC].last_ns,
        (trail.at_ns, trail.bids, trail.asks, trail.quoted, trail.fill_mids, trail.mid_last),
        account.atoms,
    ]  # fmt: skip


def both(make, facts, rows=1_000):
    """The same back-test twice: (kernel, plain), each its result and its state at the end."""
    found = []
    for watch in (None, plain):
        run = make(watch)
        if watch is None:
            result = run.run_blocks(blocks_of(facts, run.lanes, rows))
        else:
            result = run.run(facts)
        found.append((result, [state_of(run, market) for market in run.lanes]))
    return found


def same(make, facts, rows=1_000):
    kernel, slow = both(make, facts, rows)
    assert kernel[1] == slow[1]
    assert kernel[0] == slow[0]
    return kernel[0]


# --- made-up markets ----------------------------------------------------------------------------


class Flow:
    """Facts of one market as wild as a seed makes them: crossed, empty, lost, late, repeated."""

    def __init__(self, seed, is_wild):
        self.dice = Random(seed)
        self.is_wild = is_wild
        self.at_ns = START_NS
        self.sequence = self.trade_id = 0

    def facts(self, count):
        yield self.snapshot()
        for _ in range(count):
            self.at_ns += self.dice.choice((0, 1, 3 * MS, 17 * MS, 50 * MS, 50 * MS, 100 * MS))
            yield from self.next()

    def next(self):
        chance = self.dice.random()
        if chance < 0.62:
            yield self.delta()
        elif chance < 0.82:
            yield self.trade()
        elif chance < 0.9 or not self.is_wild:
            yield self.top()
        else:
            yield from self.trouble()

    def levels(self, side, count):
        far = 61 if side is Side.BUY else 64
        sign = side.sign
        ticks = [far - sign * self.dice.choice((0, 0, 0, 1, 1, 2, 5, 9)) for _ in range(count)]
        if self.is_wild and self.dice.random() < 0.03:
            ticks = [tick + 3 * sign for tick in ticks]
        return [(tick, self.dice.choice((0, 1, 10**6, 9 * 10**6))) for tick in ticks]

    def snapshot(self):
        self.sequence += 1
        bids = [(61 - n, 5 * 10**6 + n) for n in range(12)]
        asks = [(64 + n, 6 * 10**6 + n) for n in range(12)]
        return BookSnapshot(
            market=MARKET, at_ns=self.at_ns, sequence=self.sequence, bids=bids, asks=asks
        )

    def delta(self):
        self.sequence += 1
        stamp = self.dice.choice((0, self.at_ns - self.dice.randrange(90 * MS)))
        bids = self.levels(Side.BUY, self.dice.choice((0, 1, 1, 2, 4)))
        asks = self.levels(Side.SELL, self.dice.choice((0, 1, 1, 2)))
        return BookDelta(
            market=MARKET, at_ns=self.at_ns, venue_ns=stamp, sequence=self.sequence,
            bids=bids, asks=asks,
        )  # fmt: skip

    def trade(self):
        self.trade_id += 1
        return Trade(
            market=MARKET, at_ns=self.at_ns, trade_id=self.trade_id,
            tick=self.dice.choice((60, 61, 61, 62, 63, 64, 64, 65)),
            lots=self.dice.choice((1, 10**6, 7 * 10**6)), aggressor=self.dice.choice(list(Side)),
        )  # fmt: skip

    def top(self):
        ahead = self.dice.choice((-1, 1, 1, 2))
        return TopOfBook(
            market=MARKET, at_ns=self.at_ns, sequence=self.sequence + ahead,
            bid_tick=61, bid_lots=10**6, ask_tick=64, ask_lots=10**6,
        )  # fmt: skip

    def trouble(self):
        wire = {"venue": BTT.venue, "stream": Stream.PUBLIC, "at_ns": self.at_ns}
        kind = self.dice.randrange(5)
        if kind == 0:
            yield Disconnected(reason="cut", **wire)
            yield Connected(**wire)
        elif kind == 1:
            yield BookLost(market=MARKET, at_ns=self.at_ns, reason="a gap")
        elif kind == 2:
            yield Alive(**wire)
        elif kind == 3:
            self.at_ns += 3 * NS_PER_S
        else:
            label = self.dice.choice(list(RatingLabel))
            expires_ns = self.at_ns + self.dice.choice((MS, NS_PER_S))
            yield RatingSet(
                market=MARKET, at_ns=self.at_ns, label=label, expires_ns=expires_ns,
                source="test",
            )  # fmt: skip
        yield self.snapshot()


class Sleepy:
    """The fixed strategy with another wish to be woken."""

    def __init__(self, wake):
        self.strategy = builders.fixed(half_spread_ticks=1.2)
        self.Params, self.wake = self.strategy.Params, wake

    def quote(self, view):
        return self.strategy.quote(view)


WAKES = [
    Wake(),
    Wake(top_moved_ticks=0, microprice_moved_ticks=0.0, timer_ns=0),
    Wake(top_moved_ticks=3, microprice_moved_ticks=0.7, timer_ns=130 * MS),
    Wake(top_moved_ticks=0, microprice_moved_ticks=0.1, timer_ns=0),
]


@given(
    seed=st.integers(0, 2**32),
    is_wild=st.booleans(),
    wake=st.sampled_from(WAKES),
    latency=st.sampled_from([FIVE_MS, AT_ONCE, UNEVEN, SLOW_FEED]),
    model=st.sampled_from([Power(1.0), Power(3.0), RiskAverse(), Log()]),
)
@settings(max_examples=40, deadline=None)
def test_any_flow_is_the_same_back_test_with_the_kernel_and_without(
    seed, is_wild, wake, latency, model
):
    facts = list(Flow(seed, is_wild).facts(250))

    def make(watch):
        mine, engine = account(model=model), beside(strategy=Sleepy(wake))
        return backtest(engine, latency=latency, watch=watch, mine=mine)

    same(make, facts, rows=1 + seed % 300)


def test_a_flow_that_fills_us_is_among_those_that_are_compared():
    facts = list(Flow(3, is_wild=False).facts(2_000))
    told = same(lambda watch: backtest(watch=watch), facts).markets[MARKET]
    assert len(told.fills) > 10
    assert told.placed > 50
    assert told.cancelled > 20


@pytest.mark.parametrize("latency", [FIVE_MS, UNEVEN])
def test_a_thin_market_of_traders_is_the_same_with_the_kernel_and_without(latency):
    facts = market_facts(20, feed_ns=latency.feed_ns)
    told = same(lambda watch: backtest(latency=latency, watch=watch), facts).markets[MARKET]
    assert len(told.fills) > 0


def test_two_markets_on_one_clock_are_the_same_with_the_kernel_and_without():
    traded = [
        msgspec.structs.replace(BTT, symbol=f"{name}/USDT", venue_symbol=name, base=name)
        for name in ("AAA", "BBB")
    ]
    flows = [
        [msgspec.structs.replace(f, market=item.market) for f in Flow(seed, False).facts(500)]
        for seed, item in enumerate(traded)
    ]

    def make(watch):
        setups = [
            msgspec.structs.replace(builders.setup(instrument=i), own_orders_show=False)
            for i in traded
        ]
        money = {"AAA": 2 * 10**16, "BBB": 2 * 10**16, "USDT": 3 * 10**10}
        mine = type(account())(traded, money, Power(1.0))
        return backtest(builders.engine(setups), watch=watch, mine=mine)

    result = same(make, list(merged(flows)))
    assert all(told.placed for told in result.markets.values())


def test_a_fact_that_goes_back_in_time_is_taken_as_the_plain_way_takes_it():
    facts = list(Flow(8, is_wild=False).facts(300))
    for place in range(20, 280, 37):
        late = msgspec.structs.replace(facts[place], at_ns=facts[place].at_ns - 60 * MS)
        facts[place] = late
    same(lambda watch: backtest(watch=watch), facts)


def test_facts_that_wake_nobody_do_not_reach_the_engine_s_door():
    flow = Flow(5, is_wild=False).facts(1_500)
    facts = [fact for fact in flow if type(fact) is not TopOfBook]
    idle = Sleepy(WAKES[1])
    run = backtest(beside(strategy=idle))
    taken, process = [], run.engine.process
    run.engine.process = lambda event: (taken.append(type(event)), process(event))[1]
    result = run.run(facts)
    assert result.processed > len(facts)
    assert sum(kind in (BookDelta, Trade, TopOfBook) for kind in taken) < len(facts) / 10


def test_timers_that_find_nothing_to_do_do_not_reach_the_engine_s_door():
    facts = [f for f in Flow(5, is_wild=False).facts(1_500) if type(f) is not TopOfBook]
    run, slow = (backtest(beside(strategy=Sleepy(WAKES[1])), watch=w) for w in (None, plain))
    told: tuple[list, list] = ([], [])
    for each, taken in zip((run, slow), told, strict=True):
        process = each.engine.process
        each.engine.process = lambda event, taken=taken, process=process: (
            taken.append(event), process(event)
        )[1]  # fmt: skip
    assert run.run(facts) == slow.run(facts)
    answered, all_told = (sum(type(event) is Timer for event in taken) for taken in told)
    assert 0 < answered < all_told * 2 / 3


# --- blocks -------------------------------------------------------------------------------------


def is_row(fact):
    return type(fact) is Trade or (type(fact) is BookDelta and bool(fact.bids or fact.asks))


def test_a_fact_comes_out_of_its_columns_as_it_went_in():
    facts = list(Flow(6, is_wild=True).facts(400))
    (block,) = blocks_of(facts, [MARKET], 10**6)
    bare = Block(block.columns, block.markets, {})
    rebuilt = 0
    for row, fact in block.facts.items():
        assert block.fact(row) is fact
        if is_row(fact):
            assert bare.fact(row) == fact
            rebuilt += 1
    assert rebuilt > 200


def test_columns_from_arrays_are_the_same_back_test_as_the_facts_that_they_mean():
    """What no array holds is kept whole; the rest exists as numbers only."""
    facts = list(Flow(7, is_wild=True).facts(1_000))
    (packed,) = blocks_of(facts, [MARKET], 10**6)
    arrays = [np.array(getattr(packed.columns, name)) for name in Columns.__struct_fields__]
    columns = Columns(
        **{n: memoryview(a) for n, a in zip(Columns.__struct_fields__, arrays, strict=True)}
    )
    kept = {row: fact for row, fact in packed.facts.items() if not is_row(fact)}
    run, slow = backtest(), backtest(watch=plain)
    assert run.run_blocks([Block(columns, [MARKET], kept)]) == slow.run(facts)
    assert state_of(run, MARKET) == state_of(slow, MARKET)


# --- a recorded market --------------------------------------------------------------------------


def recorded_facts(count):
    codec = BinanceCodec([SPOT], Dialect.SPOT)
    lines = islice(read_lines(spot_wire()), count)
    return [fact for _, at_ns, frame in lines for fact in codec.decode(frame, at_ns)]


def beside_bitcoin(watch, half_spread_ticks=300.0):
    bands = msgspec.structs.replace(
        builders.BANDS, floor_lots=0, lower_lots=9 * 10**7, target_lots=10**8,
        upper_lots=11 * 10**7, cap_lots=2 * 10**8,
    )  # fmt: skip
    risk = builders.rows(
        PRICE_COLLAR=1e6, ORDER_SIZE=1e9, ORDER_VALUE=1e9, WORST_POSITION=1.0, WORST_VALUE=1e12,
        INVENTORY=1.0, OPEN_ORDERS=100, TURNOVER=1e12, SPREAD_WIDE=1e6, LOSS=1e12,
    )  # fmt: skip
    strategy = builders.fixed(lots=1_000, half_spread_ticks=half_spread_ticks)
    setup = msgspec.structs.replace(
        builders.setup(strategy=strategy, risk=risk, instrument=SPOT),
        bands=bands, own_orders_show=False,
    )  # fmt: skip
    mine = type(account())([SPOT], {"B": 10**11, "Q": 10**18}, Power(1.0))
    return backtest(builders.engine([setup]), mine=mine, watch=watch)


def test_a_recorded_market_is_the_same_with_the_kernel_and_without():
    facts = recorded_facts(40_000)
    (told,) = same(beside_bitcoin, facts, rows=20_000).markets.values()
    assert len(told.fills) > 0
    assert told.placed > 100


DIGEST = """
from bench.kernel_forms import force_interpreted
if {is_interpreted}:
    force_interpreted()
from tests.test_backtest_kernel import Flow, backtest
print(backtest().run(Flow(11, is_wild=True).facts(1500)).digest)
"""


@pytest.mark.skipif(not are_compiled(), reason="the kernels run interpreted here")
def test_both_forms_of_the_kernel_decide_the_same():
    told = [
        subprocess.run(
            [sys.executable, "-c", DIGEST.format(is_interpreted=is_interpreted)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for is_interpreted, seed in ((True, "1"), (False, "2"))
    ]
    assert told[0] == told[1] != ""
