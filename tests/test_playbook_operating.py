"""What a person asks of a running playbook: another one, what it would do, and ratings by file."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.runtime.operating import Operating
from engine.values.commands import Command
from engine.values.errors import UserError
from engine.values.events import PlaybookSet
from tests.live_world import MARKET
from tests.playbook_world import PlaybookWorld, playbook_world, quick_playbook


def desk(market: PlaybookWorld) -> Operating:
    return Operating(market.world.live, "test", "demo")


async def ask(market: PlaybookWorld, verb: str, **args: Any) -> dict[str, Any]:
    return await desk(market).handle(verb, {"who": "ann", **args})


async def test_what_if_shows_another_ladder_hedge_and_limits_and_sends_nothing(
    tmp_path: Path,
) -> None:
    async with playbook_world(tmp_path, held="190000000") as market:
        await market.known()
        await market.world.calm()
        before, row, event = market.ruling, market.row, market.ruling.event
        commands: list[Command] = []
        began = len(market.world.acted)
        answer = await ask(
            market, "what-if", rating="strong-sell", btc="breaking support", inventory="240000000"
        )
        (told,) = answer["markets"]
        commands = [c for acted in market.world.acted[began:] for c in acted.step.commands]
        assert commands == []
        at_once = told["at_once"]
        assert "risk-off" in at_once["row"]
        assert at_once["bids"] == []
        assert at_once["asks"], "a sell empties no side"
        assert at_once["limits"]["bids_may_add"] == "0"
        assert at_once["limits"]["stops_share"] == 0.5
        assert at_once["hedge"]["stance"] == "accelerate"
        assert (market.row, market.ruling.event) == (row, event), "the engine learned nothing"
        assert market.ruling.answers == before.answers


async def test_what_if_tells_apart_now_and_once_a_buy_has_held(tmp_path: Path) -> None:
    async with playbook_world(tmp_path, held="210000000") as market:
        await market.known()
        (told,) = (await ask(market, "what-if", rating="buy"))["markets"]
        assert told["at_once"]["limits"]["bids_may_add"] == "0"
        assert "not held" in told["at_once"]["limits"]["because"]
        assert told["settled"]["after_s"] >= 2.0
        assert int(told["settled"]["limits"]["bids_may_add"]) > 0


async def test_a_playbook_is_loaded_whole_and_journaled_with_its_hash_and_who(
    tmp_path: Path,
) -> None:
    async with playbook_world(tmp_path) as market:
        await market.known()
        text = quick_playbook().replace("name = ", "# anew\nname = ").replace(
            'name = "default: keep the shape, carefully"', 'name = "default: ours"'
        )  # fmt: skip
        (told,) = (await ask(market, "playbook", name="ours.toml", text=text))["markets"]
        assert told["playbook"]["row"] in (market.row, "default: ours")
        await market.until(lambda: "careful" not in market.row, "the new rows")
        await market.world.live.durable()
        words = market.journaled("PlaybookSet")
        assert isinstance(words[-1], PlaybookSet)
        assert (words[-1].who, words[-1].name, words[-1].text) == ("ann", "ours.toml", text)
        assert [word.who for word in words] == ["config", "ann"]


@pytest.mark.parametrize(
    ("verb", "args", "says"),
    [
        ("playbook", {"name": "p.toml", "text": "what"}, "p.toml"),
        ("playbook", {"name": "p.toml", "text": "x" * 50_000}, "larger"),
        ("playbook", {"name": "p.toml", "text": 'name = "x"'}, "p.toml"),
        ("what-if", {"rating": "splendid"}, "there are"),
        ("what-if", {"btc": "up"}, "there are"),
        ("what-if", {"inventory": "1.5"}, "1.5"),
        ("what-if", {"inventory": "-1"}, "negative"),
        ("what-if", {"symbol": "DOGE/USDT"}, "no market"),
    ],
)
async def test_a_mistake_is_one_line_and_changes_nothing(
    tmp_path: Path, verb: str, args: dict[str, Any], says: str
) -> None:
    async with playbook_world(tmp_path) as market:
        await market.until(lambda: bool(market.row), "a ruling")
        digest = market.world.maker.quoter.guidance.told(0)["digest"]
        with pytest.raises(UserError) as caught:
            await ask(market, verb, **args)
        assert says in str(caught.value)
        assert market.world.maker.quoter.guidance.told(0)["digest"] == digest


async def test_a_rating_file_is_heeded_and_its_mistakes_are_told_once(tmp_path: Path) -> None:
    file = tmp_path / "ratings.json"

    def change(table: dict[str, Any]) -> None:
        table["runtime"] |= {"ratings_file": str(file), "ratings_every_s": 0.1}

    async with playbook_world(tmp_path, whole=change) as market:
        now = datetime.now(UTC)
        row = {
            "market": MARKET, "label": "sell", "at": now.isoformat(), "source": "desk model",
            "expires": (now + timedelta(minutes=5)).isoformat(),
        }  # fmt: skip
        file.write_text(json.dumps([row, {"market": "DOGE/USDT@x"}]))
        stance = market.world.maker.quoter.guidance.stance
        now_ns = market.world.live.clock.now_ns
        await market.until(lambda: stance(now_ns()).label.value == "sell", "the file's rating")
        assert stance(now_ns()).source == "desk model"
        told = [alert.text for alert in market.world.alerts if "ratings" in alert.text]
        assert len([text for text in told if "ratings[1]" in text]) == 1, told
