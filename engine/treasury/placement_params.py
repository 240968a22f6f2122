"""`[placement]` of the treasury file: the matrix of what a surplus may be used for, and its rules.

Shares are ppm, yields ppm a year (they may be negative), amounts decimal text. A yield here is
people's assumption; what a source tells at the moment counts before it.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from engine.treasury.params import DAYS_MAX, HOURS_MAX, check_amount
from engine.values.units import PPM, Ppm, scaled


class Use(StrEnum):
    """The rows of the matrix."""

    HOLD = "hold spot"
    STABLE = "convert to stable"
    STAKE = "stake"
    POOL = "provide liquidity"
    DERIVATIVES = "derivatives"


class OptionParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[placement.options]]`.

    lock_h: hours before one may ask for it back. unwind_h: hours from asking until it is cash.
    complexity: 0 (nothing to run) to 100. platform: the venues of a conversion, the platform of a
    stake, the pool, or the market of a hedge; address: where it goes on the chain, "-" for none.
    """

    name: str
    use: Use
    platform: str
    address: str
    yield_ppm: Ppm
    lock_h: int
    unwind_h: int
    complexity: float

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.platform.strip() or not self.address.strip():
            raise ValueError('name, platform and address must not be empty; "-" for none')
        if not (0 <= self.lock_h <= HOURS_MAX and 0 <= self.unwind_h <= HOURS_MAX):
            raise ValueError(f"lock_h and unwind_h must be 0 to {HOURS_MAX}")
        if not 0 <= self.complexity <= 100 or not -PPM <= self.yield_ppm <= 10 * PPM:
            raise ValueError("complexity must be 0 to 100, yield_ppm -1000000 to 10000000")


class WeightParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[placement.weights]`: what each score counts; their sum is 100 %."""

    gain: float
    lock: float
    slippage: float
    complexity: float
    unwind: float

    def __post_init__(self) -> None:
        weights = [getattr(self, name) for name in self.__struct_fields__]
        if any(not 0 <= weight <= 1_000 for weight in weights) or not sum(weights):
            raise ValueError("weights must be 0 to 1000, and one of them more than 0")


class HalfParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[placement.half]`: where each score is 50. A gain of `gain_ppm` a year, and so on."""

    gain_ppm: int
    lock_h: int
    slippage_ppm: int
    unwind_h: int

    def __post_init__(self) -> None:
        if any(getattr(self, name) < 1 for name in self.__struct_fields__):
            raise ValueError("half points must be 1 or more")


class PoolParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[placement.pool]`: risk capital, ring-fenced.

    capital_money_max: both sides of all pools together. fall_ppm: the fall of the price that must
    not cost more than drawdown_money_max. volatility_ppm: a year's, for the mean loss.
    """

    capital_money_max: str
    drawdown_money_max: str
    fall_ppm: Ppm
    volatility_ppm: Ppm

    def __post_init__(self) -> None:
        check_amount("capital_money_max", self.capital_money_max)
        check_amount("drawdown_money_max", self.drawdown_money_max)
        if not 0 < self.fall_ppm < PPM or not 0 <= self.volatility_ppm <= 100 * PPM:
            raise ValueError(f"fall_ppm must be 1 to {PPM - 1}, volatility_ppm 0 to {100 * PPM}")


class DerivativeParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[placement.derivatives]`: the maturity checklist and the collateral rule.

    A short is only proposed with all of the margin that it needs when the price rises by
    rise_ppm at once and maintenance_ppm is asked for after that: so no margin call forces a sale.
    checklist: what must be true before the first one; each false is named in the table.
    """

    notional_money_max: str
    rise_ppm: Ppm
    maintenance_ppm: Ppm
    checklist: dict[str, bool]

    def __post_init__(self) -> None:
        check_amount("notional_money_max", self.notional_money_max)
        if not 0 < self.rise_ppm <= 10 * PPM or not 0 < self.maintenance_ppm < PPM:
            raise ValueError(f"rise_ppm must be 1 to {10 * PPM}, maintenance_ppm 1 to {PPM - 1}")
        if not self.checklist:
            raise ValueError("checklist must name what has to be true first")


class PlacementParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[placement]`.

    asset: what is placed. needs_days: only what exceeds the needs of so many days (45 as shipped).
    least: smaller amounts are not worth a proposal. rate_age_max_s: an older figure is not known.
    convert_h: how long a proposed conversion or hedge would be valid.
    """

    asset: str
    needs_days: int
    least: str
    rate_age_max_s: int
    convert_h: int
    weights: WeightParams
    half: HalfParams
    pool: PoolParams | None = None
    derivatives: DerivativeParams | None = None
    options: list[OptionParams]

    def __post_init__(self) -> None:
        check_amount("least", self.least)
        if not 0 <= self.needs_days <= DAYS_MAX or not 1 <= self.rate_age_max_s <= 366 * 86_400:
            raise ValueError("needs_days or rate_age_max_s is out of range")
        if not 1 <= self.convert_h <= HOURS_MAX:
            raise ValueError(f"convert_h must be 1 to {HOURS_MAX}")
        if len({row.name for row in self.options}) < len(self.options):
            raise ValueError("options: a name is there twice")
        uses = {row.use for row in self.options}
        if Use.HOLD not in uses:
            raise ValueError('options: one of them must be to "hold spot": all else is beside it')
        if Use.POOL in uses and self.pool is None:
            raise ValueError("options: to provide liquidity needs [placement.pool]")
        if Use.DERIVATIVES in uses and self.derivatives is None:
            raise ValueError("options: derivatives need [placement.derivatives]")


def placement_problems(params: PlacementParams, exponents: Mapping[str, int]) -> Iterator[str]:
    """What is wrong beside the rest of the file, as "placement.key: fault"."""
    if params.asset not in exponents:
        yield f'placement.asset: "{params.asset[:40]}" is neither money nor one of [[assets]]'
        return
    try:
        scaled(params.least, exponents[params.asset])
    except ValueError as error:
        yield f"placement.least: {error}"
