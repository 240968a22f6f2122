"""What is allowed is carried out: sales at once, transfers with their delay, switches, reviews."""

from typing import assert_never

import msgspec

from engine.sim.quarter_orders import Orders
from engine.sim.quarter_setup import USDT
from engine.sim.quarter_world import WHO, World
from engine.treasury.desk_step import Begin
from engine.values.action_records import Ending
from engine.values.action_words import (
    Action,
    AddToPool,
    Convert,
    EmergencySale,
    HedgeAction,
    Override,
    Rebalance,
    Scope,
    Stake,
    StopActions,
    TakeFromPool,
    Transfer,
    Unstake,
    WidenLimit,
)
from engine.values.execution_records import Switched
from engine.values.ledger_words import LockMoved, People, TransferArrived, TransferSent
from engine.values.treasury_words import FloatSet, Lock, LockKind, PriceReviewed
from engine.values.units import NS_PER_S, Atoms, Ns

TRANSFER_NS = 12 * 3_600 * NS_PER_S
NETWORK_FEE: dict[str, Atoms] = {"BTT": 0, USDT: 0}
FLOAT_CODE = "shortfall"
"""A transfer asked for with this code fills a float; any other only passes through."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """On its way: it arrives at `due_ns`."""

    name: str
    action: Transfer
    due_ns: Ns
    lock: Lock


class Hands:
    def __init__(self, world: World, orders: Orders) -> None:
        self._world = world
        self._orders = orders
        self._sent: list[Sent] = []

    def carry_out(self) -> None:
        """Everything that has begun, in its order; each is told to the desk once."""
        world = self._world
        while world.begins:
            begin = world.begins.pop(0)
            self._do(begin, begin.action)

    def arrive(self) -> None:
        """Transfers whose time has come."""
        world = self._world
        due = [one for one in self._sent if one.due_ns <= world.now_ns]
        for one in due:
            self._sent.remove(one)
            coins, place = one.action.coins, one.action.to_place
            world.move(place, coins.asset, coins.atoms)
            world.keep(
                TransferArrived(
                    venue=place, at_ns=world.now_ns, ref=one.name, part=0, asset=coins.asset,
                    atoms=coins.atoms,
                )
            )  # fmt: skip
            world.lock(lock for lock in world.locks if lock.name != one.lock.name)
            world.tell_balances(place)
            self._fill_float(one)
            self._end(one.name, "it arrived", is_done=True, has_moved=True)

    def _do(self, begin: Begin, action: Action) -> None:
        match action:
            case Convert() | Rebalance() | EmergencySale():
                is_done, why, has_moved = self._orders.sell(action, begin.name)
                self._end(begin.name, why, is_done=is_done, has_moved=has_moved)
            case Transfer():
                self._send(begin.name, action)
            case StopActions():
                self._stop(action)
                self._end(begin.name, "stopped", is_done=True, has_moved=True)
            case WidenLimit():
                self._review(begin.name)
                self._end(begin.name, "reviewed", is_done=True, has_moved=True)
            case Stake():
                self._stake(begin.name, action)
                self._end(begin.name, "staked", is_done=True, has_moved=True)
            case Override():
                self._do(begin, action.does)
            case HedgeAction() | Unstake() | AddToPool() | TakeFromPool():
                why = "the quarter has no such place"
                self._end(begin.name, why, is_done=False, has_moved=False)
            case _:
                assert_never(action)

    def _end(self, name: str, why: str, *, is_done: bool, has_moved: bool) -> None:
        world = self._world
        ending = Ending.DONE if is_done else Ending.FAILED
        world.take(world.desk.tell(name, ending, why, at_ns=world.now_ns, has_moved=has_moved))

    # --- one each -------------------------------------------------------------------------------

    def _send(self, name: str, action: Transfer) -> None:
        world, coins = self._world, action.coins
        world.move(action.from_place, coins.asset, -coins.atoms)
        world.keep(
            TransferSent(
                venue=action.from_place, to_venue=action.to_place, at_ns=world.now_ns, ref=name,
                asset=coins.asset, atoms=coins.atoms, fee_atoms=NETWORK_FEE[coins.asset],
                people=self._people(name),
            )
        )  # fmt: skip
        due_ns = world.now_ns + TRANSFER_NS
        lock = Lock(
            name=name, kind=LockKind.WITHDRAWAL, place=action.to_place, asset=coins.asset,
            atoms=coins.atoms, unwind_ns=0, until_ns=due_ns,
        )  # fmt: skip
        self._sent.append(Sent(name=name, action=action, due_ns=due_ns, lock=lock))
        world.tell_balances(action.from_place)
        world.lock([*world.locks, lock])

    def _fill_float(self, one: Sent) -> None:
        world = self._world
        proposal = world.desk.proposals[one.name]
        if proposal.request.code != FLOAT_CODE:
            return
        coins, place = one.action.coins, one.action.to_place
        working = world.treasury.holdings.facts().working.get((place, coins.asset), 0)
        fact = FloatSet(
            at_ns=world.now_ns, who=proposal.request.who, venue=place, asset=coins.asset,
            atoms=working + coins.atoms, reason=one.name,
        )  # fmt: skip
        world.tell(fact, f"float of {coins.asset} at {place}")

    def _stop(self, action: StopActions) -> None:
        world = self._world
        assert action.scope is Scope.VENUE, "people of the quarter only stop venues"
        world.stopped.add(action.name)
        world.keep(
            Switched(at_ns=world.now_ns, scope=action.scope, name=action.name, is_on=True,
                     who=WHO, reason="outage")
        )  # fmt: skip

    def _review(self, name: str) -> None:
        """People looked at the limits at the price of today."""
        world = self._world
        digest = world.desk.proposals[name].digest
        for review in list(world.treasury.limits.reviews.values()):
            world.tell(
                PriceReviewed(
                    at_ns=world.now_ns, action=digest, asset=review.asset,
                    money_atoms=review.now.money_atoms, base_atoms=review.now.base_atoms,
                ),
                f"review of {review.asset}",
            )  # fmt: skip

    def _stake(self, name: str, action: Stake) -> None:
        world, coins = self._world, action.coins
        place = action.platform
        world.move(place, coins.asset, -coins.atoms)
        world.keep(
            LockMoved(venue=place, place=name, at_ns=world.now_ns, ref=name, asset=coins.asset,
                      atoms=coins.atoms, people=self._people(name))
        )  # fmt: skip
        lock = Lock(
            name=name, kind=LockKind.STAKED, place=place, asset=coins.asset, atoms=coins.atoms,
            unwind_ns=action.notice_ns, until_ns=0,
        )  # fmt: skip
        world.tell_balances(place)
        world.lock([*world.locks, lock])

    def _people(self, name: str) -> People:
        proposal = self._world.desk.proposals[name]
        return People(
            requester=proposal.request.who,
            approvers=tuple(given.who for given in proposal.signatures),
            proposal=proposal.digest,
        )
