"""Money that people move at a venue of ours and tell to the books is no gap that freezes it."""

import msgspec
import pytest

from engine.trading.moved_money import moved_at
from engine.trading.standing import MarketState
from engine.values.ledger_words import (
    Converted,
    Corrected,
    Held,
    HoldingsRead,
    LockMoved,
    Paid,
    Rewarded,
    RewardKind,
    TransferArrived,
    TransferSent,
)
from engine.values.records import Adjusted, Difference
from tests.sim import builders
from tests.sim.calm import quoting, until
from tests.sim.world import World
from tests.steward_builders import UNIT, VENUE, kwargs, steward
from tests.test_treasury_engine import of

M = 1_000_000
GONE = 20 * M * UNIT


def sent(at_ns: int) -> TransferSent:
    return TransferSent(
        venue=VENUE, to_venue="cold wallet", at_ns=at_ns, ref="t1", asset="BTT", atoms=GONE,
        fee_atoms=UNIT,
    )  # fmt: skip


def arrived(at_ns: int) -> TransferArrived:
    return TransferArrived(venue=VENUE, at_ns=at_ns, ref="t0", part=0, asset="BTT", atoms=GONE)


def explained(world: World) -> bool:
    return all(row.explained for row in world.records if isinstance(row, Difference))


def test_a_withdrawal_that_was_told_is_expected_and_the_market_goes_on():
    world = quoting(seed=3, **kwargs())
    held = of(world).treasury.holdings.held(VENUE, "BTT")
    world.venue.base_atoms -= GONE + UNIT
    world.deliver(sent(world.now))
    assert of(world).treasury.holdings.held(VENUE, "BTT") == held - GONE - UNIT, "at once"
    world.run(30)
    assert world.state is MarketState.QUOTING
    assert explained(world)
    assert of(world).treasury.holdings.held(VENUE, "BTT") == world.venue.base_atoms


def test_a_withdrawal_that_nobody_told_still_freezes_the_market():
    world = quoting(seed=3, **kwargs())
    world.venue.base_atoms -= GONE
    until(world, MarketState.CANCEL_ONLY)
    assert not explained(world)
    assert not [row for row in world.records if isinstance(row, Adjusted)]


def test_a_deposit_that_was_told_is_not_the_market_makers():
    world = quoting(seed=3, **kwargs())
    working = of(world).treasury.holdings.facts().working[VENUE, "BTT"]
    before = world.maker.quoter.bands
    world.venue.base_atoms += GONE
    world.deliver(arrived(world.now))
    assert world.maker.quoter.bands.floor_lots >= before.floor_lots + GONE // UNIT, "at once"
    assert of(world).treasury.holdings.facts().working[VENUE, "BTT"] == working
    world.run(30)
    assert world.state is MarketState.QUOTING


def test_a_restart_expects_what_was_moved_before():
    world = quoting(seed=3, **kwargs())
    world.venue.base_atoms -= GONE + UNIT
    world.deliver(sent(world.now))
    world.run(5)
    ours = world.keeper.portfolio.balance("BTT")
    again = builders.engine(epoch=10**6, past=list(world.records), steward=steward([]))
    [keeper] = again.keepers.values()
    assert keeper.portfolio.balance("BTT") == ours


WORDS = [
    (sent(1), (("BTT", -GONE - UNIT),)),
    (arrived(1), (("BTT", GONE),)),
    (
        Paid(venue=VENUE, at_ns=1, ref="p", asset="USDT", atoms=5, fee_atoms=1, counterparty="c",
             function="f"),
        (("USDT", -6),),
    ),
    (LockMoved(venue=VENUE, place="s", at_ns=1, ref="l", asset="BTT", atoms=7), (("BTT", -7),)),
    (
        Rewarded(venue=VENUE, place="s", at_ns=1, ref="r", kind=RewardKind.STAKING, asset="BTT",
                 atoms=3, counterparty="s"),
        (),
    ),
    (
        Converted(venue=VENUE, at_ns=1, ref="c", gave="BTT", gave_atoms=9, got="USDT",
                  got_atoms=4, fee_asset="USDT", fee_atoms=1, counterparty="otc"),
        (("BTT", -9), ("USDT", 4), ("USDT", -1)),
    ),
    (Held(venue=VENUE, at_ns=1, asset="BTT", atoms=8, who="w"), ()),
    (HoldingsRead(venue=VENUE, asked_ns=1, at_ns=1, atoms={"BTT": 1}, who="w"), ()),
    (Corrected(venue=VENUE, at_ns=1, ref="x", asset="BTT", atoms=2, who="w", reason="r"), ()),
]  # fmt: skip


@pytest.mark.parametrize(("word", "flows"), WORDS)
def test_each_word_moves_what_left_or_came_at_its_own_venue_alone(word, flows):
    assert tuple(moved_at(word, VENUE)) == flows
    assert tuple(moved_at(msgspec.structs.replace(word, venue="elsewhere"), VENUE)) == ()
