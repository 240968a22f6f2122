"""Money that people moved at a venue of ours without any trade, as they told it to the books.

Who tells a withdrawal explains it: the next reading of the venue is then no surprise, the market
need not freeze, and no person has to claim the difference.
"""

from collections.abc import Iterable

from engine.values.ledger_words import (
    Converted,
    Funded,
    LedgerWord,
    LockMoved,
    Paid,
    Received,
    Rewarded,
    TransferArrived,
    TransferSent,
)
from engine.values.units import Atoms

Flow = tuple[str, Atoms]


def moved_at(word: LedgerWord, venue: str) -> Iterable[Flow]:
    """What a word moves in the free holdings of `venue`, in the atoms of the books, fees too.

    What tells of holdings without moving any (`Held`, `HoldingsRead`), and a `Corrected`, which
    explains to the books what the account's own ledger holds already, move nothing.
    """
    if getattr(word, "venue", "") != venue:
        return ()
    match word:
        case TransferSent() | Paid():
            return ((word.asset, -word.atoms - word.fee_atoms),)
        case TransferArrived() | Received() | Funded():
            return ((word.asset, word.atoms),)
        case LockMoved():
            return ((word.asset, -word.atoms),)
        case Rewarded():
            return () if word.place else ((word.asset, word.atoms),)
        case Converted():
            flows = ((word.gave, -word.gave_atoms), (word.got, word.got_atoms))
            return (*flows, (word.fee_asset, -word.fee_atoms))
        case _:
            return ()
