"""Each row of the shipped playbook, driven by a scripted market on the loopback venue."""

from typing import Any

import pytest

from engine.trading.posture import HedgeStance
from engine.values.units import BUY, SELL
from tests.playbook_world import PlaybookWorld, breaking, playbook_world, weak

USUAL = 4_000_000
ONE = {"levels": 1}
"""One quote a side, so that a size is that of a level and not of several."""


async def at_ease(market: PlaybookWorld) -> None:
    await market.known()
    await market.world.calm()


async def test_a_buy_with_depth_improving_and_btc_stable_shows_a_little_more_step_by_step(
    tmp_path: Any,
) -> None:
    async with playbook_world(tmp_path, held="190000000", params=ONE) as market:
        await at_ease(market)
        await market.rate("buy")
        market.stage.depth = 3.0
        await market.row_is("buy, depth improving")
        await market.until(lambda: market.ruling.bid_size == 1.1, "a tenth more")
        await market.until(lambda: max(market.wished(BUY)) == USUAL * 1.1, "larger bids")
        market.world.take(2)  # an order that stands keeps its place in the queue, and its size
        await market.until(lambda: sum(market.sizes(BUY)) > USUAL, "them at the venue")
        ruling = market.ruling
        assert ruling.bid_closer == 0.1
        assert ruling.hedge is HedgeStance.HOLD, "below the target no cover is bought"
        assert ruling.stops_share == 1.0
        shown = [level.lots for each in market.decisions() for level in each.ladder.bids]
        assert set(shown) <= {3_600_000, 3_800_000, 4_000_000, 4_200_000, 4_400_000}
        assert max(market.wished(SELL)) == USUAL


async def test_neutral_in_a_range_with_low_turnover_keeps_the_shape(tmp_path: Any) -> None:
    async with playbook_world(tmp_path) as market:
        await at_ease(market)
        await market.rate("neutral")
        market.stage.trades = 0
        await market.row_is("neutral, range-bound")
        await market.until(lambda: market.ruling.bid_size == 1.0, "the usual size")
        await market.until(lambda: max(market.wished(BUY)) == USUAL, "the usual bids")
        assert market.ruling.bid_closer == 0
        assert market.ruling.stops_share == 1.0
        assert max(market.wished(SELL)) == USUAL


async def test_a_buy_in_a_thin_book_with_btc_weak_adds_nothing_and_keeps_quoting(
    tmp_path: Any,
) -> None:
    async with playbook_world(tmp_path, weak, held="203000000") as market:
        market.stage.depth = 0.3
        await market.rate("buy")
        await market.row_is("buy, thin book, BTC weak")
        await market.until(lambda: not market.sizes(BUY), "no bid above the target")
        await market.until(lambda: market.ruling.room_bid_lots == 0, "no room")
        await market.until(lambda: bool(market.sizes(SELL)), "the side that does not add")
        why = market.world.maker.quoter.last.ladder.bids_absent
        assert "playbook" in why, why
        assert market.ruling.hedge is HedgeStance.EXCESS
        assert market.ruling.stops_share == 0.8
        assert market.ruling.bid_size == 0.8


async def test_a_sell_with_volatility_rising_and_depth_thinning_shows_less_further_out(
    tmp_path: Any,
) -> None:
    async with playbook_world(tmp_path, held="190000000") as market:
        market.stage.depth = 3.0
        await at_ease(market)
        await market.rate("sell")
        market.stage.depth, market.stage.wobble_s = 1.0, 0.2
        await market.row_is("sell, volatility rising")
        await market.until(
            lambda: 0 < max(market.sizes(SELL), default=0) <= 0.7 * USUAL, "less shown"
        )
        await market.until(lambda: bool(market.sizes(BUY)), "bids: a sell empties no side")
        ruling = market.ruling
        assert (ruling.ask_out_ticks, ruling.bid_out_ticks) == (1, 1)
        assert ruling.hedge is HedgeStance.MORE
        assert ruling.stops_share == 0.7
        assert ruling.worst_lots <= 200_000_000, "a sell adds nothing over the target"


async def test_a_sell_while_btc_breaks_support_defends_the_book(tmp_path: Any) -> None:
    async with playbook_world(tmp_path, breaking, held="180000000") as market:
        await market.rate("strong sell")
        await market.row_is("sell, risk-off")
        await market.until(
            lambda: 0 < max(market.sizes(BUY), default=0) <= 0.5 * USUAL, "half the bids"
        )
        await market.until(lambda: bool(market.sizes(SELL)), "asks: a sell empties no side")
        ruling = market.ruling
        assert (ruling.bid_out_ticks, ruling.ask_out_ticks) == (2, 1)
        assert ruling.hedge is HedgeStance.ACCELERATE
        assert ruling.stops_share == 0.5


async def test_where_signal_and_market_disagree_the_row_with_less_exposure_wins(
    tmp_path: Any,
) -> None:
    async with playbook_world(tmp_path, breaking) as market:
        await at_ease(market)
        await market.rate("strong buy")
        market.stage.depth = 2.0
        await market.until(lambda: market.ruling.conflict, "the conflict")
        assert market.ruling.bid_size <= 1.0
        assert market.ruling.bid_closer == 0
        assert "depth improving" not in market.row
        await market.world.live.durable()
        assert any(ruled.conflict for ruled in market.journaled("Ruled")), "on record"


async def test_above_the_target_a_buy_adds_nothing_before_it_has_held(tmp_path: Any) -> None:
    async with playbook_world(
        tmp_path, held="202000000", playbook={"rules": {"persistence_s": 3.0}}
    ) as market:
        await at_ease(market)
        began_ns = market.world.live.clock.now_ns()
        await market.rate("buy")
        await market.until(lambda: not market.sizes(BUY), "the market without bids")
        await market.until(lambda: bool(market.sizes(BUY)), "bids after a while")
        since = [each for each in market.decisions() if each.at_ns > began_ns]
        bare = next(index for index, each in enumerate(since) if not each.ladder.bids)
        first = next(each for each in since[bare:] if each.ladder.bids)
        assert first.at_ns - began_ns >= 3_000_000_000
        assert "has not held" in since[bare].ladder.bids_absent


async def test_one_signal_event_never_brings_about_more_than_its_cap(tmp_path: Any) -> None:
    async with playbook_world(
        tmp_path, playbook={"rules": {"persistence_s": 0.5, "signal_cap": "6000000"}}
    ) as market:
        await at_ease(market)
        await market.rate("strong buy")
        await market.until(lambda: market.ruling.is_held, "a buy that holds")
        opened = market.ruling.event.opened_lots
        for _ in range(6):
            await market.until(lambda: market.world._is_calm(), "calm")
            bids = [o for o in market.world.truth().open_orders if o.side is BUY]
            worst = market.world.maker.keeper.position_lots(market.world.maker.market)
            assert worst + sum(o.lots_left for o in bids) <= opened + 6_000_000
            if bids:
                market.world.take()
            await market.rate("strong buy")
        assert market.ruling.event.number == 1


async def test_more_than_the_usual_size_waits_for_other_factors(tmp_path: Any) -> None:
    async with playbook_world(
        tmp_path, held="190000000", params=ONE, playbook={"rules": {"confirmations_min": 6}}
    ) as market:
        await at_ease(market)
        await market.rate("buy")
        market.stage.depth = 2.0
        await market.row_is("buy, depth improving")
        await market.until(lambda: market.ruling.bid_size == 1.0, "the usual size")
        await market.rate("strong buy")
        await market.until(lambda: market.world._is_calm(), "calm")
        assert market.ruling.bid_size == 1.0, "five factors at most agree"
        assert max(market.wished(BUY)) <= USUAL


async def test_a_late_rating_is_neutral_and_shows_no_more(tmp_path: Any) -> None:
    async with playbook_world(tmp_path) as market:
        await at_ease(market)
        await market.rate("buy", s=3.0)
        market.stage.depth = 2.0
        await market.row_is("buy, depth improving")
        await market.until(lambda: "buy" not in market.row, "a row without the late rating")
        assert market.ruling.bid_size <= 1.0
        assert market.ruling.answers.signal.value in ("neutral", "unknown")


@pytest.mark.parametrize("votes", [19, None])
async def test_a_rating_of_too_few_votes_is_no_rating(tmp_path: Any, votes: int | None) -> None:
    async with playbook_world(
        tmp_path, held="190000000", playbook={"rules": {"votes_needed": True}}
    ) as market:
        await at_ease(market)
        await market.rate("strong buy", voted=votes)
        market.stage.depth = 2.0
        await market.until(lambda: market.ruling.answers.depth.value == "improving", "depth")
        assert market.ruling.answers.signal.value == "unknown"
        assert market.ruling.bid_size <= 1.0
