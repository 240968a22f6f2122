"""Small files of foreign market data, and what an importer makes of them."""

import gzip

import numpy as np

from adapters.importers.faults import Faults
from adapters.importers.opening import open_all

TARDIS_BOOK = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
TARDIS_TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
EVENT = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ],
    align=True,
)
BOTH, BUYER, SELLER = 3 << 30, 1 << 29, 1 << 28
DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
T_US = 1_700_000_000_000_000
T_NS = T_US * 1_000


def written(path, rows):
    text = "\n".join(rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def book_row(at, side, price, size, *, whole=False, venue=None, symbol="BTCUSDT"):
    """`at` and `venue` are microseconds after T_US."""
    venue = at - 5 if venue is None else venue
    flag = "true" if whole else "false"
    return f"binance,{symbol},{T_US + venue},{T_US + at},{flag},{side},{price},{size}"


def trade_row(at, side, price, size, trade_id="1", venue=None):
    venue = at - 5 if venue is None else venue
    return f"binance,BTCUSDT,{T_US + venue},{T_US + at},{trade_id},{side},{price},{size}"


def small_book(count=40):
    """A Tardis book: a snapshot, then changes of the best bid every 10 ms."""
    rows = [
        TARDIS_BOOK,
        book_row(0, "bid", "100.1", "2", whole=True),
        book_row(0, "bid", "100.0", "3.5", whole=True),
        book_row(0, "ask", "100.2", "1", whole=True),
    ]
    return rows + [
        book_row(10_000 * n, "bid", "100.1", f"{1 + n % 7}.25") for n in range(1, count + 1)
    ]


def small_trades(count=20):
    sides = ("buy", "sell")
    return [
        TARDIS_TRADES,
        *(
            trade_row(20_000 * n + 3, sides[n % 2], ("100.2", "100.1")[n % 2], "0.125", str(n))
            for n in range(1, count + 1)
        ),
    ]


def events(*rows):
    """Rows (kind and flags, venue ns, local ns, price, size) as hftbacktest's events."""
    made = np.zeros(len(rows), EVENT)
    for at, row in enumerate(rows):
        for name, value in zip(("ev", "exch_ts", "local_ts", "px", "qty"), row, strict=True):
            made[at][name] = value
    return made


def read(*paths, bad_max=1_000):
    """The only source of some paths: its facts, faults and instruments by market."""
    (found,) = open_all(list(paths))
    faults = Faults(bad_max)
    return list(found.facts(faults, found.targets)), faults, found.targets
