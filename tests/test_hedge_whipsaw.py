"""A day on which the signal turns every few minutes: what it costs with stages, and what without.

The same inventory, prices and flips are driven through the whole engine and, beside it, counted for
a desk that covers all on each sell and lets all go on each buy at the same fee and half spread.
Measured with seed 7: 0.37 USDT with stages, 218.40 without, for 1,260 USDT between target and cap.
"""

from random import Random
from typing import Any

from engine.trading.posture import HedgeStance, Signal
from engine.values.records import HedgeMoved, HedgeRefused, HedgeSent
from engine.values.units import NS_PER_S
from tests.hedge_builders import hedge_params
from tests.hedge_world import COIN, WAY, HedgeWorld
from tests.trading_builders import BANDS

DAY_S, TICK_S, FLIP_S = 86_400, 60, 240
BUDGET = "6"
COST_BPS = 10.01  # the taker's fee and half the spread of the hedge market
TOKEN_VALUE = 6_300e-8


def path(seed: int) -> list[float]:
    """Inventory through the day, as a share of the way from target to cap, a step a tick."""
    dice, gone, found = Random(seed), 0.4, []
    for _ in range(DAY_S // TICK_S):
        gone = min(0.95, max(-0.1, gone + dice.gauss(0, 0.01) + 0.01 * (0.45 - gone)))
        found.append(gone)
    return found


def signal_at(second: int) -> Signal:
    return Signal.SELL if second // FLIP_S % 2 else Signal.BUY


def naive_cost(gones: list[float]) -> float:
    """All covered on a sell, all let go on a buy, nothing waits: quote currency a day."""
    cover = cost = 0.0
    for number, gone in enumerate(gones):
        is_sell = signal_at(number * TICK_S) is Signal.SELL
        wanted = max(0.0, gone) if is_sell else 0.0
        cost += abs(wanted - cover) * WAY * TOKEN_VALUE * COST_BPS / 10_000
        cover = wanted
    return cost


def played(gones: list[float]) -> tuple[HedgeWorld, float]:
    """The world at the end of the day, and the most that a UTC day did cost."""
    world = HedgeWorld(
        params=hedge_params(child_value="100", slippage_bps_max=20.0, day_cost_max=BUDGET)
    )
    world.tick_s = float(TICK_S)
    began_s, most = world.now // NS_PER_S, 0.0
    for number, gone in enumerate(gones):
        signal = signal_at(number * TICK_S)
        held_s = number * TICK_S % FLIP_S
        see: dict[str, Any] = {"signal": signal, "signal_held_ns": held_s * NS_PER_S}
        stance = HedgeStance.STAGED if signal is Signal.SELL else HedgeStance.HOLD
        world.see(stance=stance, trend_sigmas=-2.0, turnover_ratio=2.0, **see)
        world.to(gone)
        world.turn()
        most = max(most, world.spent)
    assert world.now // NS_PER_S - began_s == DAY_S
    return world, most


def test_a_whipsaw_day_stays_within_its_budget_and_far_below_a_desk_without_stages():
    gones = path(7)
    (world, staged), naive = played(gones), naive_cost(gones)
    print(f"24 h, {DAY_S // FLIP_S} flips: staged {staged:.2f}, without {naive:.2f} USDT")
    assert 0.1 < staged <= float(BUDGET)
    assert staged < naive / 10
    assert max(record.stage for record in world.of(HedgeMoved)) == 1, "no flip held long enough"


def test_after_a_whipsaw_day_the_cover_is_right():
    world, _ = played(path(11))
    excess = max(0, world.position - BANDS.target_lots)
    world.tick_s = 1.0
    world.see(stance=HedgeStance.STAGED, signal=Signal.NEUTRAL)
    world.run(900)
    assert world.sold == world.hedger.desk.sweeps[0].sold_lots
    stage = world.hedger.stages.stage
    target = (0.3 if stage else 0.0) * excess
    assert world.hedger.cover_lots <= excess
    assert world.hedger.cover_lots >= target - 0.02 * WAY
    assert len(world.of(HedgeSent)) < 200
    assert world.hedger.desk.health[COIN].state == "well"


def test_inventory_that_swings_all_day_costs_the_budget_at_most_and_is_covered_the_day_after():
    world = HedgeWorld(
        params=hedge_params(child_value="400", slippage_bps_max=20.0, day_cost_max="3")
    )
    world.tick_s, most = 30.0, 0.0
    world.see(stance=HedgeStance.EXCESS, signal=Signal.SELL)
    began = world.now // (DAY_S * NS_PER_S)
    while world.now // (DAY_S * NS_PER_S) == began:
        world.to(0.4 if world.now // (1_800 * NS_PER_S) % 2 else -0.1)
        for _ in range(60):
            world.turn()
            most = max(most, world.spent)
    assert 2.0 < most <= 3.0
    (refused,) = world.of(HedgeRefused)
    assert refused.why.startswith("budget")
    world.to(0.4)
    world.run(1_200)
    assert 0.38 <= world.covered <= 0.4
