"""A small treasury: two venues and a wallet, a token and a stable, with short numbers."""

from collections.abc import Sequence
from typing import Any

from engine.treasury.amounts import Asset, Price
from engine.treasury.dates import NS_PER_DAY, NS_PER_H
from engine.treasury.depth import DepthBook, Level
from engine.treasury.facts import Facts, Scheme
from engine.treasury.holdings import Holdings
from engine.treasury.params import (
    AssetParams,
    BucketParams,
    FloatParams,
    PlaceKind,
    PlaceParams,
)
from engine.values.treasury_words import (
    Bucket,
    FloatSet,
    Holding,
    HoldingsSeen,
    LimitRow,
    Lock,
    LockKind,
    LockSet,
    Measure,
    Obligation,
    ObligationSet,
)

TODAY = 20_000
NOW_NS = TODAY * NS_PER_DAY + 9 * NS_PER_H
ALL_BUCKETS = list(Bucket)


def scheme(**changes: Any) -> Scheme:
    """Exponent 0: an atom is a whole one. 100 BTT of float at "one", 300 at most discretionary."""
    return Scheme(
        money=Asset("USDT", 0),
        assets={"BTT": asset("BTT"), "TRX": asset("TRX"), **changes.pop("assets", {})},
        places={
            "one": place("one"),
            "two": place("two"),
            "cold": PlaceParams(name="cold", kind=PlaceKind.WALLET, cash_h=12, sells_at="two"),
        },
        buckets={"BTT": bucket("BTT"), "USDT": bucket("USDT"), **changes.pop("buckets", {})},
    )


def asset(name: str, **changes: Any) -> AssetParams:
    known = {"exponent": 0, "is_stable": False, "price_age_max_s": 60, "haircut_ppm": 0}
    return AssetParams(name=name, **{**known, **changes})


def place(name: str) -> PlaceParams:
    return PlaceParams(name=name, kind=PlaceKind.VENUE, cash_h=0, sells_at=name)


def bucket(name: str, **changes: Any) -> BucketParams:
    known: dict[str, Any] = {
        "reserve_days": 45,
        "float_days": 1,
        "discretionary": "300",
        "discretionary_days": 30,
        "surplus_days": 365,
        "float": [float_row("one")],
    }
    return BucketParams(asset=name, **{**known, **changes})


def float_row(venue: str, **changes: Any) -> FloatParams:
    known = {
        "target": "100",
        "lower_ppm": 800_000,
        "upper_ppm": 1_200_000,
        "cap_ppm": 1_500_000,
    }
    return FloatParams(venue=venue, **{**known, **changes})


def seen(where: str, at_ns: int = NOW_NS, **atoms: int) -> HoldingsSeen:
    rows = [Holding(asset=name, atoms=amount) for name, amount in atoms.items()]
    return HoldingsSeen(at_ns=at_ns, who="venue", place=where, holdings=rows)


def owed(name: str, days: int, atoms: int, **changes: Any) -> Obligation:
    """Due so many days from today."""
    known = {"function": "creator rewards", "asset": "BTT"}
    return Obligation(name=name, due=TODAY + days, atoms=atoms, **{**known, **changes})


def obligations(*rows: Obligation) -> ObligationSet:
    return ObligationSet(at_ns=NOW_NS, who="file", name="o.csv", digest="", rows=list(rows))


def lock(name: str, atoms: int, days: int, **changes: Any) -> Lock:
    """Cash so many days after one asks."""
    known: dict[str, Any] = {"kind": LockKind.STAKED, "place": "cold", "asset": "BTT"}
    return Lock(
        name=name, atoms=atoms, unwind_ns=days * NS_PER_DAY, **{"until_ns": 0, **known, **changes}
    )


def halt(where: str, days: int) -> Lock:
    return lock(f"halt {where}", 0, days, kind=LockKind.HALTED, place=where, asset="")


def locks(*rows: Lock) -> LockSet:
    return LockSet(at_ns=NOW_NS, who="file", name="l.csv", digest="", rows=list(rows))


def float_set(venue: str, name: str, atoms: int) -> FloatSet:
    return FloatSet(at_ns=NOW_NS, who="engine", venue=venue, asset=name, atoms=atoms, reason="test")


def book(
    venue: str,
    name: str = "BTT",
    bids: Sequence[tuple[int, int]] = ((2, 1_000),),
    asks: Sequence[tuple[int, int]] | None = None,
    **changes: Any,
) -> DepthBook:
    """Levels as (whole price, atoms); the asks begin one above the best bid."""
    if asks is None:
        asks = [(max((money for money, _ in bids), default=0) + 1, 1_000)]
    known = {"at_ns": NOW_NS, "taker_fee_ppm": 0}
    return DepthBook(
        venue=venue,
        asset=name,
        bids=tuple(Level(atoms, price * atoms) for price, atoms in bids),
        asks=tuple(Level(atoms, price * atoms) for price, atoms in asks),
        **{**known, **changes},
    )


def price(money: int, base: int = 1, name: str = "BTT", at_ns: int = NOW_NS) -> Price:
    return Price(asset=name, money_atoms=money, base_atoms=base, at_ns=at_ns)


def holdings(*facts: Any, **changes: Any) -> Holdings:
    """Facts, books and prices, told in order."""
    keeper = Holdings(scheme(**changes))
    keeper.pass_time(NOW_NS)
    for fact in facts:
        if isinstance(fact, DepthBook):
            keeper.book(fact)
        elif isinstance(fact, Price):
            keeper.price(fact)
        else:
            keeper.learn(fact)
    return keeper


def facts(*told: Any, **changes: Any) -> Facts:
    return holdings(*told, **changes).facts()


def limit(measure: Measure, **changes: Any) -> LimitRow:
    return LimitRow(name=changes.pop("name", measure.value), measure=measure, **changes)


def unhedged(**changes: Any) -> LimitRow:
    known: dict[str, Any] = {
        "asset": "BTT",
        "share_ppm": 150_000,
        "days": 30,
        "buckets": [Bucket.FLOAT, Bucket.DISCRETIONARY, Bucket.SURPLUS],
    }
    return limit(Measure.UNHEDGED, **{**known, **changes})
