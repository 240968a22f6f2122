"""Facts are taken one by one: at once where nothing is under way, else in a turn of their own."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from engine.runtime.consumer import BATCH_MAX, REST_NS, Consumer
from engine.runtime.inbox import Inbox
from engine.values.events import BookDelta, OrderSent
from tests.patience import in_time, until


def delta(n):
    return BookDelta(market="m", at_ns=n, sequence=n, bids=[], asks=[])


def ours(n):
    return OrderSent(market="m", client_id=f"b{n}", at_ns=n)


class Taker:
    """Keeps what it takes; `answer` may put more while it does."""

    def __init__(self):
        self.inbox, self.taken, self.idled = Inbox(), [], 0
        self.answer = lambda fact: None
        self.is_enough = False
        self.now_ns = 0

    def process(self, fact):
        self.taken.append(fact)
        self.answer(fact)

    def idle(self):
        self.idled += 1

    def consumer(self):
        return Consumer(
            self.inbox, self.process, lambda: self.is_enough, self.idle, lambda: self.now_ns
        )


@asynccontextmanager
async def running():
    taker = Taker()
    task = asyncio.create_task(taker.consumer().run())
    for _ in range(3):
        await asyncio.sleep(0)
    assert taker.idled, "it waits"
    taker.now_ns += 2 * REST_NS
    yield taker, task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_fact_that_finds_the_engine_at_rest_is_taken_before_put_returns():
    async with running() as (taker, _):
        taker.inbox.put(delta(1))
        assert taker.taken == [delta(1)]


async def test_the_rest_of_a_burst_waits_for_the_next_turn_so_that_it_can_be_merged():
    async with running() as (taker, _):
        for n in range(1, 10):
            taker.inbox.put(delta(n))
        assert taker.taken == [delta(1)]
        await asyncio.sleep(0.001)
        assert [fact.sequence for fact in taker.taken] == [1, 9]
        assert taker.inbox.merged == 7


async def test_right_after_other_work_a_fact_waits_for_the_rest_of_its_burst():
    async with running() as (taker, _):
        taker.inbox.put(ours(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for n in range(2, 10):
            taker.inbox.put(delta(n))
        assert taker.taken == [ours(1)]
        await asyncio.sleep(0.01)
        assert [type(fact) for fact in taker.taken] == [OrderSent, BookDelta]


async def test_what_a_fact_puts_while_it_is_taken_is_taken_after_it():
    async with running() as (taker, _):
        taker.answer = lambda fact: taker.inbox.put(ours(7)) if fact == delta(1) else None
        taker.inbox.put(delta(1))
        assert taker.taken == [delta(1)]
        await asyncio.sleep(0.001)
        assert taker.taken == [delta(1), ours(7)]


async def test_the_loop_is_served_between_two_batches():
    async with running() as (taker, _):
        loop, seen = asyncio.get_running_loop(), []
        for n in range(3 * BATCH_MAX):
            taker.inbox.put(ours(n))
        loop.call_soon(lambda: loop.call_soon(lambda: seen.append(len(taker.taken))))
        await until(lambda: len(taker.taken) == 3 * BATCH_MAX, "every fact")
        assert seen
        assert seen[0] < 3 * BATCH_MAX


async def test_it_is_idle_only_when_nothing_waits():
    async with running() as (taker, _):
        taker.idled = 0
        taker.inbox.put(delta(1))
        assert not taker.idled
        await asyncio.sleep(0.001)
        assert taker.idled == 1


async def test_what_deciding_raises_ends_the_consumer_and_not_the_producer():
    async with running() as (taker, task):
        taker.answer = lambda fact: {}["a fault of ours"]
        taker.inbox.put(delta(1))
        with pytest.raises(KeyError):
            await task
        taker.inbox.put(delta(2))
        await asyncio.sleep(0.001)
        assert taker.taken == [delta(1)]


async def test_a_fault_in_a_later_turn_ends_it_too_and_nothing_more_is_taken():
    async with running() as (taker, task):
        taker.answer = lambda fact: {}["a fault of ours"] if fact == ours(2) else None
        for n in range(1, 5):
            taker.inbox.put(ours(n))
        with pytest.raises(KeyError):
            await task
        assert taker.taken == [ours(1), ours(2)]


async def test_it_returns_when_no_further_fact_is_wanted():
    async with running() as (taker, task):
        taker.is_enough = True
        taker.inbox.put(delta(1))
        async with in_time("its end"):
            await task
        taker.inbox.put(delta(2))
        assert taker.taken == [delta(1)]


async def test_what_waited_before_it_ran_is_taken_when_it_runs():
    taker = Taker()
    taker.inbox.put(delta(1))
    assert not taker.taken
    task = asyncio.create_task(taker.consumer().run())
    await asyncio.sleep(0.001)
    assert taker.taken == [delta(1)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
