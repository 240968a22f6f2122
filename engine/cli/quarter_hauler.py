"""Where transfers and stakes of a live quarter happen: people carry them out when they may.

A transfer takes twelve hours. Meanwhile it is a lock at its goal, and in transit for the books.
"""

from engine.cli.quarter_ground import LiveGround
from engine.runtime.action_driver import Outcome
from engine.sim.quarter_hands import FLOAT_CODE, NETWORK_FEE, TRANSFER_NS
from engine.treasury.desk_step import Begin
from engine.values.action_records import Ending
from engine.values.action_words import Override, Stake, Transfer
from engine.values.errors import Rejected
from engine.values.ledger_words import LockMoved, People, TransferArrived, TransferSent
from engine.values.treasury_words import FloatSet, Lock, LockKind
from engine.values.units import Ns

DONE = Outcome(ending=Ending.DONE, has_moved=True, why="it is there")
UNDER_WAY = Outcome(ending=Ending.UNKNOWN, has_moved=True, why="on its way")


class Hauler:
    """Fulfils `action_driver.Place`. The ground is handed in once it stands."""

    def __init__(self) -> None:
        self.ground: LiveGround
        self._flights: dict[str, tuple[str, Transfer, Ns]] = {}
        self._done: set[str] = set()

    async def execute(self, begin: Begin) -> Outcome:
        """Raises Rejected where nothing happened and nothing will."""
        action = begin.action.does if isinstance(begin.action, Override) else begin.action
        match action:
            case Transfer():
                self._send(begin, action)
                return UNDER_WAY
            case Stake():
                self._stake(begin, action)
                self._done.add(begin.reference)
                return DONE
            case _:
                raise Rejected("nobody carries this out here", code="kind")

    async def ask(self, reference: str) -> Outcome | None:
        if reference in self._done:
            return DONE
        return UNDER_WAY if reference in self._flights else None

    def arrive(self) -> None:
        """Everything whose time has come."""
        ground = self.ground
        due = {ref: one for ref, one in self._flights.items() if one[2] <= ground.now_ns}
        for reference, (name, action, _) in due.items():
            del self._flights[reference]
            self._done.add(reference)
            coins, place = action.coins, action.to_place
            ground.move(place, coins.asset, coins.atoms)
            ground.keep(
                TransferArrived(
                    venue=place, at_ns=ground.now_ns, ref=name, part=0, asset=coins.asset,
                    atoms=coins.atoms,
                )
            )  # fmt: skip
            ground.lock([lock for lock in ground.locks if lock.name != name])
            ground.tell_balances(place)
            self._fill_float(name, action)

    # --- one each -------------------------------------------------------------------------------

    def _send(self, begin: Begin, action: Transfer) -> None:
        ground, coins = self.ground, action.coins
        if ground.is_down(action.from_place):
            raise Rejected(f"{action.from_place} does not answer", code="down")
        if ground.held.get((action.from_place, coins.asset), 0) < coins.atoms:
            raise Rejected(f"{action.from_place} has not so much {coins.asset}", code="funds")
        ground.move(action.from_place, coins.asset, -coins.atoms)
        ground.keep(
            TransferSent(
                venue=action.from_place, to_venue=action.to_place, at_ns=ground.now_ns,
                ref=begin.name, asset=coins.asset, atoms=coins.atoms,
                fee_atoms=NETWORK_FEE[coins.asset], people=self._people(begin.name),
            )
        )  # fmt: skip
        due_ns = ground.now_ns + TRANSFER_NS
        lock = Lock(
            name=begin.name, kind=LockKind.WITHDRAWAL, place=action.to_place, asset=coins.asset,
            atoms=coins.atoms, unwind_ns=0, until_ns=due_ns,
        )  # fmt: skip
        self._flights[begin.reference] = begin.name, action, due_ns
        ground.lock([*ground.locks, lock])
        ground.tell_balances(action.from_place)

    def _stake(self, begin: Begin, action: Stake) -> None:
        ground, coins, place = self.ground, action.coins, action.platform
        ground.move(place, coins.asset, -coins.atoms)
        ground.keep(
            LockMoved(venue=place, place=begin.name, at_ns=ground.now_ns, ref=begin.name,
                      asset=coins.asset, atoms=coins.atoms, people=self._people(begin.name))
        )  # fmt: skip
        lock = Lock(
            name=begin.name, kind=LockKind.STAKED, place=place, asset=coins.asset,
            atoms=coins.atoms, unwind_ns=action.notice_ns, until_ns=0,
        )  # fmt: skip
        ground.lock([*ground.locks, lock])
        ground.tell_balances(place)

    def _fill_float(self, name: str, action: Transfer) -> None:
        """What was sent to fill a float is the market maker's from now on."""
        proposal, coins = self.ground.driver.desk.proposals[name], action.coins
        if proposal.request.code != FLOAT_CODE:
            return
        facts = self.ground.treasury.holdings.facts()
        working = facts.working.get((action.to_place, coins.asset), 0)
        fact = FloatSet(
            at_ns=self.ground.now_ns, who=proposal.request.who, venue=action.to_place,
            asset=coins.asset, atoms=working + coins.atoms, reason=name,
        )  # fmt: skip
        self.ground.tell(fact, f"float of {coins.asset} at {action.to_place}")

    def _people(self, name: str) -> People:
        proposal = self.ground.driver.desk.proposals[name]
        return People(
            requester=proposal.request.who,
            approvers=tuple(given.who for given in proposal.signatures),
            proposal=proposal.digest,
        )
