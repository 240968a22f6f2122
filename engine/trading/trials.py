"""A policy asked what it would say if things were otherwise: on a copy of its memory."""

from collections.abc import Callable

import msgspec

from engine.signals.outlook import Regime
from engine.trading.hedge_sight import HedgeSight
from engine.trading.policy import Policy
from engine.trading.policy_ruling import Perceived, Ruling
from engine.trading.rules import RulesParams
from engine.values.events import RatingLabel, RatingSet
from engine.values.units import NS_PER_S, Lot, Ns

DAY_NS = 86_400 * NS_PER_S
VOTES = 26
SIZE_MOST = 2.0
"""A displayed size is at most so many times the strategy's own (posture.QuoteStance)."""
TRIALS_MAX = 1_000


class Supposed(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be taken for true; None is left as it is."""

    rating: RatingLabel | None = None
    btc: Regime | None = None
    position_lots: Lot | None = None


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What would be ruled at `at_ns`, had it been so from `asked_ns` on."""

    asked_ns: Ns
    at_ns: Ns
    rating: RatingSet | None
    ruling: Ruling
    sight: HedgeSight


def try_out(
    policy: Policy,
    seen_at: Callable[[Ns], Perceived],
    sight_of: Callable[[Ruling], HedgeSight],
    now_ns: Ns,
    until_ns: Ns,
) -> tuple[Trial, Trial]:
    """The first ruling and the last one, asked whenever time alone would change it."""
    trial = policy.trial()
    ruled: list[Trial] = []
    at_ns = now_ns
    while at_ns <= until_ns and len(ruled) < TRIALS_MAX:
        seen = seen_at(at_ns)
        ruling = trial.ask(seen)
        ruled.append(
            Trial(
                asked_ns=now_ns,
                at_ns=at_ns,
                rating=seen.rating,
                ruling=ruling,
                sight=sight_of(ruling),
            )
        )
        at_ns = max(at_ns + 1, trial.due_ns)
    return ruled[0], ruled[-1]


def settled_ns(rules: RulesParams) -> Ns:
    """How long a signal needs to have held, and sizes to have grown from nothing to their most."""
    growth_s = rules.size_step_every_s * SIZE_MOST / rules.size_step
    return round((rules.persistence_s + growth_s) * NS_PER_S)


def supposing(seen: Perceived, supposed: Supposed, market: str) -> Perceived:
    """`seen` as it would be, with a rating that is told anew and so does not grow old."""
    rating, outlook, at_ns = seen.rating, seen.outlook, seen.now_ns
    fresh = {"at_ns": at_ns, "expires_ns": at_ns + DAY_NS}
    if supposed.rating is not None:
        rating = RatingSet(
            market=market, label=supposed.rating, source="what if", voted=VOTES, **fresh
        )
    elif rating is not None:
        rating = msgspec.structs.replace(rating, **fresh)
    if supposed.btc is not None:
        outlook = msgspec.structs.replace(outlook, btc=supposed.btc)
    return msgspec.structs.replace(seen, rating=rating, outlook=outlook)
