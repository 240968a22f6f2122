"""Stakes, pools and transfers through the whole engine: the chain, the ledger, the locks."""

from typing import Any

import msgspec
import pytest

from engine.treasury.proposals import Status
from engine.values.action_records import Executing, WordRefused
from engine.values.action_words import Action, HedgeAction
from engine.values.ledger_words import (
    Held,
    HoldingsRead,
    LockMoved,
    Rewarded,
    RewardKind,
    TransferArrived,
    TransferSent,
)
from engine.values.treasury_words import FloatSet, Lock, LockKind, LockSet
from tests.action_builders import FAY, OTTO
from tests.chain_world import (
    CHAIN,
    SECTION,
    UNIT,
    VAULT,
    WALLET,
    ChainWorld,
    add_to_pool,
    coins,
    sent,
    stake,
    take_from_pool,
    unstake,
)
from tests.hedge_world import TOKEN, S
from tests.treasury_world import Died, M, signed_by_two, status, word


def ready(**changes) -> ChainWorld:
    world = ChainWorld(**changes)
    world.run(3)
    return world


def signed(world: ChainWorld, name: str, action: Action, **changes: Any) -> list[Any]:
    """The request and both approvals, for who tells them himself."""
    asked = word(world, name, action, **changes)
    return [asked, OTTO.answers(asked, world.now), FAY.answers(asked, world.now)]


def until(world: ChainWorld, name: str, wanted: Status = Status.DONE, seconds: int = 60) -> None:
    end_ns = world.now + seconds * S
    while status(world, name) is not wanted:
        assert world.now < end_ns, world.desk.proposals[name]
        world.turn()


def test_a_wallet_that_is_seen_opens_in_the_ledger_and_counts():
    world = ready()
    assert {row.asset: row.atoms for row in world.of(Held)} == {
        "BTT": 100 * M * UNIT, "USDT": 1_000 * UNIT,
    }  # fmt: skip
    assert world.held(WALLET) == 100 * M


def test_a_stake_is_a_lock_with_its_time_to_cash_and_a_row_of_the_ledger():
    world = ready()
    signed_by_two(world, "p1", stake(30 * M))
    until(world, "p1")
    assert (world.held(WALLET), world.total, world.executed) == (70 * M, 100 * M, 1)
    assert world.locks == [("staked", WALLET, 30 * M)]
    [moved] = world.of(LockMoved)
    assert (moved.venue, moved.place, moved.atoms) == (WALLET, "p", 30 * M * UNIT)
    assert moved.people.requester == "anna"
    assert set(moved.people.approvers) == {"otto", "fay"}
    assert moved.people.proposal == world.desk.proposals["p1"].digest


def test_what_is_unstaked_is_on_its_way_until_it_is_free_and_the_ledger_says_so_then():
    world = ready()
    signed_by_two(world, "p1", stake(30 * M))
    until(world, "p1")
    signed_by_two(world, "p2", unstake(10 * M))
    until(world, "p2")
    assert sorted(world.locks) == [("staked", WALLET, 20 * M), ("withdrawal", WALLET, 10 * M)]
    assert len(world.of(LockMoved)) == 1
    world.run(25)
    assert world.locks == [("staked", WALLET, 20 * M)]
    assert (world.held(WALLET), world.total) == (80 * M, 100 * M)
    assert [row.atoms // UNIT for row in world.of(LockMoved)] == [30 * M, -10 * M]
    assert world.of(LockMoved)[-1].people.proposal == world.desk.proposals["p2"].digest
    assert world.of(Rewarded) == []


def test_a_pool_takes_both_sides_and_gives_them_back():
    world = ready()
    signed_by_two(world, "p1", add_to_pool(10 * M, 600))
    until(world, "p1")
    assert sorted(world.locks) == [("pool", WALLET, 600), ("pool", WALLET, 10 * M)]
    signed_by_two(world, "p2", take_from_pool(10 * M, 600))
    until(world, "p2")
    world.run(10)
    assert world.locks == []
    assert (world.held(WALLET), world.held(WALLET, "USDT")) == (100 * M, 1_000)
    moved = {(row.asset, row.atoms // UNIT) for row in world.of(LockMoved)}
    assert moved == {("BTT", 10 * M), ("USDT", 600), ("BTT", -10 * M), ("USDT", -600)}


def test_a_transfer_is_in_flight_until_it_arrived_and_never_out_of_sight():
    world = ready()
    signed_by_two(world, "p1", sent(40 * M))
    seen = set()
    end_ns = world.now + 60 * S
    while status(world, "p1") is not Status.DONE:
        assert world.now < end_ns
        world.turn()
        seen.add((tuple(world.locks), world.total))
    assert ((("withdrawal", VAULT, 40 * M),), 100 * M) in seen
    assert {total for _, total in seen} == {100 * M}
    assert (world.held(WALLET), world.held(VAULT), world.locks) == (60 * M, 40 * M, [])
    [gone], [came] = world.of(TransferSent), world.of(TransferArrived)
    assert (gone.venue, gone.to_venue, gone.ref) == (WALLET, VAULT, came.ref)
    assert gone.people.proposal == world.desk.proposals["p1"].digest


def test_a_flight_has_a_time_to_cash():
    world = ready()
    signed_by_two(world, "p1", sent(40 * M))
    while not world.of(TransferSent):
        world.turn()
    [lock] = world.holdings.facts().locks
    assert lock.until_ns == world.of(TransferSent)[0].at_ns + 600 * S


def test_a_transfer_asked_for_to_fill_a_float_fills_it_once():
    world = ready()
    before = world.holdings.facts().working["loopback", "BTT"]
    for each in signed(world, "p1", sent(1 * M, "loopback"), code="shortfall"):
        world.feed(each)
    until(world, "p1")
    fills = [row for row in world.of(FloatSet) if row.reason.startswith("filled by")]
    assert [row.atoms - before for row in fills] == [1 * M * UNIT]


def test_rewards_are_entries_once_however_often_they_are_seen():
    pays = msgspec.structs.replace(CHAIN, yields={"p": 1_000}, pay_every_ns=10 * S)
    world = ready(params=pays)
    signed_by_two(world, "p1", stake(30 * M))
    until(world, "p1")
    world.run(15)
    world.start()
    world.run(10)
    rewards = world.of(Rewarded)
    assert len(rewards) >= 2
    assert len({row.ref for row in rewards}) == len(rewards)
    assert {(row.kind, row.place, row.atoms) for row in rewards} == {
        (RewardKind.STAKING, "", 30_000 * UNIT)
    }
    assert world.held(WALLET) == 70 * M + 30_000 * len(rewards)
    assert world.of(HoldingsRead)[-1].atoms["BTT"] == world.held(WALLET) * UNIT


@pytest.mark.parametrize("how", ["reverted_ppm", "lost_ppm"])
def test_what_the_chain_did_not_do_fails_and_nothing_has_moved(how):
    world = ready(params=msgspec.structs.replace(CHAIN, **{how: 1_000_000}))
    signed_by_two(world, "p1", stake(30 * M))
    until(world, "p1", Status.FAILED)
    assert (world.held(WALLET), world.locks, world.of(LockMoved)) == (100 * M, [], [])
    assert not world.desk.proposals["p1"].has_moved


def test_what_the_wallet_has_not_is_refused_by_the_chain_and_failed():
    world = ready()
    signed_by_two(world, "p1", unstake(10 * M))
    until(world, "p1", Status.FAILED)
    assert "not so much BTT" in world.desk.proposals["p1"].why


@pytest.mark.parametrize("arrives", [True, False])
def test_an_order_into_silence_is_in_doubt_and_asked_for_never_sent_again(arrives):
    world = ready()
    world.node.is_silent, world.node.arrives_in_silence = True, arrives
    signed_by_two(world, "p1", stake(30 * M))
    until(world, "p1", Status.UNKNOWN)
    world.run(5)
    assert any("does not answer" in alert for alert in world.alerts)
    world.node.is_silent = False
    until(world, "p1", Status.DONE if arrives else Status.FAILED, 120)
    assert len(world.node.handed) == 1
    assert world.executed == arrives


def test_waiting_for_a_block_is_no_alarm():
    world = ready(params=msgspec.structs.replace(CHAIN, inclusion_blocks=5))
    signed_by_two(world, "p1", stake(30 * M))
    until(world, "p1")
    assert not [alert for alert in world.alerts if "p1 is unknown" in alert]


# --- who can carry it out -----------------------------------------------------------------------


def test_without_a_chain_every_action_of_its_kinds_is_refused_and_none_begins():
    world = ready(section=None)
    hedge = HedgeAction(
        market="BTC/USDT@other", cover=coins("BTT", 1), margin=coins("USDT", 1),
        until_ns=world.now + 3_600 * S,
    )  # fmt: skip
    for number, action in enumerate(
        [stake(M), unstake(M), add_to_pool(M, 1), take_from_pool(M, 1), sent(M), hedge]
    ):
        world.feed(word(world, f"p{number}", action))
    whys = [row.why for row in world.of(WordRefused)]
    assert len(whys) == 6
    assert all(why.startswith("no place can carry it out: ") for why in whys)
    world.run(3)
    assert world.of(Executing) == []


def test_a_transfer_from_a_place_that_no_chain_holds_is_refused():
    world = ready()
    strange = msgspec.structs.replace(sent(M), from_place="loopback", to_place=VAULT)
    world.feed(word(world, "p1", strange))
    assert world.of(WordRefused)[-1].why.endswith("[chain] sends from cold wallet only")


def test_an_action_allowed_before_its_chain_went_away_ends_and_never_begins():
    world = ready()
    asked, *approvals = signed(world, "p1", stake(30 * M))
    world.feed(asked)
    world.section = None
    world.start()
    for each in approvals:
        world.feed(each)
    world.run(3)
    assert status(world, "p1") is Status.REJECTED
    assert "no place" in world.desk.proposals["p1"].why
    assert (world.of(Executing), world.executed) == ([], 0)


def test_what_is_out_on_a_chain_that_went_away_is_in_doubt_and_said_once_until_it_is_back():
    world = ready()
    signed_by_two(world, "p1", stake(30 * M))
    until(world, "p1", Status.EXECUTING)
    world.section = None
    world.start()
    world.run(5)
    assert status(world, "p1") is Status.UNKNOWN
    assert sum("p1 is unknown" in alert for alert in world.alerts) == 1
    world.section = SECTION
    world.start()
    until(world, "p1")
    assert world.executed == 1


# --- beside files -------------------------------------------------------------------------------


def test_locks_of_the_file_stand_beside_those_of_the_chain():
    world = ready()
    signed_by_two(world, "p1", stake(30 * M))
    until(world, "p1")
    row = Lock(
        name="by hand", kind=LockKind.STAKED, place=VAULT, asset="BTT", atoms=5 * UNIT,
        unwind_ns=0, until_ns=0,
    )  # fmt: skip
    told = LockSet(at_ns=world.now, who="file", name="locks.csv", digest="1", rows=[row])
    world.feed(told)
    both = [("staked", VAULT, 5), ("staked", WALLET, 30 * M)]
    assert sorted(world.locks) == sorted(both)
    world.start()
    assert sorted(world.locks) == sorted(both)
    world.feed(msgspec.structs.replace(told, rows=[], at_ns=world.now))
    world.run(3)
    assert world.locks == [("staked", WALLET, 30 * M)]


def test_a_restart_before_a_silent_chain_forgets_neither_its_locks_nor_what_is_on_its_way():
    world = ready()
    signed_by_two(world, "p1", stake(30 * M))
    until(world, "p1")
    signed_by_two(world, "p2", sent(20 * M))
    while not world.of(TransferSent):
        world.turn()
    world.node.is_silent = True
    world.start()
    told = LockSet(at_ns=world.now, who="file", name="locks.csv", digest="1", rows=[])
    world.feed(told)
    known = [("staked", WALLET, 30 * M), ("withdrawal", VAULT, 20 * M)]
    assert sorted(world.locks) == known
    world.run(5)
    assert sorted(world.locks) == known
    world.node.is_silent = False
    until(world, "p2")
    assert world.locks == [("staked", WALLET, 30 * M)]


# --- a venue of ours as a place -----------------------------------------------------------------


def at_venue() -> ChainWorld:
    section = msgspec.structs.replace(SECTION, places=[WALLET, "loopback"])
    return ready(section=section)


def all_of_it(world: ChainWorld) -> int:
    return world.total + world.held("loopback")


def test_what_leaves_a_venue_of_ours_is_expected_of_its_account_and_freezes_nothing():
    world = at_venue()
    before, maker = all_of_it(world), world.engine.makers[TOKEN]
    away = msgspec.structs.replace(sent(5 * M), from_place="loopback", to_place=WALLET)
    signed_by_two(world, "p1", msgspec.structs.replace(away, address="TXabc123"))
    until(world, "p1")
    assert [row.venue for row in world.of(TransferSent)] == ["loopback"]
    assert world.locks == [("withdrawal", WALLET, 5 * M)]
    assert all_of_it(world) == before
    world.node.chain.free["BTT"] += 5 * M * UNIT
    world.node.chain._total["BTT"] += 5 * M * UNIT
    world.run(50)
    assert (world.locks, world.held(WALLET)) == ([], 105 * M)
    assert all_of_it(world) == before
    assert maker.keeper.position_lots(TOKEN) == world.position
    assert not maker.standing.frozen
    assert len(world.custody.orders) == len(world.of(TransferArrived)) == 1


def test_a_stake_at_a_venue_of_ours_is_a_lock_there_and_gone_from_its_account():
    world = at_venue()
    before, maker = all_of_it(world), world.engine.makers[TOKEN]
    there = msgspec.structs.replace(stake(5 * M), platform="loopback")
    signed_by_two(world, "p1", msgspec.structs.replace(there, address="TXstake"))
    until(world, "p1")
    world.run(50)
    assert world.locks == [("staked", "loopback", 5 * M)]
    assert [(row.venue, row.place) for row in world.of(LockMoved)] == [("loopback", "loopback")]
    assert all_of_it(world) == before
    assert maker.keeper.position_lots(TOKEN) == world.position
    assert not maker.standing.frozen


# --- over crashes -------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [stake(30 * M), sent(30 * M), add_to_pool(30 * M, 100)])
def test_killed_between_any_two_records_it_is_done_at_most_once_and_never_lost(action):
    calm = ready()
    first = len(calm.records)
    signed_by_two(calm, "p1", action)
    until(calm, "p1")
    for count in range(first, len(calm.records)):
        world = ready()
        world.deadly = count
        words = signed(world, "p1", action)
        try:
            for each in words:
                world.feed(each)
        except Died:
            world.start()
            world.run(3)
            for each in words:  # one that was kept is refused the second time
                world.feed(msgspec.structs.replace(each, at_ns=world.now))
        world.live(90)
        ended(world, 30 * M)
        assert world.epoch == 2, "it died and came back"


@pytest.mark.parametrize("dies", ["before", "after"])
def test_killed_around_the_hand_over_it_is_done_at_most_once_and_never_lost(dies):
    world = ready()
    signed_by_two(world, "p1", stake(30 * M))
    world.node.dies = dies
    world.live(90)
    assert world.epoch == 2
    assert (world.executed, status(world, "p1")) == (
        (0, Status.FAILED) if dies == "before" else (1, Status.DONE)
    )
    ended(world, 30 * M)


def ended(world: ChainWorld, tokens: int) -> None:
    """Its end is told, the chain did it as often as that says, and nothing is out of sight."""
    found = status(world, "p1")
    assert found in (Status.DONE, Status.FAILED)
    assert len(world.node.handed) <= 1, "handed over twice"
    assert world.executed == (found is Status.DONE)
    assert len(world.of(Executing)) == 1
    assert world.held(WALLET) == 100 * M - (tokens if found is Status.DONE else 0)
    arrived = sum(row.atoms for row in world.of(TransferArrived)) // UNIT
    forgotten = arrived - world.held(VAULT)  # until a statement of the other place shows it
    assert world.total == 100 * M - forgotten
    moved = [*world.of(TransferSent), *(r for r in world.of(LockMoved) if r.asset == "BTT")]
    assert [row.atoms for row in moved] == ([tokens * UNIT] if found is Status.DONE else [])
    assert len(world.of(TransferArrived)) == len(world.of(TransferSent))
