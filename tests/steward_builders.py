"""A treasury for the simulated world: one venue, a wallet, BTT against USDT, whole tokens named."""

from collections.abc import Callable, Iterable
from typing import Any

from engine.trading.steward import Steward
from engine.trading.treasury_told import name_of
from engine.treasury.amounts import Asset
from engine.treasury.dates import NS_PER_DAY
from engine.treasury.facts import Scheme
from engine.treasury.liquid import LiquidParams
from engine.treasury.params import PlaceKind, PlaceParams
from engine.treasury.treasury import Treasury
from engine.values.treasury_words import (
    Bucket,
    Holding,
    HoldingsSeen,
    LimitRow,
    LimitsSet,
    Lock,
    LockKind,
    LockSet,
    Measure,
    Obligation,
    ObligationSet,
    TreasuryFact,
)
from tests.holdings_builders import asset, bucket, float_row, place

VENUE, COLD = "loopback", "cold"
UNIT = 10**8
TARGET = 200_000_000
"""Tokens of float; the venue of the world opens with as many."""
LIMITS, OWED, LOCKED = "t.toml", "o.csv", "l.csv"


def scheme(**floats: str) -> Scheme:
    """`floats`: targets by venue beside the one that is quoted."""
    rows = [float_row(VENUE, target=str(TARGET))]
    rows += [float_row(venue, target=target) for venue, target in floats.items()]
    places = {VENUE: place(VENUE), COLD: wallet_place()}
    return Scheme(
        money=Asset("USDT", 8),
        assets={"BTT": asset("BTT", exponent=8)},
        places=places | {venue: place(venue) for venue in floats},
        buckets={
            "BTT": bucket("BTT", reserve_days=10, discretionary="0", float=rows),
            "USDT": bucket("USDT", reserve_days=10, discretionary="0", float=[
                float_row(VENUE, target="300", lower_ppm=0, cap_ppm=2_000_000),
            ]),
        },
    )  # fmt: skip


def wallet_place() -> PlaceParams:
    return PlaceParams(name=COLD, kind=PlaceKind.WALLET, cash_h=0, sells_at=VENUE)


def steward(begin: Iterable[TreasuryFact] = (), **floats: str) -> Callable[[], Steward]:
    """What makes one for each process; it waits for all of `begin`."""
    names = [name_of(fact) for fact in begin]
    return lambda: Steward(
        Treasury(scheme(**floats), LiquidParams(token="BTT", within_h=24), []), names
    )


def limits(*rows: LimitRow, at_ns: int = 0) -> LimitsSet:
    return LimitsSet(at_ns=at_ns, who="file", name=LIMITS, digest="", rows=list(rows))


def owed(at_ns: int, *rows: tuple[int, int]) -> ObligationSet:
    """Rows of (days from `at_ns`, tokens of BTT)."""
    found = [
        Obligation(
            name=f"o{index}",
            due=at_ns // NS_PER_DAY + days,
            function="f",
            asset="BTT",
            atoms=tokens * UNIT,
        )
        for index, (days, tokens) in enumerate(rows)
    ]
    return ObligationSet(at_ns=at_ns, who="file", name=OWED, digest="", rows=found)


def halted(at_ns: int, *venues: str) -> LockSet:
    rows = [
        Lock(
            name=f"halt {venue}",
            kind=LockKind.HALTED,
            place=venue,
            asset="",
            atoms=0,
            unwind_ns=NS_PER_DAY,
            until_ns=0,
        )
        for venue in venues
    ]
    return LockSet(at_ns=at_ns, who="file", name=LOCKED, digest="", rows=rows)


def wallet(at_ns: int, tokens: int) -> HoldingsSeen:
    rows = [Holding(asset="BTT", atoms=tokens * UNIT)]
    return HoldingsSeen(at_ns=at_ns, who="file", place=COLD, holdings=rows)


def exposure(tokens: int) -> LimitRow:
    """At most so many tokens of float, whatever is owed: 100 % of what is due in 3660 days."""
    return LimitRow(
        name="exposure",
        measure=Measure.UNHEDGED,
        asset="BTT",
        share_ppm=1_000_000,
        days=3_000,
        tokens=str(tokens),
        buckets=[Bucket.FLOAT],
    )


def turnover(tokens: int) -> LimitRow:
    return LimitRow(
        name="turnover", measure=Measure.TURNOVER, asset="BTT", tokens=str(tokens), money="99999"
    )


def kwargs(*rows: LimitRow, **floats: str) -> dict[str, Any]:
    """For `World`: a treasury with these limits, told at each start."""
    return {
        "begin": lambda now_ns: [limits(*rows, at_ns=now_ns)],
        "steward": steward([limits()], **floats),
    }
