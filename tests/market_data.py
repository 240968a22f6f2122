"""Finds the recorded market data, which lies beside the project and never inside it."""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("MARKET_DATA") or HERE.parent / "shared" / "data")


def recorded(*names: str) -> list[Path]:
    """Paths of the named recordings; skips the test where one is absent."""
    paths = [FOLDER / name for name in names]
    for path in paths:
        if not path.exists():
            pytest.skip(f"no {path.name} beside the project: set MARKET_DATA to its folder")
    return paths


def spot_wire() -> list[Path]:
    return recorded("binance_wire/btcusdt_20240808.gz", "binance_wire/btcusdt_20240809.gz")


def futures_wire() -> list[Path]:
    return recorded("binance_wire/ethusd_perp_20240808.gz", "binance_wire/ethusd_perp_20240809.gz")
