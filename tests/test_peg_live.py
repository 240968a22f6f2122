"""The peg on the loopback venue: noise is leaned against, a drift is not."""

from typing import Any

from engine.values.records import Decision
from engine.values.units import BUY
from tests.playbook_world import PlaybookWorld, largest, playbook_world

PEG = {
    "fixed": 62e-8, "units": {}, "age_max_s": 5.0, "corridor_bps": 1500.0, "threshold_bps": 200.0,
    "patience_s": 1.0, "release_share": 0.5, "sample_s": 0.5, "block_s": 1.0, "blocks": 4,
    "mean_min_bps": 250.0, "t_from": 3.0, "t_below": 1.5, "breadth": [], "breadth_min": 0.5,
    "loose_share": 2.0, "spread_wide": 3.0, "spread_calm": 2.0, "tight_share": 0.5,
    "injection_cap_lots": 1_000_000, "injection_s": 60.0, "injection_rest_s": 300.0,
    "lots": 4_000_000, "half_spread_ticks": 1.0, "pull": 0.1, "intervening_pull": 0.5,
    "intervening_size": 2.0, "drifting_size": 0.5,
}  # fmt: skip


def pegged(table: dict[str, Any]) -> None:
    table["strategy"] = "peg"
    table["params"] = PEG
    del table["playbook"], table["broad"]


def state(decision: Decision | None) -> str:
    levels = decision.ladder.bids + decision.ladder.asks if decision else ()
    return levels[0].reason.stance.split()[0] if levels else ""


async def quiet(market: PlaybookWorld) -> None:
    await market.until(lambda: state(market.world.maker.quoter.last) == "quiet", "quiet")


async def test_a_short_deviation_is_leaned_against_and_let_go(tmp_path: Any) -> None:
    async with playbook_world(tmp_path, change=pegged) as market:
        await quiet(market)
        market.stage.shift = -3
        decision = await market.decides(
            lambda d: state(d) == "intervening" and largest(d, BUY) >= 7_000_000, "an intervention"
        )
        assert decision.ladder.bids[0].reason.skew > 0, "toward the reference"
        await market.until(
            lambda: any(max(lots, default=0) >= 7_000_000 for lots in market.stood(BUY)),
            "larger bids at the venue",
        )
        market.stage.shift = 0
        await quiet(market)


async def test_a_drift_is_followed_with_less(tmp_path: Any) -> None:
    async with playbook_world(tmp_path, change=pegged) as market:
        await quiet(market)
        market.stage.shift = -3
        decision = await market.decides(
            lambda d: state(d) == "drifting" and 0 < largest(d, BUY) <= 2_000_000, "a drift"
        )
        assert decision.ladder.bids[0].reason.skew == 0, "nothing pulls toward the reference"
        assert decision.ladder.asks, "both sides stay"
        await market.until(lambda: 0 < max(market.sizes(BUY), default=0) <= 2_000_000, "less shown")
