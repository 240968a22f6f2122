"""A start waits where the venue asks for it, and counts against a limit only once it knows it."""

import pytest

from adapters.common.budget import Cost
from adapters.common.limits import LimitRow, Limits
from engine.cli.assemble import read_instruments
from engine.cli.demo import DEFAULT_CONFIG
from engine.runtime.clock import MonotonicClock
from engine.runtime.config import load_config
from engine.values.errors import Rejected, Transient, UserError
from engine.values.units import NS_PER_MS, NS_PER_S
from tests.sim.venue import BTT

SIX_THOUSAND = LimitRow(kind="REQUEST_WEIGHT", interval="M", number=1, limit=6000)
USED = {"X-MBX-USED-WEIGHT-1M": "4500"}


def test_a_used_weight_says_nothing_before_the_limit_is_known():
    limits = Limits(MonotonicClock())
    limits.observe_headers(USED)
    limits.take(Cost(weight=20))


def test_a_used_weight_counts_against_the_venues_own_limit():
    limits = Limits(MonotonicClock())
    limits.learn([SIX_THOUSAND])
    limits.observe_headers(USED)
    limits.take(Cost(weight=20))
    with pytest.raises(Transient):
        limits.take(Cost(weight=1000))


class Busy:
    """A venue whose gateway refuses so often before it answers."""

    def __init__(self, *refusals):
        self.gateway = self
        self._refusals = list(refusals)

    async def instruments(self, symbols):
        if self._refusals:
            raise self._refusals.pop(0)
        return [BTT]


async def test_a_start_waits_as_long_as_the_venue_asks():
    config = load_config(DEFAULT_CONFIG)
    soon = Transient("rate budget", code="budget", retry_after_ns=5 * NS_PER_MS)
    found = await read_instruments(config, {"loopback": Busy(soon, soon)})
    assert found == {BTT.market: BTT}


@pytest.mark.parametrize(
    "refusal",
    [
        Transient("come back tomorrow", code="429", retry_after_ns=3600 * NS_PER_S),
        Transient("no connection", code="connect"),
        Rejected("no such symbol", code="-1121"),
    ],
)
async def test_a_start_does_not_wait_for_what_will_not_come(refusal):
    config = load_config(DEFAULT_CONFIG)
    with pytest.raises(UserError, match=refusal.text):
        await read_instruments(config, {"loopback": Busy(refusal)})
