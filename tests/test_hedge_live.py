"""Cover on the loopback venue: each stage, its budget, and the venue's own record of it."""

from collections.abc import Callable
from typing import Any

from engine.values.commands import Place
from engine.values.units import SELL
from tests.live_world import MARKET
from tests.patience import until
from tests.playbook_world import PlaybookWorld, playbook_world

CONVERSION = [{"kind": "conversion", "market": MARKET}]
HOURLY = {
    "timeframes": ["1h"], "policy": "1h", "votes_min": 6, "bars_min": 20, "stale_bars": 30,
}  # fmt: skip


def hedged(table: dict[str, Any]) -> None:
    """Cover is sold out of the position itself; the quotes are small and hardly matter."""
    table["hedge"] = CONVERSION
    table["params"] |= {"levels": 1, "lots": 2_000_000}


def covers(market: PlaybookWorld) -> list[Place]:
    return [place for place in market.world.commands(Place) if place.is_ioc]


def stages(market: PlaybookWorld) -> list[int]:
    return [move.stage for move in market.moves()]


def taken_lots(market: PlaybookWorld) -> int:
    """What our immediate orders took, by the venue's own record."""
    names = {place.client_id for place in covers(market)}
    orders = {o.client_id: o.order_id for o in market.world.truth().orders if o.client_id in names}
    return sum(f.lots for f in market.world.truth().fills if f.order_id in orders.values())


def held_lots(market: PlaybookWorld) -> int:
    return market.world.maker.keeper.position_lots(MARKET)


def net_lots(market: PlaybookWorld) -> int:
    """What all our fills added, by the venue's own record."""
    return sum(fill.side.sign * fill.lots for fill in market.world.truth().fills)


async def done(market: PlaybookWorld, is_so: Callable[[], bool], what: str) -> None:
    await market.until(is_so, f"{what} ({[m.why for m in market.moves()][-3:]})")


async def test_stage_one_converts_a_share_of_what_is_over_the_target_in_limited_children(
    tmp_path: Any,
) -> None:
    async with playbook_world(tmp_path, held="240000000", change=hedged) as market:
        await done(market, lambda: 1 in stages(market), "stage 1")
        await done(market, lambda: taken_lots(market) >= 4_000_000, "a good part of 12M sold")
        orders = covers(market)
        assert all(place.side is SELL for place in orders)
        assert all(place.tick >= 59 for place in orders), "four per cent below the mid at most"
        assert all(place.tick * place.lots <= 6.5e8 for place in orders), "children of 6 USDT"
        await done(
            market, lambda: market.moves()[-1].converted_lots == taken_lots(market), "its record"
        )
        last = market.moves()[-1]
        assert float(last.spent) <= float(last.budget)
        assert max(stages(market)) == 1, "neutral goes no further"
        await done(market, lambda: held_lots(market) == 240_000_000 + net_lots(market), "all told")


async def test_stage_two_waits_for_a_sell_that_holds(tmp_path: Any) -> None:
    async with playbook_world(tmp_path, held="275000000", change=hedged) as market:
        await done(market, lambda: 1 in stages(market), "stage 1")
        assert 2 not in stages(market), "a neutral rating backs stage 1 only"
        began_ns = market.world.live.clock.now_ns()
        await market.rate("sell")
        await done(market, lambda: 2 in stages(market), "stage 2")
        second = next(move for move in market.moves() if move.stage == 2)
        assert second.at_ns - began_ns >= 690_000_000, "it persisted; MORE takes 0.7 of the time"
        assert second.target_lots > market.moves()[0].target_lots
        assert 3 not in stages(market), "no trend, no volume"


async def test_stage_three_waits_for_a_falling_trend_with_volume(tmp_path: Any) -> None:
    def change(table: dict[str, Any]) -> None:
        hedged(table)
        table["technical"] = HOURLY

    def falling(index: int) -> float:
        return 80.0 if index % 2 else 79.0

    def fallen(index: int) -> float:
        return falling(index) if index < 385 else 79.0 - (index - 385) * 1.2

    async with playbook_world(
        tmp_path, held="298000000", change=change, token=fallen,
        playbook={"hedge": {"child_every_s": 4.0, "child_value": "1.3"}},
    ) as market:  # fmt: skip
        await market.known()
        await market.rate("sell")
        await done(market, lambda: 2 in stages(market), "stage 2")
        assert 3 not in stages(market), "a fall alone is not enough"
        market.stage.trades *= 40
        await done(market, lambda: 3 in stages(market), "stage 3")


async def test_a_spent_budget_lets_cover_wait(tmp_path: Any) -> None:
    async with playbook_world(
        tmp_path, held="275000000", change=hedged, playbook={"hedge": {"day_cost_max": "0.1"}}
    ) as market:
        await done(market, lambda: 1 in stages(market), "stage 1")
        refused = market.world.maker.hedger
        assert refused is not None
        await until(
            lambda: "budget" in refused.desk.notes.why_not,
            "the budget's end",
            instead=lambda: f"{refused.desk.notes.why_not}; {market.moves()[-1:]}",
        )
        assert float(market.moves()[-1].spent) <= 0.1
        assert taken_lots(market) < 22_000_000
