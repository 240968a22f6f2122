"""The simulated chain in its file: the same chain after a kill, and what its wallet means."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runtime.chain_file import ChainFile, chain_in, open_chain
from engine.trading.chain_books import ChainBooks
from engine.trading.chain_entries import Moved
from engine.treasury.chain_params import SimulatedChainParams
from engine.values.action_words import Coins
from engine.values.chain_words import (
    ChainOrder,
    ChainSeen,
    ChainStatus,
    Position,
    PositionKind,
)
from engine.values.errors import Rejected, UserError
from engine.values.ledger_words import (
    NOBODY,
    LockMoved,
    Rewarded,
    TransferArrived,
)
from engine.values.units import NS_PER_S
from tests.chain_world import UNIT, VAULT, WALLET, coins, sent, stake, unstake
from tests.treasury_world import SCHEME

S = NS_PER_S
PARAMS = SimulatedChainParams(
    seed=7, block_ms=1000, inclusion_blocks=3, confirmations=2, reverted_ppm=200_000,
    lost_ppm=100_000, notice_h={"p": 0.01}, pay_ppm={"p": 1000}, pay_every_s=20,
    opening={"BTT": "1000"},
)  # fmt: skip
EXPONENTS = {"BTT": 8, "USDT": 8}


class Time:
    def __init__(self):
        self.ns = 1_000 * S

    def now_ns(self):
        return self.ns


def opened(path, time) -> ChainFile:
    return open_chain(path, PARAMS, EXPONENTS, time.now_ns)


async def hand_over(chain, time, name, action):
    await chain.send(ChainOrder(reference=name, action=action, expires_ns=time.ns + 60 * S))


def picture(chain, at_ns):
    return chain.balances(at_ns), chain.positions(at_ns), chain.rewards(at_ns), chain.gone


async def test_another_process_finds_the_same_chain(tmp_path):
    time, path = Time(), tmp_path / "chain.jsonl"
    chain = opened(path, time)
    for number in range(12):
        time.ns += 7 * S
        action = (stake(10), sent(5), unstake(3))[number % 3]
        try:
            await hand_over(chain, time, str(number), action)
        except Rejected:
            continue
    for _ in range(40):
        again = opened(path, time)
        assert picture(again.node.chain, time.ns) == picture(chain.node.chain, time.ns)
        time.ns += 5 * S
    assert chain.node.chain.rewards(time.ns)


async def test_an_order_that_is_known_is_not_taken_again_by_either_process(tmp_path):
    time, path = Time(), tmp_path / "chain.jsonl"
    for _ in range(3):
        await hand_over(opened(path, time), time, "one", stake(10))
    assert len(path.read_bytes().splitlines()) == 2


async def test_a_line_that_a_kill_cut_off_is_no_order_and_the_next_one_stands_whole(tmp_path):
    time, path = Time(), tmp_path / "chain.jsonl"
    await hand_over(opened(path, time), time, "one", stake(10))
    path.write_bytes(path.read_bytes()[:-9])
    chain = opened(path, time)
    assert await chain.found("one") is None
    await hand_over(chain, time, "two", stake(10))
    found = await opened(path, time).found("two")
    assert found is not None
    assert found.status is ChainStatus.SENT


def test_a_line_that_is_none_is_told_by_its_number(tmp_path):
    time, path = Time(), tmp_path / "chain.jsonl"
    opened(path, time)
    path.write_bytes(path.read_bytes() + b'{"at_ns": 1}\n')
    with pytest.raises(UserError, match=r"chain\.jsonl:2: is no line of a simulated chain"):
        chain_in(path, time.ns)
    path.write_text(json.dumps({"strange": 1}) + "\n")
    with pytest.raises(UserError, match=r"chain\.jsonl:1: "):
        chain_in(path, time.ns)


def test_an_empty_file_is_no_chain(tmp_path):
    (tmp_path / "c").write_text("")
    with pytest.raises(UserError, match="c:1: is no line"):
        chain_in(tmp_path / "c", 1)


# --- what a wallet shows --------------------------------------------------------------------------


def seen(at_ns, free, *positions, **changes):
    known = {"rewards": [], "receipts": []} | changes
    return ChainSeen(
        at_ns=at_ns, asked_ns=at_ns, place=WALLET, balances=[coins("BTT", free)],
        positions=list(positions), **known,
    )  # fmt: skip


def position(tokens, kind=PositionKind.STAKED, name="p", **changes):
    known = {"notice_ns": 0, "back_ns": 0} | changes
    return Position(name=name, kind=kind, coins=[coins("BTT", tokens)], **known)


def books():
    return ChainBooks(SCHEME, [WALLET])


def kinds(words):
    return [type(word).__name__ for word in words]


def test_a_pool_that_grew_by_itself_paid_and_one_that_shrank_lost():
    ours = books()
    ours.explained(seen(1, 100, position(50, PositionKind.POOL)), [])
    [more] = ours.explained(seen(2, 100, position(53, PositionKind.POOL)), [])
    [less] = ours.explained(seen(3, 100, position(52, PositionKind.POOL)), [])
    assert (type(more), more.atoms, more.place) == (Rewarded, 3 * UNIT, "p")
    assert (type(less), less.atoms) == (Rewarded, -UNIT)


def test_what_comes_back_is_free_and_no_reward():
    ours = books()
    ours.explained(seen(1, 100, position(50)), [])
    back = position(20, PositionKind.UNWINDING, "p back 1", of="p")
    assert ours.explained(seen(2, 100, position(30), back), []) == []
    words = ours.explained(seen(3, 120, position(30)), [])
    assert kinds(words) == ["LockMoved", "HoldingsRead"]
    assert words[0].atoms == -20 * UNIT


def test_free_units_that_nothing_explains_are_only_read():
    ours = books()
    ours.explained(seen(1, 100), [])
    assert kinds(ours.explained(seen(2, 107), [])) == ["HoldingsRead"]


def test_a_transfer_to_the_wallet_arrives_when_exactly_so_much_more_is_there():
    ours = books()
    ours.explained(seen(1, 100), [])
    there = msgspec.structs.replace(sent(7), from_place=VAULT, to_place=WALLET)
    ours.remember(ours.sent(Moved(reference="r", action=there, people=NOBODY), 1))
    assert kinds(ours.explained(seen(2, 104), [])) == ["HoldingsRead"]
    words = ours.explained(seen(3, 111), [])
    assert kinds(words) == ["TransferArrived", "HoldingsRead"]
    assert isinstance(words[0], TransferArrived)
    assert ours.flights == {}


def test_a_movement_that_is_told_again_makes_no_word():
    ours, moved = books(), Moved(reference="r", action=stake(40), people=NOBODY)
    ours.explained(seen(1, 100), [])
    look = seen(2, 60, position(40))
    assert kinds(ours.explained(look, [moved])) == ["LockMoved", "HoldingsRead"]
    assert ours.explained(look, [moved]) == []


LOOKS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(LOOKS)
def test_whatever_a_wallet_shows_the_words_come_to_it_and_the_journal_rebuilds_it(looks):
    ours, again, words = books(), books(), []
    for number, (free, staked, pooled, back) in enumerate(looks):
        shown = [
            position(staked),
            position(pooled, PositionKind.POOL, "pool"),
            position(back, PositionKind.UNWINDING, "p back 1", of="p"),
        ]
        words += ours.explained(seen(number, free, *shown), [])
        assert ours.free[WALLET, "BTT"] == free * UNIT
        assert ours.locked.get((WALLET, "p", "BTT"), 0) == (staked + back) * UNIT
        assert ours.locked.get((WALLET, "pool", "BTT"), 0) == pooled * UNIT
    for word in words:
        again.remember(word)
    locked = {key: atoms for key, atoms in again.locked.items() if atoms}
    assert locked == {key: atoms for key, atoms in ours.locked.items() if atoms}
    assert (again.free, again.flights) == (ours.free, ours.flights)
    assert all(word.atoms for word in words if isinstance(word, LockMoved | Rewarded))


def test_an_asset_of_which_the_file_knows_nothing_is_passed_over():
    strange = Coins(asset="XYZ", atoms=5, exponent=0)
    look = msgspec.structs.replace(seen(1, 100), balances=[coins("BTT", 100), strange])
    ours = books()
    ours.explained(look, [])
    assert set(ours.free) == {(WALLET, "BTT")}
