"""The simulated chain: nothing made or lost, nothing done twice, and what a desk makes of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runtime.action_driver import open_driver
from engine.runtime.chain_place import ChainPlace, chain_action, outcome_of
from engine.runtime.simulated_chain import SimulatedNode
from engine.sim.chain import LIFE, ChainParams, SimulatedChain
from engine.treasury.chain_locks import lock_set, locks_of
from engine.treasury.proposals import Status
from engine.values.action_records import Ending
from engine.values.action_words import (
    AddToPool,
    Coins,
    Scope,
    Stake,
    StopActions,
    TakeFromPool,
    Transfer,
    Unstake,
)
from engine.values.chain_words import FINAL, ChainOrder, ChainReceipt, ChainStatus, PositionKind
from engine.values.errors import Rejected, Unknown
from engine.values.treasury_words import Lock, LockKind
from engine.values.units import NS_PER_S
from tests.action_builders import (
    ANNA,
    FAY,
    NOW,
    OTTO,
    POLICY,
    ROSTER,
    btt_price,
    request,
    transfer,
)

S = NS_PER_S
WEEK = 7 * 86_400 * S


def btt(atoms):
    return Coins(asset="BTT", atoms=atoms, exponent=8)


def usdt(atoms):
    return Coins(asset="USDT", atoms=atoms, exponent=8)


def params(**changes):
    known = {
        "block_ns": 3 * S,
        "inclusion_blocks": 2,
        "confirmations": 3,
        "reverted_ppm": 0,
        "lost_ppm": 0,
        "notices": {"stakes": WEEK, "swap": 60 * S},
    }
    return ChainParams(**{**known, **changes})


def chain(seed=1, at_ns=0, **changes):
    opening = {"BTT": btt(1_000), "USDT": usdt(500)}
    return SimulatedChain(params(**changes), opening, seed, at_ns)


def stake(atoms):
    return Stake(coins=btt(atoms), platform="stakes", address="T1", notice_ns=WEEK)


def unstake(atoms):
    return Unstake(coins=btt(atoms), platform="stakes", address="T1")


def order(name, action, expires_ns=3_600 * S):
    return ChainOrder(reference=name, action=action, expires_ns=expires_ns)


def free(one, at_ns):
    return {coins.asset: coins.atoms for coins in one.balances(at_ns)}


# --- the chain ----------------------------------------------------------------------------------


def test_a_stake_waits_for_a_block_and_then_for_its_confirmations():
    one = chain()
    one.send(order("a", stake(300)), 0)
    assert one.receipt("a", 0).status is ChainStatus.SENT
    seen = [one.receipt("a", second * S).status for second in range(120)]
    assert [*dict.fromkeys(seen)] == [
        ChainStatus.SENT,
        ChainStatus.INCLUDED,
        ChainStatus.CONFIRMED,
    ]
    assert free(one, 120 * S)["BTT"] == 700


def test_what_is_unstaked_is_back_after_its_notice_and_not_before():
    one = chain()
    one.send(order("a", stake(300)), 0)
    one.advance(600 * S)
    one.send(order("b", unstake(100)), 600 * S)
    one.advance(1_200 * S)
    (back,) = [p for p in one.positions(1_200 * S) if p.kind is PositionKind.UNWINDING]
    assert free(one, back.back_ns - 1)["BTT"] == 700
    assert free(one, back.back_ns)["BTT"] == 800


def test_the_same_reference_is_done_once_however_often_it_is_sent():
    one = chain()
    for second in range(200):
        one.send(order("a", stake(100)), second * S)
    assert free(one, 400 * S)["BTT"] == 900


def test_congestion_makes_orders_wait_and_expire_without_having_happened():
    one = chain()
    one.congestion = 10_000
    one.send(order("a", stake(100), expires_ns=60 * S), 0)
    assert one.receipt("a", 61 * S).status is ChainStatus.DROPPED
    one.congestion = 1
    assert one.receipt("a", 9_999 * S).status is ChainStatus.DROPPED
    assert free(one, 9_999 * S)["BTT"] == 1_000


def test_a_halted_chain_makes_no_block():
    one = chain()
    one.halted = True
    one.send(order("a", stake(100)), 0)
    assert one.receipt("a", 600 * S).status is ChainStatus.SENT
    one.halted = False
    assert one.receipt("a", 1_200 * S).status is ChainStatus.CONFIRMED


def test_a_lost_order_is_dropped_and_a_reverted_one_moves_nothing():
    lost, reverted = chain(lost_ppm=1_000_000), chain(reverted_ppm=1_000_000)
    for one in (lost, reverted):
        one.send(order("a", stake(100), expires_ns=300 * S), 0)
    assert lost.receipt("a", 301 * S).status is ChainStatus.DROPPED
    assert reverted.receipt("a", 301 * S).status is ChainStatus.REVERTED
    assert free(lost, 301 * S) == free(reverted, 301 * S) == {"BTT": 1_000, "USDT": 500}


def test_funds_that_went_meanwhile_make_the_second_revert():
    one = chain()
    one.send(order("a", stake(800)), 0)
    one.send(order("b", stake(800)), 0)
    ends = sorted(one.receipt(name, 600 * S).status.value for name in "ab")
    assert ends == ["confirmed", "reverted"]


@pytest.mark.parametrize(
    "action",
    [
        stake(1_001),
        unstake(1),
        Stake(coins=btt(1), platform="nobody", address="T1", notice_ns=0),
        TakeFromPool(pool="swap", address="T1", coins=[btt(1), usdt(1)]),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(action):
    one = chain()
    with pytest.raises(Rejected):
        one.send(order("a", action), 0)
    assert one.receipt("a", 600 * S) is None


def test_no_final_state_leads_anywhere():
    for status in ChainStatus:
        assert bool(LIFE[status]) == (status not in FINAL)


ACTS = st.one_of(
    st.integers(1, 700).map(stake),
    st.integers(1, 700).map(unstake),
    st.tuples(st.integers(1, 300), st.integers(1, 300)).map(
        lambda two: AddToPool(pool="swap", address="T", coins=[btt(two[0]), usdt(two[1])])
    ),
    st.tuples(st.integers(1, 300), st.integers(1, 300)).map(
        lambda two: TakeFromPool(pool="swap", address="T", coins=[btt(two[0]), usdt(two[1])])
    ),
    st.integers(1, 400).map(
        lambda atoms: Transfer(
            coins=btt(atoms), from_place="cold", to_place="one", network="n", address="T9", memo=""
        )
    ),
)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 99),
    st.lists(st.tuples(ACTS, st.integers(0, 90), st.sampled_from((1, 1, 50))), max_size=12),
)
def test_whatever_is_asked_units_are_conserved_and_the_same_seed_is_the_same_chain(seed, acts):
    ends = []
    for _ in range(2):
        one, at_ns = chain(seed, reverted_ppm=200_000, lost_ppm=200_000), 0
        for number, (action, wait_s, congestion) in enumerate(acts):
            at_ns += wait_s * S
            one.congestion = congestion
            try:
                one.send(order(str(number), action, at_ns + 120 * S), at_ns)
            except Rejected:
                continue
        one.advance(at_ns + 600 * S)
        one.check()
        receipts = [one.receipt(str(number), at_ns + 600 * S) for number in range(len(acts))]
        assert all(found is None or found.status in FINAL for found in receipts)
        ends.append((receipts, one.positions(at_ns + 600 * S), free(one, at_ns + 600 * S)))
    assert ends[0] == ends[1]


# --- as locks -----------------------------------------------------------------------------------


def test_positions_are_locks_with_their_time_to_cash():
    one = chain()
    one.send(order("a", stake(300)), 0)
    pool = AddToPool(pool="swap", address="T", coins=[btt(100), usdt(60)])
    one.send(order("b", pool), 0)
    one.advance(600 * S)
    one.send(order("c", unstake(50)), 600 * S)
    one.advance(1_200 * S)
    rows = {lock.name: lock for lock in locks_of(one.positions(1_200 * S), "cold")}
    assert rows["stakes"].kind is LockKind.STAKED
    assert (rows["stakes"].atoms, rows["stakes"].unwind_ns) == (250, WEEK)
    assert {rows["swap/BTT"].atoms, rows["swap/USDT"].atoms} == {100, 60}
    back = rows["stakes back 1"]
    assert back.kind is LockKind.WITHDRAWAL
    assert back.until_ns > 1_200 * S + WEEK - 700 * S


def test_what_the_chain_tells_replaces_what_people_wrote_of_it():
    one = chain()
    one.send(order("a", stake(300)), 0)
    by_hand = [
        Lock(
            name=name, kind=LockKind.STAKED, place="cold", asset="BTT", atoms=999,
            unwind_ns=0, until_ns=0,
        )
        for name in ("stakes", "elsewhere")
    ]  # fmt: skip
    found = lock_set(one.positions(600 * S), "cold", by_hand, 600 * S)
    assert {lock.name: lock.atoms for lock in found.rows} == {"elsewhere": 999, "stakes": 300}


# --- behind a desk ------------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.ns = NOW

    def now_ns(self):
        return self.ns


class World:
    """A desk whose approved transfers are carried out on the chain."""

    def __init__(self, **changes):
        self.clock = Clock()
        rich = {"BTT": btt(10**17), "USDT": usdt(10**11)}
        self.chain = SimulatedChain(params(**changes), rich, 1, NOW)
        self.node = SimulatedNode(self.chain, self.clock.now_ns)
        self.place = ChainPlace(self.node, self.clock.now_ns, 600 * S)

    def pass_s(self, seconds):
        self.clock.ns += seconds * S


ASKED = ANNA.asks(request(action=transfer()))


async def approved(driver):
    """An approved transfer of 100,000,000 BTT."""
    driver.desk.price(btt_price(NOW))
    await driver.load([ROSTER])
    for word in (ASKED, OTTO.answers(ASKED), FAY.answers(ASKED)):
        await driver.take(word)


def gone(world):
    return sum(atoms for (_, asset), atoms in world.chain.gone.items() if asset == "BTT")


async def test_a_desk_waits_for_the_last_confirmation_and_hands_over_once(tmp_path):
    world = World()
    async with open_driver(tmp_path, POLICY, world.place, world.clock.now_ns) as driver:
        await approved(driver)
        await driver.carry_out()
        assert driver.desk.proposals["p1"].status is Status.UNKNOWN
        for _ in range(40):
            world.pass_s(3)
            await driver.carry_out()
        assert driver.desk.proposals["p1"].status is Status.DONE
    assert gone(world) == 100_000_000 * 10**8


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_node_that_fell_silent_leads_to_no_second_transfer(tmp_path, arrives):
    world = World()
    world.node.is_silent, world.node.arrives_in_silence = True, arrives
    async with open_driver(tmp_path, POLICY, world.place, world.clock.now_ns) as driver:
        await approved(driver)
        await driver.carry_out()
        world.pass_s(300)
        await driver.carry_out()
        assert driver.desk.proposals["p1"].status is Status.UNKNOWN
        world.node.is_silent = False
        world.pass_s(60)
        await driver.carry_out()
        ended = driver.desk.proposals["p1"].status
    assert ended is (Status.DONE if arrives else Status.FAILED)
    assert gone(world) == (100_000_000 * 10**8 if arrives else 0)


async def test_an_order_that_expired_in_a_congested_chain_failed(tmp_path):
    world = World()
    world.chain.congestion = 100_000
    async with open_driver(tmp_path, POLICY, world.place, world.clock.now_ns) as driver:
        await approved(driver)
        await driver.carry_out()
        world.pass_s(601)
        await driver.carry_out()
        assert driver.desk.proposals["p1"].status is Status.FAILED
    assert gone(world) == 0


async def test_a_node_in_silence_says_so_for_every_question():
    world = World()
    world.node.is_silent = True
    for asked in (world.node.found("a"), world.node.positions(), world.node.balances()):
        with pytest.raises(Unknown):
            await asked


def test_what_is_done_elsewhere_is_refused():
    with pytest.raises(Rejected):
        chain_action(StopActions(scope=Scope.ALL, name=""))


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (ChainStatus.SENT, Ending.UNKNOWN),
        (ChainStatus.INCLUDED, Ending.UNKNOWN),
        (ChainStatus.CONFIRMED, Ending.DONE),
        (ChainStatus.REVERTED, Ending.FAILED),
        (ChainStatus.DROPPED, Ending.FAILED),
    ],
)
def test_only_what_is_final_is_an_end(status, ending):
    receipt = ChainReceipt(reference="a", status=status, at_ns=0, why="")
    assert outcome_of(receipt).ending is ending
