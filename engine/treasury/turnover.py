"""What was bought and sold within the last 24 hours, by minute: bounded, and never too little."""

from engine.treasury.dates import NS_PER_DAY
from engine.treasury.facts import Spent
from engine.values.units import NS_PER_S, Atoms, Ns

NS_PER_MIN = 60 * NS_PER_S


class Turnover:
    """A minute counts until its end is 24 hours old, so a trade counts up to a minute too long."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[str, int], tuple[Atoms, Atoms]] = {}
        self._forgot = 0
        self._counted: tuple[int, dict[str, Spent]] | None = None

    def add(self, asset: str, spent: Spent, at_ns: Ns) -> None:
        """Both amounts are what changed hands, never negative, whichever the side."""
        assert spent.atoms >= 0
        assert spent.money_atoms >= 0
        self._forget(at_ns)
        self._counted = None
        key = (asset, at_ns // NS_PER_MIN)
        atoms, money = self._minutes.get(key, (0, 0))
        self._minutes[key] = (atoms + spent.atoms, money + spent.money_atoms)

    def spent(self, at_ns: Ns) -> dict[str, Spent]:
        """By asset, of the 24 hours before `at_ns`. Counted once a minute and after a trade."""
        if self._counted is None or self._counted[0] != at_ns // NS_PER_MIN:
            self._counted = at_ns // NS_PER_MIN, self._count(at_ns)
        return dict(self._counted[1])

    def _count(self, at_ns: Ns) -> dict[str, Spent]:
        totals: dict[str, tuple[Atoms, Atoms]] = {}
        for (asset, minute), (atoms, money) in self._minutes.items():
            if not _is_over(minute, at_ns):
                before = totals.get(asset, (0, 0))
                totals[asset] = (before[0] + atoms, before[1] + money)
        return {name: Spent(atoms=a, money_atoms=m) for name, (a, m) in totals.items()}

    def _forget(self, at_ns: Ns) -> None:
        if at_ns // NS_PER_MIN == self._forgot:
            return
        self._forgot = at_ns // NS_PER_MIN
        self._minutes = {
            key: both for key, both in self._minutes.items() if not _is_over(key[1], at_ns)
        }


def _is_over(minute: int, at_ns: Ns) -> bool:
    """A day is whole minutes, so this is the same all through the minute of `at_ns`."""
    return (minute + 1) * NS_PER_MIN <= at_ns - NS_PER_DAY
