"""What the five questions cost in a decision: asked anew, and asked where nothing has changed.

A buy above its target in a market whose answers change at every round (asked anew), or whose
numbers move while its answers stay (nothing changed). The whole cell includes what the caller
builds: a `Perceived` for each decision.
"""

import time
from collections.abc import Callable
from itertools import count
from typing import Any

from bench.harness import Ratio, arguments, finish, settle, timing
from engine.signals.outlook import (
    Correlation,
    DepthTrend,
    Known,
    Outlook,
    Regime,
    Thickness,
    Turnover,
    VolatilityTrend,
)
from engine.trading.policy import Perceived, Policy
from engine.trading.policy_ruling import Chosen
from engine.trading.posture import AS_IT_IS, Answers
from engine.trading.rules import RulesParams
from engine.values.events import RatingLabel, RatingSet
from engine.values.units import NS_PER_MS, NS_PER_S, Ns
from tests.trading_builders import BANDS, BTT, NOW_NS

ROUNDS, ROUNDS_QUICK = 200_000, 20_000
ANEW_US_MAX, SAME_US_MAX = 15.0, 3.0
POSITION_LOTS = 22_000_000
RULES = RulesParams(
    votes_min=20,
    votes_needed=False,
    rating_age_max_s=86_400.0,
    persistence_s=900.0,
    confirmations_min=2,
    signal_cap="5000000",
    size_step=0.05,
    size_step_every_s=60.0,
)
RATING = RatingSet(
    market=BTT.market,
    at_ns=NOW_NS,
    label=RatingLabel.BUY,
    expires_ns=NOW_NS + 86_400 * NS_PER_S,
    source="bench",
    score=0.3,
    voted=26,
)


class Everything:
    """A choice that costs nothing, so that the policy itself is measured."""

    posture, conflict, careful = AS_IT_IS, False, ()

    def choose(self, answers: Answers) -> Chosen:
        return self


def outlook(turn: int, depth: DepthTrend) -> Outlook:
    """All words and numbers there; the numbers are others at every turn."""
    known = Known(1.0 + turn % 7 / 100, 200 * NS_PER_MS)
    return Outlook(
        btc=Regime.STABLE,
        correlation=Correlation.LOW,
        depth=depth,
        volatility=VolatilityTrend.STEADY,
        book=Thickness.DEEP,
        turnover=Turnover.NORMAL,
        beta=known,
        correlation_value=known,
        depth_ratio=known,
        volatility_ratio=known,
        spread_bps=known,
        score=known,
        turnover_ratio=known,
        depth_lots=((10, 10), (20, 20), (50, 50)),
    )


def seen(now_ns: Ns, market: Outlook, lots: int) -> Perceived:
    zone = BANDS.zone(lots)
    return Perceived(
        now_ns=now_ns, rating=RATING, agreeing=(), outlook=market, position_lots=lots, zone=zone
    )


def spans(rounds: int, act: Callable[[Ns, Outlook, int], Any], *, is_moving: bool) -> list[int]:
    """Nanoseconds of each act; `is_moving` changes an answer and the position every time."""
    clock, turn, found = time.perf_counter_ns, count(), []
    now_ns = NOW_NS
    settle()
    for _ in range(rounds):
        number, now_ns = next(turn), now_ns + 100_000
        is_odd = is_moving and number % 2
        market = outlook(number, DepthTrend.STEADY if is_odd else DepthTrend.IMPROVING)
        lots = POSITION_LOTS + (number % 5 if is_moving else 0)
        began_ns = clock()
        act(now_ns, market, lots)
        found.append(clock() - began_ns)
    return found


def main() -> None:
    chosen = arguments(__doc__ or "")
    rounds = ROUNDS_QUICK if chosen.quick else ROUNDS
    timings = []
    for name, is_moving, is_recorded in (
        ("five questions, asked anew", True, False),
        ("asked anew and recorded", True, True),
        ("asked again, nothing changed", False, False),
    ):
        policy = Policy(Everything(), RULES, BTT, BANDS, "bench")

        def act(now_ns: Ns, market: Outlook, lots: int, policy: Policy = policy) -> None:
            policy.ask(seen(now_ns, market, lots))

        def act_and_record(now_ns: Ns, market: Outlook, lots: int, policy: Policy = policy) -> None:
            policy.ask(seen(now_ns, market, lots))
            policy.record_if_changed()

        found = spans(rounds, act_and_record if is_recorded else act, is_moving=is_moving)
        timings.append(timing(name, found))
    anew, _, same = timings
    ratios = [Ratio(name="nothing changed / asked anew", value=round(same.p50 / anew.p50, 3))]
    facts: dict[str, object] = {
        "anew, times the wanted 15 us": anew.p50 / ANEW_US_MAX,
        "unchanged, times the wanted 3 us": same.p50 / SAME_US_MAX,
    }
    finish(timings, facts, as_json=chosen.json, ratios=ratios)


if __name__ == "__main__":
    main()
