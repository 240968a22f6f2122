"""What a hedge tells: refusals once a reason, moves as records, and its state for people."""

from fractions import Fraction
from typing import Any

import msgspec

from engine.trading.hedge import Cover, HedgeScene
from engine.trading.hedge_choice import Candidate, Carry
from engine.trading.hedge_params import HedgeKind
from engine.trading.hedge_venue import VenueHealth
from engine.trading.sweeps import Sweeps
from engine.values.records import HedgeMoved, HedgeRefused
from engine.values.step import Step
from engine.values.units import NS_PER_S, Ns, decimal_text

NS_PER_DAY = 86_400 * NS_PER_S
MONEY_EXPONENT = 8
BUDGET = "budget"


class HedgeNotes:
    """What was recorded last, so that the same thing is not recorded twice."""

    def __init__(self, market: str) -> None:
        self.market = market
        self.moved: HedgeMoved | None = None
        self.candidates: list[Candidate] = []
        self.why_not = ""
        self._refused: dict[tuple[str, str], int] = {}

    def refuse(self, hedge_market: str, why: str, now_ns: Ns, step: Step) -> None:
        """Record why due cover was not bought: once a rule, the budget once a UTC day."""
        self.why_not = f"{hedge_market} {why}".strip()
        if self._refused.get(_rule(hedge_market, why)) == _span(why, now_ns):
            return
        record = HedgeRefused(market=self.market, at_ns=now_ns, hedge_market=hedge_market, why=why)
        step.records.append(record)
        step.alert(self.market, now_ns, "warning", f"hedge not done: {self.why_not}")
        self.refused(hedge_market, why, now_ns)

    def refused(self, hedge_market: str, why: str, at_ns: Ns) -> None:
        self._refused[_rule(hedge_market, why)] = _span(why, at_ns)

    def sent(self) -> None:
        """Something goes again: what is refused from now on is news, but for the budget."""
        self.why_not = ""
        kept = {rule: day for rule, day in self._refused.items() if rule[1] == BUDGET}
        self._refused = kept

    def is_news(self, record: HedgeMoved, least: float) -> bool:
        """Whether stage, stance or what stands differ, or the target by more than `least` lots."""
        last = self.moved
        if last is None:
            return bool(record.stage or record.target_lots or record.covered_lots)
        if abs(record.target_lots - last.target_lots) > least:
            return True
        return _shape(record) != _shape(last)


def moved_record(
    cover: Cover, scene: HedgeScene, market: str, money: tuple[Fraction, Fraction]
) -> HedgeMoved:
    """`money` is (spent today, the day's budget)."""
    return HedgeMoved(
        market=market,
        at_ns=scene.now_ns,
        stage=cover.stage,
        stance=scene.stance,
        target_lots=cover.target_lots,
        covered_lots=scene.cover_lots,
        converted_lots=scene.converted_lots,
        unhedged_lots=cover.unhedged_lots,
        why=cover.why,
        spent=money_text(money[0]),
        budget=money_text(money[1]),
    )


def money_text(amount: Fraction) -> str:
    """Rounded up to the eighth decimal: never less than was paid."""
    return decimal_text(-(-amount.numerator * 10**MONEY_EXPONENT // amount.denominator), 8)


def ways_report(
    sweeps: list[Sweeps],
    health: dict[str, VenueHealth],
    candidates: list[Candidate],
    carries: dict[str, Carry],
) -> list[dict[str, Any]]:
    """Each way to hedge as people are shown it: what stands there, what it would cost, its risk."""
    texts = {each.way: each for each in candidates}
    rows: list[dict[str, Any]] = []
    for each in sweeps:
        way, state = each.leg.way, health[each.leg.market]
        candidate, carry = texts.get(way), carries.get(way.market)
        row: dict[str, Any] = {
            "kind": way.kind.value,
            "market": way.market,
            "health": state.state.value,
            "why": state.why,
            "covered_lots": each.cover_lots,
            "converted_lots": each.converted_lots,
            "sold_lots": each.sold_lots,
            "is_waiting": each.is_waiting,
            "cost": candidate.text if candidate else "not asked yet",
        }
        if way.kind is HedgeKind.PERPETUAL:
            row["carry"] = msgspec.to_builtins(carry) if carry else "not known"
        rows.append(row)
    return rows


def _rule(hedge_market: str, why: str) -> tuple[str, str]:
    """A refusal's rule, without its numbers."""
    return hedge_market, why.partition(":")[0]


def _span(why: str, at_ns: Ns) -> int:
    """Within what the same refusal is no news: the budget's day, else until something is sent."""
    return at_ns // NS_PER_DAY if why.startswith(BUDGET) else 0


def _shape(record: HedgeMoved) -> tuple[object, ...]:
    return record.stage, record.stance, record.covered_lots, record.converted_lots
