"""What a parent is shown of the markets at one moment, and what it answers."""

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.depth import DepthBook, Level
from engine.values.execution_records import ParentMoved
from engine.values.units import Atoms, Ns, Ppm


class MarketSight(msgspec.Struct, frozen=True, kw_only=True):
    """One allowed market now. `book` is None where `why` bars it; unless `is_stale` says that
    its book is as young as it must be, that is no doubt that may settle at once.

    `volume_atoms` is what others traded within the window. `doubt` is what is wrong with a child
    of ours there; `is_busy`: one is still out. `book` is without our own orders; `levels` are what
    a child may take of it, which ends before the first of those (`is_own_in_way`: that cut it).
    """

    market: str
    book: DepthBook | None
    levels: tuple[Level, ...]
    is_own_in_way: bool
    why: str
    is_killed: bool
    volume_atoms: Atoms
    doubt: str
    is_busy: bool
    lot_atoms: Atoms
    least_atoms: Atoms
    lesson_ppm: Ppm
    is_stale: bool = True


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What a parent is shown. `killed` is the kill switch that stops it, "" for none.

    `turnover_left_atoms` is what the daily cap leaves for this asset, as the limits say.
    """

    now_ns: Ns
    markets: tuple[MarketSight, ...]
    turnover_left_atoms: Atoms
    killed: str


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A child that should go out now, if the gate lets it."""

    market: str
    atoms: Atoms
    limit: Level
    mid: Price
    estimate_ppm: Ppm


class Look(msgspec.Struct):
    """`waits` says why nothing is due or possible although the parent works, "" else."""

    moves: list[ParentMoved] = []
    wishes: list[Wish] = []
    waits: str = ""
    is_own_in_way: bool = False
