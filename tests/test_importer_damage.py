"""Damaged files of every kind: bad rows are counted or the file is refused, and nothing else."""

import random
from contextlib import suppress
from itertools import islice

import numpy as np
import pytest

from adapters.importers.faults import Faults
from adapters.importers.opening import open_all
from adapters.transport.capture import numbered
from engine.values.errors import UserError
from tests.importer_builders import events, small_book, small_trades
from tests.market_data import recorded
from tests.test_importers import feed_rows

LINES = 300
RUNS = 8
INSERTS = (b"null", b"-1", b"1e400", b"NaN", b"[]", b"{}", b'"', b"9" * 30, b"\xff\xfe", b"0.0")
SETS = [
    *(f"venue_captures/{name}.jsonl.zst" for name in ("BINANCE", "BYBIT", "GATEIO", "KRAKEN")),
    *(f"venue_captures/{name}.jsonl.zst" for name in ("KUCOIN", "OKX")),
    "bitstamp_2015/2015-05-01_0000-0500.log.xz",
    "binance_wire/btcusdt_20240808.gz",
    "coinbase_2018/l2update_15min_1.csv.gz",
]


def damaged(line, dice):
    body = bytearray(line)
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(body)) if body else 0
        match dice.randrange(4):
            case 0:
                body[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                del body[at : at + dice.randrange(1, 30)]
            case 2:
                body[at:at] = dice.choice(INSERTS)
            case _:
                del body[at:]
    return bytes(body).replace(b"\n", b"")


def outcome(path):
    """Read it all, or be refused; anything else that is raised fails the test."""
    with suppress(UserError):
        for found in open_all([path]):
            faults = Faults()
            times = [fact.at_ns for fact in found.facts(faults, found.targets)]
            assert all(0 < at_ns < 2**62 for at_ns in times)
            assert all(bad.line > 0 and bad.reason for bad in faults.first)


def trials(lines, write):
    dice = random.Random(len(lines))
    for _ in range(RUNS):
        changed = list(lines)
        for at in dice.sample(range(len(lines)), 12):
            changed[at] = damaged(changed[at], dice)
        outcome(write(b"\n".join(changed)))


@pytest.mark.parametrize("name", SETS)
def test_a_damaged_recording_is_read_around_or_refused(tmp_path, name):
    lines = [line for _, line in islice(numbered(recorded(name)[0]), LINES)]

    def write(body):
        if "coinbase" not in name:
            (tmp_path / "x.txt").write_bytes(body)
            return tmp_path / "x.txt"
        (tmp_path / "l2update_1.csv").write_bytes(body)
        (tmp_path / "snapshot_bids.csv").write_text("side,price,size\nbuy,9000,1\n")
        return tmp_path

    trials(lines, write)


@pytest.mark.parametrize("rows", [small_book(60), small_trades(60)], ids=["book", "trades"])
def test_a_damaged_tardis_file_is_read_around_or_refused(tmp_path, rows):
    def write(body):
        (tmp_path / "x.csv").write_bytes(body)
        return tmp_path / "x.csv"

    trials([row.encode() for row in rows], write)


def test_a_damaged_npz_is_read_around_or_refused(tmp_path):
    np.savez(tmp_path / "x.npz", data=events(*feed_rows()))
    whole, dice = (tmp_path / "x.npz").read_bytes(), random.Random(5)
    for _ in range(60):
        body = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            body[dice.randrange(len(body))] = dice.randrange(256)
        (tmp_path / "x.npz").write_bytes(bytes(body[: dice.randrange(len(body) // 2, len(body))]))
        outcome(tmp_path / "x.npz")
        made = events(*feed_rows())
        raw = bytearray(made.tobytes())
        raw[dice.randrange(len(raw))] = dice.randrange(256)
        np.savez(tmp_path / "y.npz", data=np.frombuffer(bytes(raw), dtype=made.dtype))
        outcome(tmp_path / "y.npz")
