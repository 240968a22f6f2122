"""A chain that is not there: blocks, confirmations, unwinding, and all that goes wrong with them.

Pure and seeded: time comes in, the same seed and the same calls give the same chain. An order is
SENT, is INCLUDED in a block some time later, and is CONFIRMED so many blocks after that; or it is
REVERTED there, or DROPPED because it was in no block when it expired. Congestion makes blocks full:
the wait for inclusion grows. Units are conserved (`check`): free, locked, on their way back or
gone to an address, they are always all that there was.
"""

import random
from collections.abc import Mapping
from typing import assert_never

import msgspec

from engine.sim.chain_yields import paid
from engine.values.action_words import (
    AddToPool,
    Coins,
    Stake,
    TakeFromPool,
    Transfer,
    Unstake,
)
from engine.values.chain_words import (
    FINAL,
    ChainAction,
    ChainOrder,
    ChainReceipt,
    ChainReward,
    ChainStatus,
    Position,
    PositionKind,
)
from engine.values.errors import Rejected
from engine.values.units import NS_PER_S, PPM, Atoms, Ns, Ppm

S = ChainStatus
DAY_NS: Ns = 86_400 * NS_PER_S
LIFE: Mapping[ChainStatus, frozenset[ChainStatus]] = {
    S.SENT: frozenset({S.INCLUDED, S.REVERTED, S.DROPPED}),
    S.INCLUDED: frozenset({S.CONFIRMED}),
    S.CONFIRMED: frozenset(),
    S.REVERTED: frozenset(),
    S.DROPPED: frozenset(),
}


class ChainParams(msgspec.Struct, frozen=True, kw_only=True):
    """`inclusion_blocks` is the mean wait without congestion. The two shares are of all orders.

    reverted_ppm: included and did nothing. lost_ppm: never seen by those who make blocks.
    notices: by platform or pool, how long units take from asking until they are back.
    yields: by platform or pool, the share that it pays at each `pay_every_ns`, as free units.
    """

    block_ns: Ns
    inclusion_blocks: int
    confirmations: int
    reverted_ppm: Ppm
    lost_ppm: Ppm
    notices: Mapping[str, Ns]
    yields: Mapping[str, Ppm] = {}
    pay_every_ns: Ns = DAY_NS


class _Sent:
    """An order and how it stands. `block` is when it will be included; never where lost."""

    def __init__(self, order: ChainOrder, at_ns: Ns) -> None:
        self.order = order
        self.status = S.SENT
        self.moved_ns = at_ns
        self.why = ""
        self.waits_blocks = 0
        self.is_lost = False
        self.will_revert = False

    def move(self, to: ChainStatus, at_ns: Ns, why: str = "") -> None:
        assert to in LIFE[self.status], f"{self.status} to {to}"
        self.status, self.moved_ns, self.why = to, at_ns, why


class SimulatedChain:
    """One wallet on one chain. `opening` is what is free in it, by asset."""

    def __init__(
        self, params: ChainParams, opening: Mapping[str, Coins], seed: int, at_ns: Ns
    ) -> None:
        self._params = params
        self._dice = random.Random(seed)
        self._exponents = {asset: coins.exponent for asset, coins in opening.items()}
        self.free: dict[str, Atoms] = {asset: coins.atoms for asset, coins in opening.items()}
        self.gone: dict[tuple[str, str], Atoms] = {}
        self._total = dict(self.free)
        self._locked: dict[tuple[PositionKind, str, str], Atoms] = {}
        self._returning: list[tuple[Ns, str, str, Atoms]] = []
        self._sent: dict[str, _Sent] = {}
        self._rewards: list[ChainReward] = []
        self._block_ns = self._paid_ns = at_ns
        self.congestion = 1
        self.halted = False

    def __repr__(self) -> str:
        waiting = sum(one.status not in FINAL for one in self._sent.values())
        return f"<chain {len(self._sent)} orders, {waiting} waiting, congestion {self.congestion}>"

    # --- orders ---------------------------------------------------------------------------------

    def send(self, order: ChainOrder, at_ns: Ns) -> None:
        """Take an order in; a reference that is known already changes nothing. Raises Rejected."""
        self.advance(at_ns)
        if order.reference in self._sent:
            return
        self._check(order.action)
        sent = _Sent(order, at_ns)
        wait = self._dice.expovariate(1 / max(1, self._params.inclusion_blocks))
        sent.waits_blocks = 1 + int(wait * self.congestion)
        sent.is_lost = self._dice.randrange(PPM) < self._params.lost_ppm
        sent.will_revert = self._dice.randrange(PPM) < self._params.reverted_ppm
        self._sent[order.reference] = sent

    def receipt(self, reference: str, at_ns: Ns) -> ChainReceipt | None:
        self.advance(at_ns)
        sent = self._sent.get(reference)
        if sent is None:
            return None
        return ChainReceipt(
            reference=reference, status=sent.status, at_ns=sent.moved_ns, why=sent.why
        )

    def positions(self, at_ns: Ns) -> list[Position]:
        """What is locked, a pool as one position with both sides, and what is on its way back."""
        self.advance(at_ns)
        found: dict[tuple[PositionKind, str], list[Coins]] = {}
        for (kind, name, asset), atoms in sorted(self._locked.items()):
            if atoms:
                found.setdefault((kind, name), []).append(self._coins(asset, atoms))
        held = [
            Position(
                name=name,
                kind=kind,
                coins=coins,
                notice_ns=self._params.notices[name],
                back_ns=0,
            )
            for (kind, name), coins in found.items()
        ]
        back = [
            Position(
                name=f"{name} back {number}",
                kind=PositionKind.UNWINDING,
                coins=[self._coins(asset, atoms)],
                notice_ns=0,
                back_ns=back_ns,
                of=name,
            )
            for number, (back_ns, name, asset, atoms) in enumerate(self._returning, 1)
        ]
        return held + back

    def balances(self, at_ns: Ns) -> list[Coins]:
        self.advance(at_ns)
        return [self._coins(asset, atoms) for asset, atoms in self.free.items()]

    def rewards(self, at_ns: Ns) -> list[ChainReward]:
        self.advance(at_ns)
        return list(self._rewards)

    # --- time -----------------------------------------------------------------------------------

    def advance(self, at_ns: Ns) -> None:
        """Make every block up to now. A halted chain makes none; orders expire all the same."""
        while self._block_ns + self._params.block_ns <= at_ns:
            self._block_ns += self._params.block_ns
            self._make_block(self._block_ns)
        for sent in self._sent.values():
            if sent.status is S.SENT and at_ns >= sent.order.expires_ns:
                sent.move(S.DROPPED, at_ns, "it was in no block when it expired")
        self._come_back(at_ns)
        self.check()

    def _come_back(self, at_ns: Ns) -> None:
        due = [row for row in self._returning if row[0] <= at_ns]
        for row in due:
            self._returning.remove(row)
            self.free[row[2]] += row[3]

    def _make_block(self, at_ns: Ns) -> None:
        """How often one looks changes nothing: all that moves in a block moves at its moment."""
        self._come_back(at_ns)
        if self.halted:
            return
        self._pay(at_ns)
        for sent in self._sent.values():
            is_due = sent.order.expires_ns > at_ns and not sent.is_lost
            if sent.status is S.SENT and is_due:
                sent.waits_blocks -= 1
                if sent.waits_blocks <= 0:
                    self._include(sent, at_ns)
            elif sent.status is S.INCLUDED:
                deep_ns = self._params.confirmations * self._params.block_ns
                if at_ns - sent.moved_ns >= deep_ns:
                    sent.move(S.CONFIRMED, at_ns)

    def _pay(self, at_ns: Ns) -> None:
        while self._paid_ns + self._params.pay_every_ns <= at_ns:
            self._paid_ns += self._params.pay_every_ns
            params = self._params
            for reward in paid(self._locked, params.yields, self._exponents, self._paid_ns):
                self.free[reward.coins.asset] += reward.coins.atoms
                self._total[reward.coins.asset] += reward.coins.atoms
                self._rewards.append(reward)

    def _include(self, sent: _Sent, at_ns: Ns) -> None:
        """Funds may have gone since it was sent: then it reverts, as on a real chain."""
        try:
            self._check(sent.order.action)
        except Rejected as error:
            sent.move(S.REVERTED, at_ns, error.text)
            return
        if sent.will_revert:
            sent.move(S.REVERTED, at_ns, "the contract refused it")
            return
        self._apply(sent.order.action, at_ns)
        sent.move(S.INCLUDED, at_ns)

    # --- money ----------------------------------------------------------------------------------

    def _apply(self, action: ChainAction, at_ns: Ns) -> None:
        match action:
            case Stake():
                self._lock(PositionKind.STAKED, action.platform, action.coins)
            case Unstake():
                self._unlock(PositionKind.STAKED, action.platform, action.coins, at_ns)
            case AddToPool():
                for coins in action.coins:
                    self._lock(PositionKind.POOL, action.pool, coins)
            case TakeFromPool():
                for coins in action.coins:
                    self._unlock(PositionKind.POOL, action.pool, coins, at_ns)
            case Transfer():
                asset = action.coins.asset
                self.free[asset] -= action.coins.atoms
                key = (action.address, asset)
                self.gone[key] = self.gone.get(key, 0) + action.coins.atoms
            case _:
                assert_never(action)

    def _lock(self, kind: PositionKind, name: str, coins: Coins) -> None:
        key = (kind, name, coins.asset)
        self.free[coins.asset] -= coins.atoms
        self._locked[key] = self._locked.get(key, 0) + coins.atoms

    def _unlock(self, kind: PositionKind, name: str, coins: Coins, at_ns: Ns) -> None:
        self._locked[kind, name, coins.asset] -= coins.atoms
        back_ns = at_ns + self._params.notices[name]
        self._returning.append((back_ns, name, coins.asset, coins.atoms))

    def _check(self, action: ChainAction) -> None:
        """Raises Rejected for what cannot be done as things stand."""
        match action:
            case Stake():
                self._check_free([action.coins], action.platform)
            case Unstake():
                self._check_locked(PositionKind.STAKED, action.platform, [action.coins])
            case AddToPool():
                self._check_free(action.coins, action.pool)
            case TakeFromPool():
                self._check_locked(PositionKind.POOL, action.pool, action.coins)
            case Transfer():
                self._check_free([action.coins], "")
            case _:
                assert_never(action)

    def _check_free(self, wanted: list[Coins], name: str) -> None:
        if name and name not in self._params.notices:
            raise Rejected(f"the chain knows no {name[:40]}", code="platform")
        for coins in wanted:
            if self.free.get(coins.asset, 0) < coins.atoms:
                raise Rejected(f"not so much {coins.asset} is free", code="funds")

    def _check_locked(self, kind: PositionKind, name: str, wanted: list[Coins]) -> None:
        for coins in wanted:
            if self._locked.get((kind, name, coins.asset), 0) < coins.atoms:
                raise Rejected(f"not so much {coins.asset} is in {name[:40]}", code="funds")

    def _coins(self, asset: str, atoms: Atoms) -> Coins:
        return Coins(asset=asset, atoms=atoms, exponent=self._exponents[asset])

    def check(self) -> None:
        """Assert that nothing was made or lost."""
        found = dict(self.free)
        rows = [(asset, atoms) for (_, _, asset), atoms in self._locked.items()]
        rows += [(asset, atoms) for _, _, asset, atoms in self._returning]
        rows += [(asset, atoms) for (_, asset), atoms in self.gone.items()]
        for asset, atoms in rows:
            assert atoms >= 0, "less than nothing"
            found[asset] += atoms
        assert found == self._total, "units were made or lost"
