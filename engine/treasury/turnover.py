"""What was bought and sold within the last 24 hours, by minute: bounded, and never too little."""

from engine.treasury.dates import NS_PER_DAY
from engine.treasury.facts import Spent
from engine.values.units import NS_PER_S, Atoms, Ns

NS_PER_MIN = 60 * NS_PER_S


class Turnover:
    """A minute counts until its end is 24 hours old, so a trade counts up to a minute too long."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[str, int], tuple[Atoms, Atoms]] = {}

    def add(self, asset: str, spent: Spent, at_ns: Ns) -> None:
        """Both amounts are what changed hands, never negative, whichever the side."""
        assert spent.atoms >= 0
        assert spent.money_atoms >= 0
        self._forget(at_ns)
        key = (asset, at_ns // NS_PER_MIN)
        atoms, money = self._minutes.get(key, (0, 0))
        self._minutes[key] = (atoms + spent.atoms, money + spent.money_atoms)

    def spent(self, at_ns: Ns) -> dict[str, Spent]:
        """By asset, of the 24 hours before `at_ns`."""
        totals: dict[str, tuple[Atoms, Atoms]] = {}
        for (asset, minute), (atoms, money) in self._minutes.items():
            if not _is_over(minute, at_ns):
                before = totals.get(asset, (0, 0))
                totals[asset] = (before[0] + atoms, before[1] + money)
        return {name: Spent(atoms=a, money_atoms=m) for name, (a, m) in totals.items()}

    def _forget(self, at_ns: Ns) -> None:
        self._minutes = {
            key: both for key, both in self._minutes.items() if not _is_over(key[1], at_ns)
        }


def _is_over(minute: int, at_ns: Ns) -> bool:
    return (minute + 1) * NS_PER_MIN <= at_ns - NS_PER_DAY
