"""A quarter of a treasury, simulated: what it begins with, and the prices that it meets."""

import math
from collections.abc import Callable
from enum import StrEnum
from random import Random
from typing import Protocol, TypeAlias

import msgspec

from engine.treasury.authority import Authority
from engine.treasury.dates import NS_PER_DAY, NS_PER_H, day_of, day_text
from engine.treasury.execution_params import ExecutionParams
from engine.treasury.facts import Scheme
from engine.treasury.ladder_params import EmergencyParams
from engine.treasury.liquid import LiquidParams
from engine.treasury.rebalance import RebalanceParams
from engine.treasury.score import ScoreParams
from engine.values.action_records import AuthoritySet, Person
from engine.values.instrument import Instrument
from engine.values.treasury_words import LimitRow, Obligation
from engine.values.units import NS_PER_S, Atoms, Ns

BEGIN_NS: Ns = 20_454 * NS_PER_DAY
"""2026-01-01. The same moment every time."""
STEP_NS = 6 * NS_PER_H
STEPS_OF_DAY = 4
OWED_BEYOND_DAYS = 45
"""What is owed goes on after the quarter: a treasury never sees its last day coming."""
BTT, USDD, USDT = "BTT", "USDD", "USDT"
ALPHA, BETA, WALLET, CUSTODY = "alpha", "beta", "cold wallet", "custodian"
ONE = 10**8
PRICE_0 = 62.0
"""Ticks of 0.00000001."""
TREND = {"up": 0.85, "down": -0.75, "flat": 0.0}
"""Logarithm of the price over the quarter: more than double, less than half, or nothing."""
WANDER, RELAX = 0.05, 0.9
PEG_LOW = 0.93
FULL_DAYS = 90
"""A shorter quarter has its events earlier and a shorter trend."""


class PricePath(StrEnum):
    UP = "up"
    DOWN = "down"
    FLAT = "flat"


class Keys(Protocol):
    """The private keys of simulated people: real signatures, by whoever drives the quarter."""

    def sign(self, name: str, message: bytes) -> bytes: ...


Signals: TypeAlias = Callable[[Ns, float], str]
"""Shown each price; what a rating says of it. The treasury never hears of it."""


class QuarterSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything from outside. `policy` and `people` come as the words that load them."""

    seed: int
    days: int
    path: PricePath
    scheme: Scheme
    liquid: LiquidParams
    scores: tuple[ScoreParams, ...]
    rows: tuple[LimitRow, ...]
    authority: Authority
    policy: AuthoritySet
    people: tuple[Person, ...]
    execution: ExecutionParams
    rebalance: RebalanceParams
    emergency: EmergencyParams
    verify: Callable[[str, bytes, bytes], bool]
    keys: Keys
    signals: Signals | None = None

    @property
    def outage(self) -> tuple[int, int]:
        """(first day, day on which it is over): 30 to 33 of 90."""
        first = self.days // 3
        return first, first + max(1, self.days // 30)

    @property
    def peg_day(self) -> int:
        """55 of 90."""
        return self.days * 11 // 18

    @property
    def stake_day(self) -> int:
        return self.days // 9

    @property
    def end_ns(self) -> Ns:
        return BEGIN_NS + self.days * NS_PER_DAY


def instrument(base: str, venue: str) -> Instrument:
    """BTT is counted in whole tokens, the stable in hundredths, both priced in 0.00000001."""
    is_stable = base == USDD
    return Instrument(
        symbol=f"{base}/{USDT}", venue=venue, venue_symbol=f"{base}{USDT}", base=base, quote=USDT,
        price_exponent=4 if is_stable else 8, tick=1, size_exponent=2 if is_stable else 0, lot=1,
        maker_fee_ppm=1_000, taker_fee_ppm=1_000,
    )  # fmt: skip


def start_balances() -> dict[tuple[str, str], Atoms]:
    """By (place, asset), in atoms."""
    whole = {
        (ALPHA, BTT): 15_000_000,
        (ALPHA, USDT): 30,
        (ALPHA, USDD): 60,
        (BETA, BTT): 15_000_000,
        (BETA, USDT): 30,
        (WALLET, BTT): 3_600_000_000,
        (CUSTODY, USDT): 260,
    }
    return {key: count * ONE for key, count in whole.items()}


def prices(setup: QuarterSetup) -> list[float]:
    """BTT in ticks at each step: a trend with a wandering that always comes back to it."""
    dice, off, found = Random(f"{setup.seed} {setup.path}"), 0.0, []
    steps = setup.days * STEPS_OF_DAY
    for step in range(steps + 1):
        trend = TREND[setup.path] * step / (FULL_DAYS * STEPS_OF_DAY)
        found.append(PRICE_0 * math.exp(trend + off))
        off = RELAX * off + WANDER * math.sqrt(1 - RELAX * RELAX) * dice.gauss(0.0, 1.0)
    return found


def peg(setup: QuarterSetup, at_ns: Ns) -> float:
    """The other stable asset in money: it falls within a day, and does not come back."""
    days = (at_ns - BEGIN_NS) / NS_PER_DAY - setup.peg_day
    return 1.0 - (1.0 - PEG_LOW) * min(1.0, max(0.0, days))


def obligations(days: int) -> list[Obligation]:
    """Creators and payroll weekly, rebates every other week, storage monthly, an audit once."""
    first, rows = day_of(BEGIN_NS), []
    plan = (
        ("creators", "creator rewards", BTT, 100_000_000, 7, 5),
        ("payroll", "reserve", USDT, 4, 7, 2),
        ("rebates", "rebates", BTT, 60_000_000, 14, 9),
        ("storage", "storage incentives", USDT, 15, 30, 20),
        ("audit", "reserve", USDT, 40, 10_000, 32),
    )
    for name, function, asset, count, every, start in plan:
        for day in range(start, days + OWED_BEYOND_DAYS, every):
            rows.append(
                Obligation(
                    name=f"{name} {day_text(first + day)}", due=first + day, function=function,
                    asset=asset, atoms=count * ONE,
                )
            )  # fmt: skip
    return rows


def seconds(count: int) -> Ns:
    return count * NS_PER_S
