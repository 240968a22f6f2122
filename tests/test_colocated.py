"""The colocated host's options: the loop that never sleeps, the rehearsal, the frozen collector."""

import asyncio
import gc
import os
import time

import pytest

from engine.runtime.colocated import Garbage, Spin, settle_in
from engine.runtime.config_tables import HostParams
from engine.runtime.inbox import Inbox
from engine.runtime.rehearsal import Rehearsal
from engine.trading.standing import MarketState
from engine.values.events import Timer
from tests.patience import until
from tests.sim.builders import engine


def rehearsal() -> Rehearsal:
    scratch = engine()
    live = engine()
    market = next(iter(live.makers))
    live.makers[market].quoter.book.apply_snapshot(
        [(62 - i, 30_000_000) for i in range(20)], [(63 + i, 30_000_000) for i in range(20)]
    )
    made = Rehearsal(scratch, market)
    made.set_stage(live.makers[market].quoter.book)
    return made


def test_a_rehearsal_decides_again_and_again_without_growing():
    stage = rehearsal()
    for _ in range(600):
        stage.turn()
    decided = stage.decided
    for _ in range(200):
        stage.turn()
    assert stage.decided - decided >= 100
    maker = stage._maker
    assert maker.state[0] in (MarketState.QUOTING, MarketState.READY)
    assert len(list(maker.keeper.orders)) < 50


async def test_a_busy_loop_rehearses_only_while_nothing_comes():
    inbox, turns = Inbox(), []
    spin = Spin(inbox, HostParams(busy_poll=True, rehearse_every_ms=1))
    spin.rehearse_with(lambda: turns.append(time.monotonic_ns()))
    spin.start()
    await until(lambda: turns, "a rehearsal")
    busy_until = time.monotonic() + 0.1
    inbox.put(Timer(at_ns=1))
    seen = len(turns)
    while time.monotonic() < busy_until:
        inbox.put(Timer(at_ns=1))
        inbox.take()
        await asyncio.sleep(0)
    assert len(turns) == seen
    spin.stop()


def test_frozen_garbage_is_collected_when_idle_only():
    garbage = Garbage()
    garbage.freeze()
    try:
        assert not gc.isenabled()
        garbage.collect_if_due(time.monotonic_ns())
        assert garbage.slowest_ns > 0
    finally:
        garbage.thaw()
    assert gc.isenabled()


def test_a_core_that_is_not_there_is_refused_in_words():
    before = os.sched_getaffinity(0)
    assert settle_in(HostParams(cpus=[100_000])) != []
    assert os.sched_getaffinity(0) == before


def test_rehearsing_needs_a_loop_that_does_not_sleep():
    with pytest.raises(ValueError, match="busy_poll"):
        HostParams(rehearse_every_ms=1)
