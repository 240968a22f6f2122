"""Who holds what: free and locked money in atoms, and proof that none appears or vanishes."""

from collections import defaultdict

from adapters.loopback.refusals import insufficient_balance
from engine.values.units import Atoms


class Account:
    """The balances of one account. Locked money belongs to open orders."""

    def __init__(self, name: str, opening: dict[str, Atoms]) -> None:
        self.name = name
        self.free: dict[str, Atoms] = dict(opening)
        self.locked: dict[str, Atoms] = dict.fromkeys(opening, 0)
        self.updated_ns = 0

    def __repr__(self) -> str:
        held = ", ".join(f"{a} {self.free[a]}+{self.locked[a]}" for a in sorted(self.free))
        return f"<account {self.name} {held}>"

    def lock(self, asset: str, amount: Atoms) -> None:
        """Raises Refusal where not enough is free; then nothing has changed."""
        if self.free.get(asset, 0) < amount:
            raise insufficient_balance()
        self._move(asset, -amount, amount)

    def unlock(self, asset: str, amount: Atoms) -> None:
        self._move(asset, amount, -amount)

    def pay(self, asset: str, amount: Atoms) -> None:
        """Out of what was locked before."""
        self._move(asset, 0, -amount)

    def receive(self, asset: str, amount: Atoms) -> None:
        self._move(asset, amount, 0)

    def _move(self, asset: str, free: Atoms, locked: Atoms) -> None:
        self.free[asset] = self.free.get(asset, 0) + free
        self.locked[asset] = self.locked.get(asset, 0) + locked
        assert self.free[asset] >= 0, f"{asset}: free below zero"
        assert self.locked[asset] >= 0, f"{asset}: locked below zero"


class Accounts:
    """All accounts, the fees that the venue took and what the rest of the market gave and got."""

    def __init__(self, balances: dict[str, dict[str, Atoms]]) -> None:
        self._accounts = {name: Account(name, opening) for name, opening in balances.items()}
        self.fees: dict[str, Atoms] = defaultdict(int)
        self.outside: dict[str, Atoms] = defaultdict(int)
        self._total = self.total()

    def __getitem__(self, name: str) -> Account:
        return self._accounts[name]

    def get(self, name: str) -> Account | None:
        return self._accounts.get(name)

    def names(self) -> list[str]:
        return list(self._accounts)

    def move(self, name: str, asset: str, amount: Atoms) -> None:
        """Money that came from outside, or left where it is below 0, without any trade.

        Raises Refusal where not so much is free; then nothing has changed.
        """
        if self._accounts[name].free.get(asset, 0) + amount < 0:
            raise insufficient_balance()
        self._accounts[name].receive(asset, amount)
        self.outside[asset] -= amount

    def total(self) -> dict[str, Atoms]:
        """What all accounts, the fees and the outside hold together, assets with 0 left out."""
        total: dict[str, Atoms] = defaultdict(int)
        for pot in (self.fees, self.outside):
            for asset, amount in pot.items():
                total[asset] += amount
        for account in self._accounts.values():
            for pot in (account.free, account.locked):
                for asset, amount in pot.items():
                    total[asset] += amount
        return {asset: amount for asset, amount in total.items() if amount}

    def check(self) -> None:
        """Raise AssertionError where money appeared or vanished."""
        assert self.total() == self._total, "money appeared or vanished"
        for account in self._accounts.values():
            assert all(amount >= 0 for amount in account.free.values()), account
            assert all(amount >= 0 for amount in account.locked.values()), account
