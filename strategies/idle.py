"""Quotes nothing: for a market that is only there so that others can be covered in it."""

from typing import ClassVar

import msgspec

from engine.trading.strategy import Ladder, View, Wake

ABSENT = "this market is hedged in, not quoted"


class IdleParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class IdleStrategy:
    Params: ClassVar[type[IdleParams]] = IdleParams
    wake = Wake(top_moved_ticks=0, microprice_moved_ticks=0.0, timer_ns=0)

    def __init__(self, params: IdleParams) -> None:
        self.params = params

    def quote(self, view: View) -> Ladder:
        return Ladder(bids_absent=ABSENT, asks_absent=ABSENT)
