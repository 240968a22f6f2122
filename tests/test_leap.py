"""Time that leaps, as for a machine that slept: the clock, and what the engine makes of it."""

import asyncio

import pytest

from adapters.common.backoff import Backoff
from adapters.common.budget import Window
from adapters.common.limits import CONNECTS
from engine.runtime.clock import LeapingTime, MonotonicClock
from engine.values.action_words import Initiator, Override, Scope, StopActions, Trigger
from engine.values.events import Connected, Disconnected, Timer
from engine.values.execution_records import Switched
from engine.values.rebalance_records import BandsChecked
from tests.action_builders import OTTO, ROSTER, request
from tests.hedge_world import WIRES, S
from tests.treasury_world import TreasuryWorld, word

HOURS_36 = 36 * 3_600 * S


def test_a_leap_moves_every_clock_of_the_same_time_and_shows_no_step() -> None:
    passed = [0]
    time = LeapingTime(10**18, lambda: passed[0])
    clock = MonotonicClock(time.now_ns, time.now_ns)
    passed[0] = 5
    assert (time.now_ns(), clock.now_ns(), clock.step_ns()) == (10**18 + 5, 10**18 + 5, 0)
    time.leap_to(2 * 10**18)
    assert (time.now_ns(), clock.now_ns(), clock.step_ns()) == (2 * 10**18, 2 * 10**18, 0)


def test_time_never_leaps_back() -> None:
    time = LeapingTime(100, lambda: 7)
    time.leap_to(50)
    assert time.now_ns() == 100


async def test_a_machine_that_slept_has_waited_long_enough_to_connect_again() -> None:
    time = LeapingTime(10**18)
    backoff = Backoff(MonotonicClock(time.now_ns, time.now_ns), Window(CONNECTS))
    backoff.wait_s = lambda: 3_600.0  # type: ignore[method-assign]
    await backoff.ready()
    waiting = asyncio.create_task(backoff.ready())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    time.leap_to(time.now_ns() + HOURS_36)
    async with asyncio.timeout(60):
        await waiting


def slept() -> tuple[TreasuryWorld, int]:
    """An engine that has made the check of a day, woken blind on a later one."""
    world = TreasuryWorld(begin=[ROSTER])
    world.run(30)
    checked = len(world.of(BandsChecked))
    world.now += HOURS_36
    for venue, stream in WIRES:
        world.feed(Disconnected(venue=venue, stream=stream, at_ns=world.now, reason="slept"))
    world.feed(Timer(at_ns=world.now))
    return world, checked


def seeing(world: TreasuryWorld) -> None:
    for venue, stream in WIRES:
        world.feed(Connected(venue=venue, stream=stream, at_ns=world.now))
    world.publish()
    world.run(10)


def test_a_machine_that_slept_measures_its_markets_before_it_spends_the_day() -> None:
    world, checked = slept()
    world.now += S
    world.feed(Timer(at_ns=world.now))
    assert len(world.of(BandsChecked)) == checked, "blind"
    seeing(world)
    assert len(world.of(BandsChecked)) == checked + 1


def test_a_kill_switch_within_an_override_waits_for_no_market() -> None:
    world, _ = slept()
    stop = StopActions(scope=Scope.VENUE, name="loopback")
    seen = Override(
        trigger=Trigger.EXCHANGE_OUTAGE, seen_ns=world.now, target="loopback", does=stop
    )
    asked = request(
        "p1", seen, at_ns=world.now, expires_ns=world.now + 1_800 * S, who="otto",
        initiator=Initiator.OPERATIONS, code="outage",
    )  # fmt: skip
    world.feed(OTTO.asks(asked, world.now))
    world.now += S
    world.feed(Timer(at_ns=world.now))
    assert [one.name for one in world.of(Switched)] == ["loopback"], "though nothing is measured"


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_venue_that_was_stopped_is_not_waited_for(is_stopped: bool) -> None:
    world = TreasuryWorld(begin=[ROSTER])
    world.run(30)
    checked = len(world.of(BandsChecked))
    if is_stopped:
        world.feed(word(world, "p1", StopActions(scope=Scope.VENUE, name="loopback")))
        world.run(2)
    world.now += HOURS_36
    for stream in {stream for _, stream in WIRES}:
        down = Disconnected(venue="loopback", stream=stream, at_ns=world.now, reason="down")
        world.feed(down)
    for _ in range(3):
        world.now += S
        world.feed(Timer(at_ns=world.now))
    assert len(world.of(BandsChecked)) == checked + is_stopped
