# cython: language_level=3, annotation_typing=False
"""Open orders by id and by owner."""

from engine.sim.matching.terms import Resting


class OpenOrders:
    """An owner without an open order leaves no trace, so that memory follows the open orders."""

    def __init__(self) -> None:
        self._by_id: dict[int, Resting] = {}
        self._by_owner: dict[str, dict[int, Resting]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._by_id

    def get(self, order_id: int) -> Resting | None:
        return self._by_id.get(order_id)

    def of(self, owner: str) -> list[Resting]:
        """Oldest first."""
        return list(self._by_owner.get(owner, {}).values())

    def add(self, resting: Resting) -> None:
        self._by_id[resting.order_id] = resting
        owned = self._by_owner.get(resting.owner)
        if owned is None:
            owned = self._by_owner[resting.owner] = {}
        owned[resting.order_id] = resting

    def remove(self, resting: Resting) -> None:
        del self._by_id[resting.order_id]
        owned = self._by_owner[resting.owner]
        del owned[resting.order_id]
        if not owned:
            del self._by_owner[resting.owner]

    def check(self, resting: Resting) -> None:
        """Raise AssertionError unless this very order is known in both ways."""
        assert self._by_id[resting.order_id] is resting, "by id"
        assert self._by_owner[resting.owner][resting.order_id] is resting, "by owner"
        assert len(self._by_id) == sum(map(len, self._by_owner.values())), "strays"
