"""`[emergency]` of the treasury file: the rungs of the liquidity ladder, authorised beforehand."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import combinations

import msgspec

from engine.treasury.params import HOURS_MAX, check_amount
from engine.values.treasury_words import Bucket
from engine.values.units import PPM, Ppm, scaled


class How(StrEnum):
    """What a rung does with its units."""

    SPEND = "spend"
    """They are money already."""
    SELL = "sell"
    POOL = "take from pool"
    UNSTAKE = "unstake"
    OTC = "over the counter"


class RungParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[emergency.rungs]]`. Rows of one step compete: those of the least step come first.

    buckets: whose free units it may use (spend, sell and over the counter).
    share_ppm: at most so much of them, or of each pool.
    slippage_ppm_max: bids further below mid are left alone; rows of one step say the same.
    discount_ppm, cash_h, least, most: what a desk agreed to, over the counter.
    platform, address: where it is undone, for the proposal (unstake and pools).
    """

    step: int
    name: str
    how: How
    asset: str
    buckets: list[Bucket] = []
    share_ppm: Ppm
    slippage_ppm_max: Ppm
    discount_ppm: Ppm | None = None
    cash_h: int | None = None
    least: str | None = None
    most: str | None = None
    platform: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.step <= 99 or not self.name.strip():
            raise ValueError("step must be 1 to 99, and name must not be empty")
        if not (0 < self.share_ppm <= PPM and 0 <= self.slippage_ppm_max < PPM):
            raise ValueError(f"share_ppm must be 1 to {PPM}, slippage_ppm_max 0 to {PPM - 1}")
        is_free = self.how in (How.SPEND, How.SELL, How.OTC)
        if is_free != bool(self.buckets):
            raise ValueError("buckets: for spend, sell and over the counter, and only for them")
        if {Bucket.RESERVED} & set(self.buckets):
            raise ValueError("buckets: what is reserved for an obligation is never on the ladder")
        self._check_desk()

    def _check_desk(self) -> None:
        terms = (self.discount_ppm, self.cash_h, self.least, self.most)
        if (self.how is How.OTC) != all(term is not None for term in terms) or (
            self.how is not How.OTC and any(term is not None for term in terms)
        ):
            raise ValueError(
                "discount_ppm, cash_h, least and most: all four over the counter, and only there"
            )
        if self.discount_ppm is None or self.cash_h is None:
            return
        if not 0 <= self.discount_ppm < PPM or not 0 <= self.cash_h <= HOURS_MAX:
            raise ValueError(f"discount_ppm must be 0 to {PPM - 1}, cash_h 0 to {HOURS_MAX}")
        check_amount("least", self.least or "")
        check_amount("most", self.most or "")


class EmergencyParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[emergency]`: the ladder. What is on no rung stays untouched whatever happens."""

    rungs: list[RungParams]

    def __post_init__(self) -> None:
        if len({row.name for row in self.rungs}) < len(self.rungs):
            raise ValueError("rungs: a name is there twice")
        for row, other in combinations(self.rungs, 2):
            if fault := _clash(row, other):
                raise ValueError(f'rungs: "{row.name}" and "{other.name}" {fault}')


def _clash(row: RungParams, other: RungParams) -> str:
    """Why two rows cannot stand on one ladder, or ""."""
    if row.step == other.step and not _may_compete(row, other):
        return (
            "share a step, so they must name one asset and one slippage_ppm_max, "
            "and pools only compete with pools"
        )
    if row.asset != other.asset:
        return ""
    desk, sale = (row, other) if row.how is How.OTC else (other, row)
    if desk.how is not How.OTC and set(row.buckets) & set(other.buckets):
        return "use the same bucket: its units stand on one rung, and over the counter after that"
    if desk.how is How.OTC and sale.how is How.SELL and desk.step <= sale.step:
        return "are out of order: over the counter goes what the books did not take before"
    return ""


def _may_compete(row: RungParams, other: RungParams) -> bool:
    return (
        row.asset == other.asset
        and row.slippage_ppm_max == other.slippage_ppm_max
        and (row.how is How.POOL) == (other.how is How.POOL)
    )


def emergency_problems(
    params: EmergencyParams, exponents: Mapping[str, int], money: str
) -> Iterator[str]:
    """What is wrong beside the rest of the file, as "emergency.rungs[0].key: fault"."""
    for index, row in enumerate(params.rungs):
        path = f"emergency.rungs[{index}]"
        if row.asset not in exponents:
            yield f'{path}.asset: "{row.asset[:40]}" is neither money nor one of [[assets]]'
            continue
        if (row.how is How.SPEND) != (row.asset == money) and row.how in (How.SPEND, How.SELL):
            yield f"{path}.how: money is spent, and everything else is sold"
        if row.asset == money and row.how not in (How.SPEND, How.SELL):
            yield f"{path}.asset: money needs no such rung: a pool's money comes with its token"
        for key in ("least", "most"):
            try:
                scaled(getattr(row, key) or "0", exponents[row.asset])
            except ValueError as error:
                yield f"{path}.{key}: {error}"
