"""What a staged sale costs in the thin market: beside its estimate, and beside one market order.

Each seed is lived twice up to the same moment. Then one of the two sells everything at once into
the book as it stands, and the other works a parent: child orders over time, within its limits.
Slippage is in ppm of the mid at that moment, fees apart. The whole size fits into the book that is
seen, so that the one order has a price at all; for three times that size only the parent has.
"""

import itertools
import statistics
import time
from typing import NamedTuple

from bench.harness import Ratio, arguments, finish, settle, timing
from bench.twap_market import BASE, BTT, ThinMarket, mids
from engine.treasury.estimate import Venue, best_mid, slippage_ppm
from engine.treasury.execution import Parent
from engine.treasury.execution_life import OVER
from engine.treasury.execution_params import EstimateParams, ExecutionParams
from engine.treasury.execution_sight import MarketSight, Sight, Wish
from engine.treasury.planning import Order, plan
from engine.treasury.post_trade import Lessons, review
from engine.values.execution_records import ChildSent, ParentState, Reviewed
from engine.values.units import NS_PER_S, PPM, SELL, Atoms, Lot, Ns

SEEDS, SEEDS_QUICK = 50, 6
WARM_UP_S = 300
SEEN_PPM, TIMES = 800_000, 3
"""The size as a share of the bids that are seen; and the larger one, which the book cannot hold."""
LESS_WANTED = 0.8
PARAMS = ExecutionParams(
    child_depth_ppm=100_000,
    child_every_s=15,
    jitter_ppm=300_000,
    participation_ppm=200_000,
    volume_window_s=120,
    gap_ppm=60_000,
    stale_s=5,
    pause_s=15,
    hand_over_s=600,
    answer_s_max=5,
    estimate=EstimateParams(
        volatility_ppm=1_000_000,
        fragmentation_ppm=500,
        daily_share_ppm=10_000,
        impact_ppm=0,  # the synthetic traders remember no size
        daily_excess_ppm=1_000,
        unknown_volume_ppm=3_000,
        ceiling_ppm_max=120_000,
        lesson_ppm_max=10_000,
        lesson_weight_ppm=300_000,
    ),
)
LEAST: Atoms = 10_000


class Found(NamedTuple):
    """Of one seed; slippages in ppm, worse is plus. `at_once` is of the one market order."""

    lots: Lot
    estimate: int
    ceiling: int
    at_once_estimate: int | None
    at_once: int | None
    realised: int
    impact: int
    done_ppm: int
    took_s: float
    children: int
    state: ParentState


def main() -> None:
    chosen = arguments(__doc__ or "")
    seeds = range(1, 1 + (SEEDS_QUICK if chosen.quick else SEEDS))
    spans_ns: list[int] = []
    settle()
    lessons = Lessons(PARAMS.estimate)
    fits = [_seed(seed, 1, spans_ns, lessons) for seed in seeds]
    larger = [_seed(seed, TIMES, spans_ns, Lessons(PARAMS.estimate)) for seed in seeds]
    facts = _facts("what the book holds", fits) | _facts(f"{TIMES} times that", larger)
    at_once = statistics.mean(each.at_once for each in fits if each.at_once is not None)
    realised = statistics.mean(each.realised for each in fits)
    name = "staged slippage / one market order"
    ratios = [Ratio(name=name, value=round(realised / at_once, 3), at_most=LESS_WANTED)]
    spans = [timing("one look of a parent", spans_ns)]
    finish(spans, facts, as_json=chosen.json, ratios=ratios)


def _facts(name: str, found: list[Found]) -> dict[str, object]:
    """Means and spreads, so that luck can be told from skill."""
    realised = [each.realised for each in found]
    once = [each.at_once for each in found if each.at_once is not None]
    error = statistics.stdev(realised) / len(realised) ** 0.5
    facts: dict[str, object] = {
        f"{name}: seeds": len(found),
        f"{name}: mean size, million BTT": statistics.mean(each.lots for each in found) / 1e6,
        f"{name}: expected, ppm": statistics.mean(each.estimate for each in found),
        f"{name}: realised, ppm": statistics.mean(realised),
        f"{name}: realised, standard error of the mean": error,
        f"{name}: realised against the mid of each child": _mean(each.impact for each in found),
        f"{name}: ceiling, ppm": statistics.mean(each.ceiling for each in found),
        f"{name}: worst realised, ppm": max(realised),
        f"{name}: over the ceiling": sum(each.realised > each.ceiling for each in found),
        f"{name}: one order expected, ppm": _mean(each.at_once_estimate for each in found),
        f"{name}: one order realised, ppm": statistics.mean(once) if once else "the book ends",
        f"{name}: sold, share in ppm": statistics.mean(each.done_ppm for each in found),
        f"{name}: handed to a person": sum(e.state is ParentState.HANDED_OVER for e in found),
        f"{name}: took, s": statistics.mean(each.took_s for each in found),
        f"{name}: children": statistics.mean(each.children for each in found),
    }
    return facts


def _mean(values: object) -> object:
    known = [value for value in values if value is not None]  # type: ignore[attr-defined]
    return statistics.mean(known) if known else "the book ends"


# --- one seed -----------------------------------------------------------------------------------


def _seed(seed: int, times: int, spans_ns: list[int], lessons: Lessons) -> Found:
    market, volatility = _warm(seed)
    book = market.depth()
    lots = sum(level.atoms for level in book.bids) * SEEN_PPM // PPM * times
    volume = market.volume_since(0) * 86_400 // WARM_UP_S
    venue = Venue(
        market=BTT.market, book=book, volume_atoms=volume, lesson_ppm=lessons.ppm(BTT.market)
    )
    order = Order(
        parent=f"seed {seed}", proposal="bench", asset=BASE.name, side=SELL, atoms=lots,
        begin_ns=market.now_ns, until_ns=market.now_ns + 86_400 * NS_PER_S, least=None, score_ns=0,
        volatility=volatility,
    )  # fmt: skip
    made = Parent(plan(order, [venue], PARAMS), PARAMS)
    found = _work(market, made, spans_ns)
    once, _ = _warm(seed)
    done, money = once.sell(lots, 1)
    mid = best_mid([book], SELL)
    at_once = slippage_ppm((done, money), mid, SELL) if done == lots else None
    said = review(made, lessons, market.now_ns)
    lessons.remember(said)
    return _row(made, said, found, at_once)


def _row(made: Parent, said: Reviewed, children: int, at_once: int | None) -> Found:
    return Found(
        lots=made.plan.atoms,
        estimate=made.plan.estimate_ppm,
        ceiling=made.plan.ceiling_ppm,
        at_once_estimate=made.plan.at_once_ppm,
        at_once=at_once,
        realised=said.realised_ppm or 0,
        impact=said.venues[0].realised_ppm,
        done_ppm=said.atoms * PPM // made.plan.atoms,
        took_s=said.took_ns / NS_PER_S,
        children=children,
        state=made.state,
    )


def _warm(seed: int) -> tuple[ThinMarket, int]:
    """A market after five minutes, and its volatility in ppm per square root of a second.

    Measured over half-minutes: the touch of a thin book jumps to and fro within each of them.
    """
    market = ThinMarket(seed)
    seen = list(mids(market, WARM_UP_S))[::30]
    steps = [(b - a) / a for a, b in itertools.pairwise(seen)]
    return market, round(PPM * statistics.pstdev(steps) / 30**0.5)


def _work(market: ThinMarket, made: Parent, spans_ns: list[int]) -> int:
    """Look every second until it is over; each wish is an immediate order."""
    while made.state not in OVER:
        market.run_to(market.now_ns + NS_PER_S)
        seen = _sight(market)
        began = time.perf_counter_ns()
        look = made.look(seen)
        spans_ns.append(time.perf_counter_ns() - began)
        for wish in look.wishes:
            _send(market, made, wish)
    return len(made.children)


def _sight(market: ThinMarket) -> Sight:
    book, now_ns = market.depth(), market.now_ns
    is_sane = book.is_sane()
    shown = MarketSight(
        market=BTT.market,
        book=book if is_sane else None,
        levels=book.bids,
        is_own_in_way=False,
        why="" if is_sane else "a side of the book is empty",
        is_killed=False,
        volume_atoms=market.volume_since(now_ns - PARAMS.volume_window_s * NS_PER_S),
        doubt="",
        is_busy=False,
        lot_atoms=1,
        least_atoms=LEAST,
        lesson_ppm=0,
    )
    return Sight(now_ns=now_ns, markets=(shown,), turnover_left_atoms=2**62, killed="")


def _send(market: ThinMarket, made: Parent, wish: Wish) -> None:
    now_ns: Ns = market.now_ns
    tick = -(-wish.limit.money_atoms // wish.limit.atoms)
    client_id = f"c{len(made.children)}"
    sent = ChildSent(
        at_ns=now_ns, parent=made.plan.parent, client_id=client_id, market=wish.market, side=SELL,
        lots=wish.atoms, tick_limit=tick, atoms=wish.atoms,
        mid=(wish.mid.money_atoms, wish.mid.base_atoms), estimate_ppm=wish.estimate_ppm,
    )  # fmt: skip
    made.remember(sent)
    lots, money = market.sell(wish.atoms, tick)
    if lots:
        made.filled(client_id, (lots, money), now_ns)
    made.ended(client_id)
    made.check()


if __name__ == "__main__":
    main()
