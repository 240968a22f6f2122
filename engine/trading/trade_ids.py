"""Which trades of ours were booked in one market: each once, on whatever path it arrives (I2)."""


class TradeIds:
    """A set of trade ids with a low-water mark; everything up to the mark counts as booked.

    The mark moves only by `settle`, when all trades up to an id are known to be accounted for, and
    when the set would outgrow `ids_max`: then the older half is taken as settled, since a trade
    that is that many trades late can no longer be told from a repeated one.
    """

    def __init__(self, ids_max: int) -> None:
        assert ids_max >= 2
        self._ids_max = ids_max
        self._ids: set[int] = set()
        self.mark = -1

    def __contains__(self, trade_id: int) -> bool:
        return trade_id <= self.mark or trade_id in self._ids

    def add(self, trade_id: int) -> bool:
        """True if the trade is new; it is not new a second time."""
        if trade_id in self:
            return False
        self._ids.add(trade_id)
        if len(self._ids) > self._ids_max:
            self.settle(sorted(self._ids)[self._ids_max // 2])
        return True

    def settle(self, trade_id: int) -> None:
        """Every trade up to this id is accounted for. The mark never goes back."""
        if trade_id <= self.mark:
            return
        self.mark = trade_id
        self._ids = {known for known in self._ids if known > trade_id}

    def above_mark(self) -> list[int]:
        return sorted(self._ids)

    def check(self) -> None:
        assert len(self._ids) <= self._ids_max
        assert all(known > self.mark for known in self._ids)
