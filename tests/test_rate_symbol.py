"""`ballast rate SYMBOL`: a venue's bars without a key, and one clear line for whatever fails."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import time_ns
from typing import Any

import pytest
import tomlkit
from typer.testing import CliRunner

from adapters.loopback.klines import HOUR_MS, Candle
from engine.cli.verbs import app_of
from engine.signals import candle_file
from engine.signals.rating_batch import rate_last
from engine.signals.votes import Rules
from engine.values.errors import UserError
from tests.loopback_builders import SYMBOL, live_venue
from tests.market_data import recorded
from tests.plain_demo import plain_demo
from tests.test_adapter_contract import flat

VENUE = """
[[venues]]
name = "{name}"
adapter = "{adapter}"
exchange = "binance"
{urls}
"""
ADAPTERS = ("ccxt", "native")


def real_bars(count: int) -> list[Candle]:
    """The last real hours of BTT, moved to end now: the newest is forming."""
    (file,) = recorded("candles/BTT_USDT-1h.json.gz")
    rows = json.loads(gzip.decompress(file.read_bytes()))[-count:]
    start_ms = time_ns() // 1_000_000 // HOUR_MS * HOUR_MS - (count - 1) * HOUR_MS
    made = []
    for index, (_, first, high, low, last, size) in enumerate(rows):
        open_ms = start_ms + index * HOUR_MS
        ticks = [round(price * 1e8) for price in (first, high, low, last)]
        made.append(
            Candle(
                open_ms=open_ms, close_ms=open_ms + HOUR_MS - 1, first=ticks[0], high=ticks[1],
                low=ticks[2], last=ticks[3], lots=int(size), count=1,
            )
        )  # fmt: skip
    return made


class Place:
    """A venue with a history, and configs that point at it."""

    def __init__(self, folder: Path, urls: dict[str, str]) -> None:
        self.folder = folder
        self.urls = urls

    def config(self, adapter: str, *, urls: dict[str, str] | None = None, names=("loopback",)):
        table = self.urls if urls is None else urls
        lines = "\n".join(f'"{name}" = "{url}"' for name, url in table.items())
        venues = "".join(
            VENUE.format(
                name=name, adapter=adapter, urls=f"[venues.urls]\n{lines}" if table else ""
            )
            for name in names
        )
        path = self.folder / "config.toml"
        head, _, rest = tomlkit.dumps(plain_demo()).partition("[[venues]]")
        head = head.replace("var/demo", f"{self.folder}/data")
        path.write_text(f"{head}{venues}\n[[markets]]{rest.partition('[[markets]]')[2]}")
        return str(path)


@asynccontextmanager
async def place(folder: Path, bars: list[Candle]) -> AsyncIterator[Place]:
    async with live_venue() as (venue, _):
        venue.exchange.markets[SYMBOL].klines.load("1h", bars)
        yield Place(folder, flat(venue.urls()))


async def run(*words: str) -> Any:
    """The verb in a thread of its own, since the venue answers from this one."""
    return await asyncio.to_thread(CliRunner().invoke, app_of(["rate"]), ["rate", *words])


async def answer(*words: str) -> dict[str, Any]:
    result = await run(*words, "--json")
    assert result.exception is None, result.exception
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


async def complaint(*words: str) -> str:
    result = await run(*words)
    assert isinstance(result.exception, UserError), result.exception
    text = str(result.exception)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_symbol_is_rated_like_its_file_with_the_forming_bar_apart(
    tmp_path: Path, adapter: str
) -> None:
    bars = real_bars(700)
    rows = [[b.open_ms, b.first, b.high, b.low, b.last, b.lots] for b in bars]
    candles = candle_file.candles_of(json.dumps(rows), "bars")
    async with place(tmp_path, bars) as here:
        config = here.config(adapter)
        told = await answer("BTT/USDT", "--timeframe", "1h", "--at", config)
    closed, whole = rate_last(candles[:-1], Rules.R2024), rate_last(candles, Rules.R2024)
    assert (told["bars"], told["votes"], told["all"]) == (699, closed.votes, closed.all)
    assert (told["label"], told["voted"]) == (closed.label, 26)
    assert (told["provisional"]["all"], told["provisional"]["label"]) == (whole.all, whole.label)


async def test_people_are_told_the_provisional_rating_in_its_own_line(tmp_path: Path) -> None:
    async with place(tmp_path, real_bars(300)) as here:
        words = ("BTT/USDT", "--timeframe", "1h", "--at", here.config("native"), "--rules", "2020")
        result = await run(*words)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("BTT/USDT 1h: 299 closed bars, rules of 2020")
    assert "26 of 26 voted" in lines[-2]
    assert lines[-1].startswith("provisional, if the forming bar closed now: ")


async def test_a_running_demo_is_found_by_its_config(tmp_path: Path) -> None:
    async with place(tmp_path, real_bars(250)) as here:
        config = here.config("native", urls={})
        assert "no demo is running" in await complaint("BTT/USDT", "--at", config)
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "venue.json").write_text(json.dumps({"urls": here.urls}))
        told = await answer("BTT/USDT", "--timeframe", "1h", "--at", config)
    assert told["bars"] == 249


async def test_the_config_of_several_venues_asks_where_the_symbol_is_traded(tmp_path: Path) -> None:
    async with place(tmp_path, real_bars(250)) as here:
        config = here.config("native", names=("loopback", "other"))
        base = ("--timeframe", "1h", "--at", config)
        assert (await answer("BTT/USDT", *base))["bars"] == 249
        assert "which venue? Name one with --venue" in await complaint("TRX/USDT", *base)
        told = await complaint("TRX/USDT", *base, "--venue", "other")
        assert told == "other has no market TRX/USDT"
        assert "there is no venue 'mars'" in await complaint("TRX/USDT", *base, "--venue", "mars")


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_an_unknown_symbol_is_one_line(tmp_path: Path, adapter: str) -> None:
    async with place(tmp_path, real_bars(3)) as here:
        told = await complaint("DOGE/USDT", "--at", here.config(adapter))
    assert told == "loopback has no market DOGE/USDT"


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_venue_that_is_down_is_one_line(tmp_path: Path, adapter: str) -> None:
    async with place(tmp_path, real_bars(3)) as here:
        config = here.config(adapter)
    assert (await complaint("BTT/USDT", "--at", config)).startswith(
        "venue loopback does not answer: "
    )


async def test_a_symbol_without_a_config_or_with_a_strange_time_frame_is_one_line(
    tmp_path: Path,
) -> None:
    assert "Name a config with --at" in await complaint("BTT/USDT")
    absent = str(tmp_path / "absent.toml")
    assert await complaint("BTT/USDT", "--at", absent) == (
        f"{absent}: cannot be read: No such file or directory"
    )
    assert "--timeframe: '7m' is no time frame" in await complaint(
        "BTT/USDT", "--at", absent, "--timeframe", "7m"
    )


async def test_a_market_too_young_to_rate_says_so(tmp_path: Path) -> None:
    async with place(tmp_path, real_bars(1)) as here:
        told = await complaint("BTT/USDT", "--timeframe", "1h", "--at", here.config("native"))
        assert told == "BTT/USDT: no bar of 1h has closed yet"
        told = await complaint("BTT/USDT", "--timeframe", "4h", "--at", here.config("native"))
        assert told == "venue loopback tells no bars of BTT/USDT"


async def test_a_file_named_like_a_symbol_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "BTT").mkdir()
    rows = [[index * 1_000, 1.0, 2.0, 1.0, 1.5, 3.0] for index in range(40)]
    (tmp_path / "BTT" / "USDT").write_text(json.dumps(rows))
    assert (await answer("BTT/USDT"))["bars"] == 40
