"""Law 5 at the runtime's edge: intents are durable before bytes leave, and cancels go first."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from engine.runtime import sender as senders
from engine.runtime.inbox import InboxFull
from engine.runtime.sender import Sender
from engine.values.commands import Cancel, CancelAll, Place
from engine.values.errors import WITHDRAWN, Failure
from engine.values.events import OrderFailed, OrderReport, OrderSent, OrderState
from engine.values.units import Side
from tests.patience import in_time


class SlowJournal:
    """Commits when the test says so, and knows what it held when each commit began."""

    def __init__(self):
        self.appended, self.durable = [], set()
        self.may_commit = asyncio.Event()
        self.commits = 0

    def append(self, records):
        self.appended += records

    def is_durable(self):
        return self.may_commit.is_set() and self.durable.issuperset(self.appended)

    async def commit(self):
        held = set(self.appended)
        self.commits += 1
        await self.may_commit.wait()
        self.durable |= held


class AheadJournal(SlowJournal):
    """What was appended is durable at once."""

    def append(self, records):
        self.appended += records
        self.durable |= set(records)

    def is_durable(self):
        return True

    async def commit(self):
        raise AssertionError("there was nothing to wait for")


class Wire:
    """Remembers what left and what was durable at that moment."""

    def __init__(self, journal):
        self.left, self.journal = [], journal
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def execute(self, command):
        self.left.append(command)
        if isinstance(command, Place):
            assert command.client_id in self.journal.durable, "bytes before the intent"
        await self.may_answer.wait()
        return [acked(command)] if isinstance(command, Place) else []

    def names(self):
        return [getattr(command, "client_id", "all") for command in self.left]


class Box(list):
    put = list.append


class Clock:
    def now_ns(self):
        return 7


def place(name, market="m"):
    return Place(
        market=market, client_id=name, side=Side.BUY, tick=1, lots=1, post_only=True, at_ns=1
    )


def cancel(name):
    return Cancel(market="m", client_id=name, at_ns=1)


def acked(order):
    return OrderReport(
        market=order.market, client_id=order.client_id, venue_id="1", at_ns=1, update_ns=1,
        state=OrderState.OPEN, side=order.side, tick=1, lots=1, filled_lots=0,
    )  # fmt: skip


async def breathe():
    for _ in range(20):
        await asyncio.sleep(0)


class SwiftWire(Wire):
    """Writes at the call, and waits for the answer afterwards."""

    def execute(self, command):
        self.left.append(command)
        if isinstance(command, Place):
            assert command.client_id in self.journal.durable, "bytes before the intent"
        return self._answer(command)

    async def _answer(self, command):
        await self.may_answer.wait()
        return [acked(command)] if isinstance(command, Place) else []


@asynccontextmanager
async def running(journal_kind=SlowJournal, wire_kind=Wire):
    journal = journal_kind()
    wire, box = wire_kind(journal), Box()
    sender = Sender(wire, journal, box, Clock())
    task = asyncio.create_task(sender.run())
    await breathe()
    yield sender, journal, wire, box
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def decide(sender, journal, *orders):
    journal.append([order.client_id for order in orders])
    sender.send(orders)


async def test_a_place_waits_for_the_commit_and_then_says_that_it_was_sent():
    async with running() as (sender, journal, wire, box):
        decide(sender, journal, place("a"))
        await breathe()
        assert wire.left == []
        journal.may_commit.set()
        await breathe()
        assert wire.names() == ["a"]
        assert [type(fact) for fact in box] == [OrderSent, OrderReport]
        assert sender.is_idle


async def test_only_what_was_appended_before_the_commit_leaves_after_it():
    async with running() as (sender, journal, wire, _):
        decide(sender, journal, place("a"))
        await breathe()
        assert journal.commits == 1
        decide(sender, journal, place("b"))
        journal.may_commit.set()
        await breathe()
        assert wire.names() == ["a", "b"]
        assert journal.commits == 2, "b needed a commit of its own"


async def test_a_cancel_overtakes_places_that_wait():
    async with running() as (sender, journal, wire, _):
        decide(sender, journal, place("a"))
        sender.send([cancel("old")])
        await breathe()
        assert wire.names() == ["old"]


async def test_a_place_that_is_cancelled_before_it_left_never_leaves_nor_does_the_cancel():
    async with running() as (sender, journal, wire, box):
        decide(sender, journal, place("a"), place("b"))
        await breathe()
        sender.send([cancel("a")])
        journal.may_commit.set()
        await breathe()
        assert wire.names() == ["b"]
        (failed,) = [fact for fact in box if isinstance(fact, OrderFailed)]
        assert (failed.client_id, failed.failure, failed.code) == ("a", Failure.REJECTED, WITHDRAWN)


async def test_a_pull_takes_back_what_waits_in_its_market_and_still_goes_out():
    async with running() as (sender, journal, wire, box):
        decide(sender, journal, place("a"), place("b"), place("c", market="other"))
        await breathe()
        sender.send([CancelAll(market="m", at_ns=1)])
        journal.may_commit.set()
        await breathe()
        assert wire.names() == ["all", "c"]
        gone = [fact.client_id for fact in box if isinstance(fact, OrderFailed)]
        assert gone == ["a", "b"]


async def test_places_wait_for_answers_at_the_limit_and_cancels_do_not(monkeypatch):
    """With more in flight than the limit, places once slipped out: a slice counted backwards."""
    monkeypatch.setattr(senders, "IN_FLIGHT_MAX", 3)
    async with running() as (sender, journal, wire, _):
        journal.may_commit.set()
        wire.may_answer.clear()
        sender.send([cancel(f"old{i}") for i in range(5)])
        await breathe()
        decide(sender, journal, *(place(f"new{i}") for i in range(6)))
        await breathe()
        assert wire.names() == [f"old{i}" for i in range(5)]
        wire.may_answer.set()
        await breathe()
        assert wire.names()[5:] == [f"new{i}" for i in range(6)]
        assert sender.is_idle


async def test_a_durable_place_is_with_the_gateway_before_send_returns():
    async with running(AheadJournal, SwiftWire) as (sender, journal, wire, box):
        decide(sender, journal, place("a"), place("b"))
        assert wire.names() == ["a", "b"], "no turn of the loop lies between decision and bytes"
        await breathe()
        assert [type(fact) for fact in box] == [OrderSent, OrderSent, OrderReport, OrderReport]
        assert sender.is_idle


async def test_one_decision_is_heard_whole_before_any_of_it_leaves():
    async with running(AheadJournal, SwiftWire) as (sender, journal, wire, box):
        journal.append(["a", "b"])
        sender.send([place("a"), cancel("old"), place("b"), cancel("a")])
        assert wire.names() == ["old", "b"]
        assert [fact.client_id for fact in box if isinstance(fact, OrderFailed)] == ["a"]


async def test_durable_places_that_wait_for_the_wire_can_still_be_withdrawn(monkeypatch):
    monkeypatch.setattr(senders, "IN_FLIGHT_MAX", 2)
    async with running(AheadJournal, SwiftWire) as (sender, journal, wire, box):
        wire.may_answer.clear()
        decide(sender, journal, *(place(name) for name in "abcdef"))
        assert wire.names() == ["a", "b"]
        sender.send([cancel("d")])
        sender.send([CancelAll(market="other", at_ns=1)])
        assert wire.names() == ["a", "b", "all"]
        wire.may_answer.set()
        await breathe()
        assert wire.names() == ["a", "b", "all", "c", "e", "f"]
        assert [fact.client_id for fact in box if isinstance(fact, OrderFailed)] == ["d"]
        assert sender.is_idle


async def test_what_was_decided_before_the_sender_ran_leaves_when_it_runs():
    journal = AheadJournal()
    wire, box = SwiftWire(journal), Box()
    sender = Sender(wire, journal, box, Clock())
    decide(sender, journal, place("a"), place("b"))
    sender.send([cancel("a")])
    assert wire.left == []
    task = asyncio.create_task(sender.run())
    await breathe()
    assert wire.names() == ["b"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    decide(sender, journal, place("late"))
    assert wire.names() == ["b"], "a sender that has ended sends nothing"


class CorkedWire(SwiftWire):
    """Holds what is executed until it is released, as a gateway with one write for all does."""

    def __init__(self, journal):
        super().__init__(journal)
        self.writes, self.held = [], []

    def hold(self):
        self.held = []

    def execute(self, command):
        self.held.append(getattr(command, "client_id", "all"))
        return super().execute(command)

    def release(self):
        self.writes.append(self.held)


async def test_one_decision_leaves_in_one_write_with_its_cancels_first():
    async with running(AheadJournal, CorkedWire) as (sender, journal, wire, box):
        journal.append(["a", "b"])
        sender.send([place("a"), cancel("old"), place("b"), cancel("older")])
        assert wire.writes == [["old", "older", "a", "b"]]
        assert [fact.client_id for fact in box] == ["a", "b"]


async def test_a_single_command_holds_nothing_back():
    async with running(AheadJournal, CorkedWire) as (sender, _journal, wire, _):
        sender.send([cancel("old")])
        assert (wire.writes, wire.names()) == ([], ["old"])


async def test_a_gateway_may_answer_with_a_future():
    class FutureWire(SwiftWire):
        def execute(self, command):
            self.left.append(command)
            self.answer = asyncio.get_running_loop().create_future()
            return self.answer

    async with running(AheadJournal, FutureWire) as (sender, journal, wire, box):
        decide(sender, journal, place("a"))
        assert not sender.is_idle
        wire.answer.set_result([acked(place("a"))])
        await breathe()
        assert [type(fact) for fact in box] == [OrderSent, OrderReport]
        assert sender.is_idle


async def test_a_gateway_that_raises_in_its_future_ends_the_sender():
    class BrokenWire(SwiftWire):
        def execute(self, command):
            answer = asyncio.get_running_loop().create_future()
            answer.set_exception(KeyError("a fault of ours"))
            return answer

    journal = AheadJournal()
    sender = Sender(BrokenWire(journal), journal, Box(), Clock())
    task = asyncio.create_task(sender.run())
    await breathe()
    decide(sender, journal, place("a"))
    with pytest.raises(ExceptionGroup) as raised:
        async with in_time("its end"):
            await task
    assert raised.value.subgroup(KeyError) is not None


async def test_an_inbox_that_takes_no_answer_ends_the_sender():
    class FullBox(Box):
        def put(self, fact):
            if isinstance(fact, OrderReport):
                raise InboxFull("100 facts are waiting")

    journal = AheadJournal()
    sender = Sender(SwiftWire(journal), journal, FullBox(), Clock())
    task = asyncio.create_task(sender.run())
    await breathe()
    decide(sender, journal, place("a"))
    with pytest.raises(ExceptionGroup) as raised:
        async with in_time("its end"):
            await task
    assert raised.value.subgroup(InboxFull) is not None
