"""The limits in force: rows, the prices they were made at, and the fact that moved each last."""

from collections.abc import Iterable
from typing import TypeAlias, assert_never

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.facts import Facts
from engine.treasury.limit_measures import Both, Finding, findings_of
from engine.treasury.limit_rows import Widening, changed
from engine.values.treasury_words import (
    LimitMoved,
    LimitRow,
    LimitsSet,
    LimitWidened,
    PriceReviewed,
)
from engine.values.units import Ns, decimal_text

LimitFact: TypeAlias = LimitsSet | LimitWidened | PriceReviewed | LimitMoved


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, and the fact after which its value or its ceiling was last another."""

    finding: Finding
    moved_by: str
    moved_ns: Ns


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """The price of an asset has at least doubled since its limits were made: people must look."""

    asset: str
    was: Price
    now: Price


class Limits:
    """Told what people want and shown the facts after each of them; answers with records.

    LimitsSet, LimitWidened, PriceReviewed and LimitMoved, in their order, rebuild it.
    """

    def __init__(self) -> None:
        self.rows: list[LimitRow] = []
        self.waiting: list[Widening] = []
        self.references: dict[str, Price] = {}
        self.reviews: dict[str, Review] = {}
        self._standings: dict[tuple[str, str], Standing] = {}
        self._breached: set[tuple[str, str]] = set()

    @property
    def standings(self) -> list[Standing]:
        """In the order of the rows, as of the last look."""
        return list(self._standings.values())

    @property
    def findings(self) -> list[Finding]:
        return [standing.finding for standing in self._standings.values()]

    def remember(self, fact: LimitFact) -> list[Widening]:
        """Take a fact in, now or again after a restart; what of it waits for a second person."""
        match fact:
            case LimitsSet():
                self.rows, self.waiting = changed(self.rows, fact.rows)
                return self.waiting
            case LimitWidened():
                self._widen(fact)
            case PriceReviewed():
                self._review(fact)
            case LimitMoved():
                self._note((fact.limit, fact.subject), is_breached=fact.breached)
            case _:
                assert_never(fact)
        return []

    def _widen(self, fact: LimitWidened) -> None:
        """Raises KeyError, and changes nothing, where no such widening waits."""
        waiting = [one for one in self.waiting if one.name == fact.name]
        if not waiting or waiting[0].wanted != fact.row:
            raise KeyError(f"no such widening of {fact.name!r} waits")
        self.waiting = [one for one in self.waiting if one.name != fact.name]
        rows = [fact.row if row.name == fact.name else row for row in self.rows]
        self.rows = [row for row in rows if row is not None]

    def _review(self, fact: PriceReviewed) -> None:
        """Raises KeyError, and changes nothing, for a higher price without an approved action."""
        price = Price(
            asset=fact.asset,
            money_atoms=fact.money_atoms,
            base_atoms=fact.base_atoms,
            at_ns=fact.at_ns,
        )
        was = self.references.get(fact.asset)
        if was is not None and not fact.action and _is_higher(price, was):
            raise KeyError(f"a higher price of {fact.asset!r} widens its limits: nobody approved")
        self.references[fact.asset] = price
        self.reviews.pop(fact.asset, None)

    def look(self, facts: Facts, fact: str) -> list[LimitMoved | PriceReviewed]:
        """Evaluate every row after the fact of this name; records of what changed sides."""
        reviewed = self._prices(facts)
        seen: dict[tuple[str, str], Standing] = {}
        moved = []
        for row in self.rows:
            for finding in findings_of(row, facts, self.references):
                key = (finding.limit, finding.subject)
                is_passed = self._is_passed(key, finding)
                judged = msgspec.structs.replace(finding, is_breached=is_passed)
                seen[key] = self._standing(key, judged, fact, facts.at_ns)
                if self._note(key, is_breached=is_passed):
                    moved.append(_moved(judged, facts, fact))
        gone = [one for key, one in self._standings.items() if key not in seen]
        self._standings = seen
        self._breached &= seen.keys()
        return [*reviewed, *moved, *_released(gone, facts, fact)]

    def look_anew(self, facts: Facts, fact: str) -> None:
        """Of a picture that was put together piece by piece: what its parts passed is no past."""
        self._breached.clear()
        self.look(facts, fact)

    def _is_passed(self, key: tuple[str, str], finding: Finding) -> bool:
        """What is not known leaves no room, and is no news: it begins no breach and ends none.

        A price that is lost for a moment, with the wire that brought it, moved nothing of ours.
        Only what is counted in tokens of one asset can be too much without any price.
        """
        return finding.is_breached or (finding.is_unknown and key in self._breached)

    def _note(self, key: tuple[str, str], *, is_breached: bool) -> bool:
        """Whether that is news."""
        if (key in self._breached) == is_breached:
            return False
        self._breached ^= {key}
        return True

    def _standing(self, key: tuple[str, str], finding: Finding, fact: str, at_ns: Ns) -> Standing:
        before = self._standings.get(key)
        if before is not None and _numbers(before.finding) == _numbers(finding):
            return msgspec.structs.replace(before, finding=finding)
        return Standing(finding=finding, moved_by=fact, moved_ns=at_ns)

    def _prices(self, facts: Facts) -> list[PriceReviewed]:
        """A halved price tightens at once; a doubled one waits for people.

        The first price of an asset is what its limits are made at.
        """
        found = []
        for asset in dict.fromkeys(row.asset for row in self.rows if row.asset):
            now, was = facts.price(asset), self.references.get(asset)
            if now is None:
                continue
            if was is None or _is_double(was, now):
                found.append(_reviewed(now, facts.at_ns))
                self._review(found[-1])
            elif _is_double(now, was):
                self.reviews.setdefault(asset, Review(asset=asset, was=was, now=now))
        return found


def _is_higher(one: Price, other: Price) -> bool:
    return one.money_atoms * other.base_atoms > other.money_atoms * one.base_atoms


def _is_double(high: Price, low: Price) -> bool:
    return high.money_atoms * low.base_atoms >= 2 * low.money_atoms * high.base_atoms


def _reviewed(price: Price, at_ns: Ns) -> PriceReviewed:
    return PriceReviewed(
        at_ns=at_ns,
        action="",
        asset=price.asset,
        money_atoms=price.money_atoms,
        base_atoms=price.base_atoms,
    )


def _numbers(finding: Finding) -> tuple[Both, Both]:
    return finding.value, finding.ceiling


def _moved(finding: Finding, facts: Facts, fact: str) -> LimitMoved:
    return LimitMoved(
        at_ns=facts.at_ns,
        limit=finding.limit,
        subject=finding.subject,
        breached=finding.is_breached,
        value=text_of(finding.value, finding.asset, facts),
        ceiling=text_of(finding.ceiling, finding.asset, facts),
        fact=fact,
    )


def _released(gone: Iterable[Standing], facts: Facts, fact: str) -> list[LimitMoved]:
    """A limit that went away with its row is no longer passed."""
    return [
        _moved(msgspec.structs.replace(one.finding, is_breached=False), facts, fact)
        for one in gone
        if one.finding.is_breached
    ]


def text_of(both: Both, asset: str, facts: Facts) -> str:
    """`1200 BTT, 0.74 USDT`; "-" for what is not known."""
    money = facts.scheme.money
    parts = []
    if asset:
        exponent = facts.scheme.asset(asset).exponent
        parts.append(f"{'-' if both.atoms is None else decimal_text(both.atoms, exponent)} {asset}")
    parts.append(
        f"{'-' if both.money is None else decimal_text(both.money, money.exponent)} {money.name}"
    )
    return ", ".join(parts)
