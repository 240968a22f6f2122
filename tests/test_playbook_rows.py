"""Each row of the shipped playbook, driven by a scripted market on the loopback venue."""

from itertools import pairwise
from typing import Any

import pytest

from engine.trading.posture import HedgeStance
from engine.values.units import BUY, SELL
from tests.playbook_world import PlaybookWorld, breaking, largest, playbook_world, weak

USUAL = 4_000_000
ONE = {"levels": 1}
"""One quote a side, so that a size is that of a level and not of several."""


async def at_ease(market: PlaybookWorld) -> None:
    await market.known()
    await market.world.calm()


async def test_a_buy_with_depth_improving_and_btc_stable_shows_a_little_more_step_by_step(
    tmp_path: Any,
) -> None:
    # One event may bring about more than a bid that is taken and the larger one after it.
    playbook = {"rules": {"signal_cap": "40000000"}}
    async with playbook_world(tmp_path, held="190000000", params=ONE, playbook=playbook) as market:
        await at_ease(market)
        await market.rate("buy")
        market.stage.depth = 3.0
        ruling = await market.rules("buy, depth improving", lambda r: r.bid_size == 1.1)
        assert ruling.bid_closer == 0.1
        assert ruling.hedge is HedgeStance.HOLD, "below the target no cover is bought"
        assert ruling.stops_share == 1.0
        larger = await market.decides(lambda d: largest(d, BUY) == USUAL * 1.1, "larger bids")
        assert largest(larger, SELL) == USUAL
        market.world.take(9)  # an order that stands keeps its place in the queue, and its size
        await market.until(
            lambda: any(sum(lots) > USUAL for lots in market.stood(BUY)), "them at the venue"
        )
        sizes = [each.bid_size for each in market.ruled]
        assert max(sizes) == 1.1
        assert all(after - before < 0.051 for before, after in pairwise(sizes)), "step by step"
        shown = {level.lots for each in market.decided for level in each.ladder.bids}
        assert max(shown) == USUAL * 1.1
        assert {lots % 200_000 for lots in shown} == {0}


async def test_neutral_in_a_range_with_low_turnover_keeps_the_shape(tmp_path: Any) -> None:
    async with playbook_world(tmp_path) as market:
        await at_ease(market)
        await market.rate("neutral")
        market.stage.trades = 0
        ruling = await market.rules("neutral, range-bound", lambda r: r.bid_size == 1.0)
        assert ruling.bid_closer == 0
        assert ruling.stops_share == 1.0
        await market.decides(
            lambda d: largest(d, BUY) == largest(d, SELL) == USUAL, "the usual bids and asks"
        )


async def test_a_buy_in_a_thin_book_with_btc_weak_adds_nothing_and_keeps_quoting(
    tmp_path: Any,
) -> None:
    async with playbook_world(tmp_path, weak, held="203000000", depth=0.3) as market:
        await market.rate("buy")
        ruling = await market.rules("buy, thin book, BTC weak", lambda r: r.room_bid_lots == 0)
        assert ruling.hedge is HedgeStance.EXCESS
        assert ruling.stops_share == 0.8
        await market.rules("buy, thin book, BTC weak", lambda r: r.bid_size == 0.8)
        await market.until(lambda: not market.sizes(BUY), "no bid above the target")
        await market.until(lambda: bool(market.sizes(SELL)), "the side that does not add")
        await market.decides(lambda d: "playbook" in d.ladder.bids_absent, "the reason for it")


async def test_a_sell_with_volatility_rising_and_depth_thinning_shows_less_further_out(
    tmp_path: Any,
) -> None:
    async with playbook_world(tmp_path, held="190000000", depth=3.0) as market:
        await at_ease(market)
        await market.rate("sell")
        market.stage.depth, market.stage.wobble_s = 1.0, 0.2
        ruling = await market.rules("sell, volatility rising")
        assert (ruling.ask_out_ticks, ruling.bid_out_ticks) == (1, 1)
        assert ruling.hedge is HedgeStance.MORE
        assert ruling.stops_share == 0.7
        assert ruling.worst_lots <= 200_000_000, "a sell adds nothing over the target"
        await market.decides(lambda d: 0 < largest(d, SELL) <= 0.7 * USUAL, "less shown")
        await market.until(
            lambda: any(0 < max(lots, default=0) <= 0.7 * USUAL for lots in market.stood(SELL)),
            "that at the venue",
        )
        await market.until(lambda: bool(market.sizes(BUY)), "bids: a sell empties no side")


async def test_a_sell_while_btc_breaks_support_defends_the_book(tmp_path: Any) -> None:
    async with playbook_world(tmp_path, breaking, held="180000000") as market:
        await market.rate("strong sell")
        ruling = await market.rules("sell, risk-off")
        assert (ruling.bid_out_ticks, ruling.ask_out_ticks) == (2, 1)
        assert ruling.hedge is HedgeStance.ACCELERATE
        assert ruling.stops_share == 0.5
        await market.decides(lambda d: 0 < largest(d, BUY) <= 0.5 * USUAL, "half the bids")
        await market.until(
            lambda: any(0 < max(lots, default=0) <= 0.5 * USUAL for lots in market.stood(BUY)),
            "them at the venue",
        )
        await market.until(lambda: bool(market.sizes(SELL)), "asks: a sell empties no side")


async def test_where_signal_and_market_disagree_the_row_with_less_exposure_wins(
    tmp_path: Any,
) -> None:
    async with playbook_world(tmp_path, breaking) as market:
        await at_ease(market)
        await market.rate("strong buy")
        market.stage.depth = 2.0
        ruling = await market.rules("", lambda r: r.conflict)
        assert ruling.bid_size <= 1.0
        assert ruling.bid_closer == 0
        assert "depth improving" not in ruling.posture.row
        await market.world.live.durable()
        assert any(ruled.conflict for ruled in market.journaled("Ruled")), "on record"


async def test_above_the_target_a_buy_adds_nothing_before_it_has_held(tmp_path: Any) -> None:
    async with playbook_world(
        tmp_path, held="202000000", playbook={"rules": {"persistence_s": 3.0}}
    ) as market:
        await at_ease(market)
        began_ns = market.world.live.clock.now_ns()
        await market.rate("buy")
        bare = await market.decides(
            lambda d: not d.ladder.bids and "has not held" in d.ladder.bids_absent, "no bids"
        )
        first = await market.decides(
            lambda d: d.at_ns > bare.at_ns and d.ladder.bids, "bids after a while"
        )
        assert first.at_ns - began_ns >= 3_000_000_000
        await market.until(lambda: bool(market.sizes(BUY)), "them at the venue")


async def test_one_signal_event_never_brings_about_more_than_its_cap(tmp_path: Any) -> None:
    async with playbook_world(
        tmp_path, playbook={"rules": {"persistence_s": 0.5, "signal_cap": "6000000"}}
    ) as market:
        await at_ease(market)
        await market.rate("strong buy")
        ruling = await market.rules("", lambda r: r.is_held)
        opened = ruling.event.opened_lots
        for _ in range(6):
            await market.until(market.world.is_calm, "calm")
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
        await market.rules("buy, depth improving", lambda r: r.bid_size == 1.0)
        await market.rate("strong buy")
        await market.rules("", lambda r: r.seen.rating.label == "strong buy")
        await market.decides(lambda d: largest(d, BUY) == USUAL, "the usual bids")
        assert max(ruling.bid_size for ruling in market.ruled) == 1.0, "five factors at most agree"
        assert max(largest(each, BUY) for each in market.decided) == USUAL


async def test_a_late_rating_is_neutral_and_shows_no_more(tmp_path: Any) -> None:
    async with playbook_world(tmp_path) as market:
        await at_ease(market)
        market.stage.depth = 2.0
        await market.until(lambda: market.ruling.answers.depth.value == "improving", "depth")
        await market.rate("buy", s=3.0)
        heeded = await market.rules("buy, depth improving")
        late = await market.rules(
            "", lambda r: r.seen.now_ns > heeded.seen.now_ns and "buy" not in r.posture.row
        )
        assert late.bid_size <= 1.0
        assert late.answers.signal.value in ("neutral", "unknown")


@pytest.mark.parametrize("votes", [19, None])
async def test_a_rating_of_too_few_votes_is_no_rating(tmp_path: Any, votes: int | None) -> None:
    async with playbook_world(
        tmp_path, held="190000000", playbook={"rules": {"votes_needed": True}}
    ) as market:
        await at_ease(market)
        await market.rate("strong buy", voted=votes)
        market.stage.depth = 2.0
        ruling = await market.rules("", lambda r: r.answers.depth.value == "improving")
        assert ruling.answers.signal.value == "unknown"
        assert ruling.bid_size <= 1.0
