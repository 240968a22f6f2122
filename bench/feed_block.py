"""Rows of `feeds` as what ballast's kernel takes, and as what hftbacktest takes."""

from itertools import pairwise
from typing import Any

import numpy as np

from bench.feeds import BUY, TRADE, Rows
from engine.sim.kernel_block import IS_LAST, IS_SELL, LEVEL, OTHER, Block, Columns
from engine.sim.kernel_block import TRADE as TRADE_ROW
from engine.values.events import BookSnapshot
from engine.values.units import Levels, Ns

DEPTH_EVENT, TRADE_EVENT = 1, 2
EXCHANGE_EVENT, LOCAL_EVENT, BUY_EVENT, SELL_EVENT = 1 << 31, 1 << 30, 1 << 29, 1 << 28


def blocks(rows: Rows, market: str, count: int) -> list[Block]:
    """Blocks of about equal length, cut behind the end of a fact. The first fact is a snapshot."""
    kind, at_ns, side, tick, lots, is_last = rows.T
    flags = np.where(kind == TRADE, TRADE_ROW, LEVEL)
    flags |= np.where(side == BUY, 0, IS_SELL) | np.where(is_last == 1, IS_LAST, 0)
    ends = np.flatnonzero(is_last) + 1
    cuts = [ends[0], *(ends[len(ends) * n // count - 1] for n in range(1, count + 1))]
    columns = [flags, at_ns, np.zeros_like(at_ns), np.cumsum(is_last), tick, lots]
    made = [_block(columns, int(a), int(b), market) for a, b in pairwise(cuts)]
    return [_opening(rows[: ends[0]], market), *made]


def _block(columns: list[Rows], begin: int, end: int, market: str) -> Block:
    cut = (memoryview(np.ascontiguousarray(column[begin:end])) for column in columns)
    return Block(Columns(**dict(zip(Columns.__struct_fields__, cut, strict=True))), [market], {})


def _opening(rows: Rows, market: str) -> Block:
    at_ns = int(rows[0, 1])
    sides: list[Levels] = [
        [(int(r[3]), int(r[4])) for r in rows if (r[2] == BUY) == is_bid]
        for is_bid in (True, False)
    ]
    fact = BookSnapshot(market=market, at_ns=at_ns, sequence=1, bids=sides[0], asks=sides[1])
    row = [OTHER | IS_LAST, at_ns, 0, 1, 0, 0]
    cut = (memoryview(np.array([value])) for value in row)
    columns = Columns(**dict(zip(Columns.__struct_fields__, cut, strict=True)))
    return Block(columns, [market], {0: fact})


def events(rows: Rows, dtype: Any, feed_ns: Ns, tick_size: float) -> Any:
    """As an array of hftbacktest's `event_dtype`."""
    kind, at_ns, side, tick, lots, _ = rows.T
    found = np.zeros(len(rows), dtype=dtype)
    found["ev"] = np.where(kind == TRADE, TRADE_EVENT, DEPTH_EVENT)
    found["ev"] |= np.where(side == BUY, BUY_EVENT, SELL_EVENT).astype(np.uint64)
    found["ev"] |= np.uint64(EXCHANGE_EVENT | LOCAL_EVENT)
    found["local_ts"], found["exch_ts"] = at_ns, at_ns - feed_ns
    found["px"], found["qty"] = tick * tick_size, lots
    return found
