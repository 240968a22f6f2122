"""Ratings from a watched file: told once, wrong rows named, late ones stale by their own word."""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.runtime.rating_file import RatingFile, ns_of
from engine.signals.stance import stance_at
from engine.values.units import NS_PER_S
from engine.values.words import RatingLabel, RatingSet
from tests.test_adapter_contract import Facts, ended

NOW = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)
MARKETS = frozenset({"BTT/USDT@v", "TRX/USDT@v"})


class Clock:
    def now_ns(self) -> int:
        return ns_of(NOW)


def row(**changes: Any) -> dict[str, Any]:
    good = {
        "market": "BTT/USDT@v",
        "label": "buy",
        "at": at(-60),
        "expires": at(3_600),
        "source": "desk",
        "score": 0.4,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def at(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat()


class Desk:
    """A file, who watches it, and what he complains of."""

    def __init__(self, folder: Path, name: str = "ratings.json") -> None:
        self.path = folder / name
        self.told: list[str] = []
        self.file = RatingFile(self.path, MARKETS, Clock(), self.told.append)
        self._writes = 0

    def write(self, *rows: dict[str, Any]) -> list[RatingSet]:
        return self.write_text(json.dumps(rows))

    def write_text(self, text: str) -> list[RatingSet]:
        self.path.write_text(text)
        self._writes += 1
        os.utime(self.path, (self._writes, self._writes))
        return self.file.read()


def test_a_row_becomes_a_rating_heard_now_that_ends_by_its_own_word(tmp_path: Path) -> None:
    (fact,) = Desk(tmp_path).write(row())
    assert fact == RatingSet(
        market="BTT/USDT@v",
        at_ns=ns_of(NOW),
        label=RatingLabel.BUY,
        expires_ns=ns_of(NOW) + 3_600 * NS_PER_S,
        source="desk",
        score=0.4,
    )


def test_toml_with_its_own_times_says_the_same(tmp_path: Path) -> None:
    text = """
    [[ratings]]
    market = "BTT/USDT@v"
    label = "buy"
    at = 2025-06-01T11:59:00Z
    expires = 2025-06-01T15:00:00+02:00
    source = "desk"
    score = 0.4
    """
    assert Desk(tmp_path, "r.toml").write_text(text) == Desk(tmp_path).write(row())


def test_what_has_been_told_is_not_told_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert len(desk.write(row())) == 1
    assert desk.file.read() == []
    assert desk.write(row()) == []
    assert [fact.label for fact in desk.write(row(label="sell", at=at(-30)))] == ["sell"]


def test_a_late_rating_is_told_and_stale(tmp_path: Path) -> None:
    (fact,) = Desk(tmp_path).write(row(at=at(-7_200), expires=at(-3_600)))
    stance = stance_at(fact, ns_of(NOW))
    assert (stance.label, stance.was, stance.is_stale) == (RatingLabel.NEUTRAL, "buy", True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"market": "DOGE/USDT@v"}, "ratings[1].market: this engine has no 'DOGE/USDT@v'"),
        ({"label": "great"}, "ratings[1]: Invalid enum value 'great' - at `$.label`"),
        ({"score": 1.5}, "ratings[1].score: must be in -1..1"),
        ({"score": "high"}, "ratings[1]: Expected `float | null`, got `str` - at `$.score`"),
        ({"at": at(120)}, "ratings[1].at: lies in the future"),
        ({"at": "2025-06-01T11:00:00"}, "ratings[1].at: a time needs its offset"),
        ({"at": "yesterday"}, "ratings[1]: Invalid RFC3339"),
        ({"expires": at(-61)}, "ratings[1].expires: must be after `at`"),
        ({"expires": at(40 * 86_400)}, "ratings[1].expires: must be after `at`"),
        ({"expires": None}, "ratings[1]: Object missing required field `expires`"),
        ({"source": ""}, "ratings[1].source: 1 to 80 printable"),
        ({"source": "x\n2025 FAKE LINE"}, "ratings[1].source: 1 to 80 printable"),
        ({"colour": "red"}, "ratings[1]: Object contains unknown field `colour`"),
    ],
)
def test_a_bad_row_is_one_line_and_the_others_still_count(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    desk = Desk(tmp_path)
    facts = desk.write(row(), row(**{"market": "TRX/USDT@v"} | changes))
    assert [fact.market for fact in facts] == ["BTT/USDT@v"]
    (line,) = desk.told
    assert line.startswith(f"{desk.path}: {told}")
    assert "\n" not in line


def test_a_bad_row_does_not_change_what_stands(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(row())
    assert desk.write(row(label="nonsense")) == []
    assert desk.write(row()) == []


@pytest.mark.parametrize("text", ["{", "7", '{"market":1}', "[" * 100_000, "\ufffe", ""])
def test_a_file_that_is_none_is_one_line_and_no_rating(tmp_path: Path, text: str) -> None:
    desk = Desk(tmp_path)
    assert desk.write_text(text) == []
    assert desk.file.read() == []
    (line,) = desk.told
    assert line.startswith(f"{desk.path}: ")


def test_a_mistake_that_stays_is_told_once_and_again_after_it_was_gone(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for changes in ({}, {"score": 9}, {"score": 9}, {}, {"score": 9}):
        desk.write(row(**changes))
    assert len(desk.told) == 2


def test_a_file_that_is_not_there_yet_is_said_once_and_read_when_it_comes(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.file.read() == desk.file.read() == []
    assert desk.told == [f"{desk.path}: cannot be read: No such file or directory"]
    assert len(desk.write(row())) == 1


def test_an_older_rating_does_not_undo_a_newer_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(row(at=at(-10)))
    assert desk.write(row(label="sell", at=at(-20))) == []
    assert "older than the one told" in desk.told[0]


def test_of_two_rows_of_one_market_the_newer_is_told_last(tmp_path: Path) -> None:
    facts = Desk(tmp_path).write(row(label="sell", at=at(-5)), row(source="vendor"))
    assert [fact.source for fact in facts] == ["vendor", "desk"]


async def test_a_watched_file_is_heard_when_it_changes(tmp_path: Path) -> None:
    desk, facts = Desk(tmp_path), Facts()
    task = asyncio.create_task(desk.file.watch(facts, 0.01))
    try:
        desk.path.write_text(json.dumps([row()]))
        await facts.until(lambda: facts.of(RatingSet))
        desk.path.write_text(json.dumps([row(label="strong sell", at=at(-1))]))
        first, second = await facts.until(lambda: facts.of(RatingSet)[1:] and facts.all)
        assert (first.label, second.label) == (RatingLabel.BUY, RatingLabel.STRONG_SELL)
    finally:
        await ended(task)
