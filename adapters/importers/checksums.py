"""Checksums with which a venue proves a book: CRC-32 over the texts of its best levels.

OKX: the best 25 of both sides in turn, `bid:size:ask:size:...`. Kraken: the best 10 asks and then
the best 10 bids, price and size without their points and leading zeros.
"""

import zlib
from collections.abc import Callable
from decimal import Decimal
from itertools import zip_longest
from typing import TypeAlias

from adapters.importers.grid import number

Pairs: TypeAlias = list[tuple[str, str]]
OKX_LEVELS, KRAKEN_LEVELS = 25, 10
KRAKEN_DEPTH = 1_000


class TextBook:
    """A book in the venue's own texts, best first on demand. Raises ValueError for no numbers."""

    def __init__(self) -> None:
        self._sides: tuple[dict[Decimal, tuple[str, str]], ...] = ({}, {})

    def apply(self, bids: Pairs, asks: Pairs, *, is_whole: bool) -> None:
        for side, pairs in zip(self._sides, (bids, asks), strict=True):
            if is_whole:
                side.clear()
            for price, size in pairs:
                key = number(price)
                if number(size):
                    side[key] = price, size
                else:
                    side.pop(key, None)

    def best(self, count: int) -> tuple[Pairs, Pairs]:
        """The best `count` bids and asks."""
        bids, asks = self._sides
        best_bids = [bids[key] for key in sorted(bids, reverse=True)[:count]]
        return best_bids, [asks[key] for key in sorted(asks)[:count]]


def okx_checksum(book: TextBook) -> int:
    bids, asks = book.best(OKX_LEVELS)
    both = (pair for two in zip_longest(bids, asks) for pair in two if pair is not None)
    return zlib.crc32(":".join(f"{price}:{size}" for price, size in both).encode())


def kraken_checksum(book: TextBook) -> int:
    bids, asks = book.best(KRAKEN_LEVELS)
    texts = (text.replace(".", "").lstrip("0") for pair in (*asks, *bids) for text in pair)
    return zlib.crc32("".join(texts).encode())


CHECKSUMS: dict[str, Callable[[TextBook], int]] = {"OKX": okx_checksum, "KRAKEN": kraken_checksum}
