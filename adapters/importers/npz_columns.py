"""Files of hftbacktest as columns: structured events, or the six columns of version 1.

Source: hftbacktest's documentation, "Data Preparation" and "Migration to v2". Only rows that the
local side saw are kept.
"""

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from adapters.importers.imported import MOMENT_NS_MAX
from engine.values.errors import UserError

LOCAL, BUYER = 1 << 30, 1 << 29
KIND_MASK = 0xFF
FIELDS = ("ev", "exch_ts", "local_ts", "px", "qty")
OLD_COLUMNS = 6
UNITS = ((10**17, 1), (10**14, 1_000), (10**11, 1_000_000))
"""A moment above the first number is counted in so many ns: ns, us or ms since 1970."""
DAMAGE = (
    OSError, ValueError, KeyError, EOFError, AttributeError, TypeError, MemoryError,
    NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip
"""What reading a torn or foreign file may raise, as numpy and zipfile do it."""
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One file in columns. `prices` and `sizes` are texts of different values, told by `at`."""

    kinds: Array
    is_buy: Array
    venue_ns: Array
    at_ns: Array
    price_at: Array
    size_at: Array
    prices: list[str]
    sizes: list[str]
    unseen: int
    rows: Array


def read(path: Path) -> Feed:
    """One file of either form. Raises UserError."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            name = "data" if "data" in file.files else next(iter(file.files), "")
            data = file[name]
    except DAMAGE as error:
        raise UserError(f"{path}: not a readable npz file: {error}") from error
    names = data.dtype.names or ()
    if all(name in names for name in FIELDS):
        return _new(data)
    if data.ndim == 2 and data.shape[1] == OLD_COLUMNS and data.dtype.kind in "fi":
        return _old(data)
    raise UserError(f"{path}: no hftbacktest events: {data.dtype} of shape {data.shape}")


def _new(data: Array) -> Feed:
    flags = data["ev"].astype(np.int64)
    rows = np.flatnonzero(flags & LOCAL)
    data, seen = data[rows], flags[rows]
    return _columns(
        seen & KIND_MASK,
        (seen & BUYER) > 0,
        (data["exch_ts"], data["local_ts"]),
        (data["px"], data["qty"]),
        (rows, len(flags)),
    )


def _old(data: Array) -> Feed:
    """Event, exchange time, local time, side, price, size; a time of -1 says who did not see it."""
    rows = np.flatnonzero(data[:, 2] >= 0)
    seen = data[rows]
    return _columns(
        seen[:, 0].astype(np.int64),
        seen[:, 3] > 0,
        (seen[:, 1].astype(np.int64), seen[:, 2].astype(np.int64)),
        (seen[:, 4], seen[:, 5]),
        (rows, len(data)),
    )


def _columns(
    kinds: Array,
    is_buy: Array,
    stamps: tuple[Array, Array],
    levels: tuple[Array, Array],
    rows: tuple[Array, int],
) -> Feed:
    at, total = rows
    unit = _unit(stamps[1])
    prices, price_at = np.unique(levels[0], return_inverse=True)
    sizes, size_at = np.unique(levels[1], return_inverse=True)
    return Feed(
        kinds=kinds,
        is_buy=is_buy,
        venue_ns=_as_ns(stamps[0], unit),
        at_ns=_as_ns(stamps[1], unit),
        price_at=price_at,
        size_at=size_at,
        prices=_texts(prices),
        sizes=_texts(sizes),
        unseen=total - len(at),
        rows=at,
    )


def _as_ns(stamps: Array, unit: int) -> Array:
    """0 where no time is told, and what cannot be in ns is later than any moment may be."""
    most = MOMENT_NS_MAX // unit + 1
    found: Array = np.clip(stamps, 0, most) * unit
    return found


def _unit(stamps: Array) -> int:
    latest = int(np.median(stamps)) if len(stamps) else 0
    return next((unit for least, unit in UNITS if latest > least), 1)


def _texts(values: Array) -> list[str]:
    """Each float as the decimal that it stands for: of 15 digits, or of 6 in half the bytes."""
    form = "%.6g" if values.dtype.itemsize < 8 else "%.15g"
    return [form % value for value in values.tolist()]
