"""What the engine does about an action that is allowed, and how it finds out what became of it.

It is the place where actions happen, and the journal is its memory: a conversion is a parent of the
conversion desk, named by the digest of what people signed, so that it begins once. An action that
began and left no trace was cut off between two records; it never happened, and is not repeated.
"""

from typing import assert_never

import msgspec

from engine.trading.conversion_desk import FOR_GOOD
from engine.trading.conversion_work import ConversionWork
from engine.trading.steward import Steward
from engine.treasury.execution import Parent
from engine.treasury.execution_life import DONE
from engine.treasury.planning import NoPlan
from engine.treasury.proposals import Proposal
from engine.treasury.staging import Conversion, Staged, market_of, staged_plan, switched
from engine.values.action_records import Ending
from engine.values.action_words import (
    Action,
    AddToPool,
    Convert,
    EmergencySale,
    HedgeAction,
    Override,
    Rebalance,
    Stake,
    StopActions,
    TakeFromPool,
    Transfer,
    Unstake,
    WidenLimit,
)
from engine.values.events import Event
from engine.values.records import Record
from engine.values.step import Step
from engine.values.treasury_words import Bucket, FloatSet, LimitRow, LimitWidened
from engine.values.units import SELL, Atoms, Ns, Ppm

WHO = "engine"
PARENT_CHARACTERS = 16
FILES = ("authority", "roster")
CUT_OFF = "the process ended before anything of it left; ask anew if it is still wanted"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an action."""

    ending: Ending
    has_moved: bool
    why: str


class Hands:
    """Acts for one treasury. `conversions` is None where its file has no [execution]."""

    def __init__(self, steward: Steward, conversions: ConversionWork | None) -> None:
        self._steward = steward
        self._conversions = conversions
        self._floats: set[str] = set()

    def __repr__(self) -> str:
        return f"<hands with {self._conversions!r}>"

    def remember(self, record: Record) -> None:
        if isinstance(record, FloatSet):
            self._floats.add(record.reason)

    # --- doing ------------------------------------------------------------------------------------

    def begin(self, proposal: Proposal, now_ns: Ns, step: Step) -> Result | None:
        """Do it now, once; None where that takes time, and `ended` will tell."""
        return self._begin(proposal, proposal.request.action, now_ns, step)

    def _begin(self, proposal: Proposal, action: Action, now_ns: Ns, step: Step) -> Result | None:
        match action:
            case Convert() | Rebalance() | EmergencySale():
                return self._convert(proposal, action, now_ns, step)
            case StopActions():
                return self._stop(proposal, action, now_ns, step)
            case WidenLimit():
                return self._widen(proposal, action, now_ns, step)
            case Override():
                return self._begin(proposal, action.does, now_ns, step)
            case HedgeAction() | Stake() | Unstake() | AddToPool() | TakeFromPool() | Transfer():
                return _failed("the engine has no place where this can be carried out")
            case _:
                assert_never(action)

    def _convert(
        self, proposal: Proposal, action: Conversion, now_ns: Ns, step: Step
    ) -> Result | None:
        work = self._conversions
        if work is None:
            return _failed("the treasury's file has no [execution]")
        facts = self._steward.treasury.holdings.facts()
        asset = _base(action, facts.scheme.money.name)
        staged = Staged(
            digest=proposal.digest,
            action=action,
            facts=facts,
            score=self._steward.treasury.score(asset),
            volatility=self._volatility(
                [market_of(facts, v, asset) for v in action.venues], now_ns
            ),
        )
        try:
            plan = staged_plan(staged, work.desk.lessons, work.params)
        except NoPlan as error:
            return _failed(str(error))
        work.desk.start(plan, now_ns, step)
        return None

    def _volatility(self, markets: list[str], now_ns: Ns) -> Ppm | None:
        """The highest of those that are known."""
        assert self._conversions is not None
        found = [self._conversions.volatility(market, now_ns) for market in markets]
        return max((ppm for ppm in found if ppm is not None), default=None)

    def _stop(self, proposal: Proposal, action: StopActions, now_ns: Ns, step: Step) -> Result:
        if self._conversions is None:
            return _failed("the treasury's file has no [execution], so there is nothing to stop")
        request = proposal.request
        word = switched(action, request.who, now_ns, f"{request.why} ({proposal.name})")
        self._conversions.desk.switch(word, step)
        return _done("the switch is on")

    def _widen(self, proposal: Proposal, action: WidenLimit, now_ns: Ns, step: Step) -> Result:
        if action.limit in FILES:
            return _done("the file may be loaded")
        was, row, fault = self._rows(action)
        if not fault:
            waiting = [one for one in self._steward.treasury.waiting if one.name == action.limit]
            if not any(one.was == was and one.wanted == row for one in waiting):
                fault = "no such widening waits: the rows in force or the file have changed since"
        if fault:
            return _failed(fault)
        word = LimitWidened(at_ns=now_ns, action=proposal.digest, name=action.limit, row=row)
        self._learn(word, now_ns, step)
        return _done("the limit is wider")

    def _rows(self, action: WidenLimit) -> tuple[LimitRow | None, LimitRow | None, str]:
        try:
            was = msgspec.json.decode(action.was, type=LimitRow)
            row = msgspec.json.decode(action.becomes, type=LimitRow | None)
        except msgspec.DecodeError as error:
            return None, None, f"was or becomes is no row of [[limits]] as JSON: {error}"
        return was, row, ""

    def _learn(self, fact: FloatSet | LimitWidened, now_ns: Ns, step: Step) -> None:
        event: Event = fact
        self._steward.learn(fact, step)
        self._steward.after(event, now_ns, step)

    # --- what became of it ------------------------------------------------------------------------

    def ended(self, proposal: Proposal, now_ns: Ns, step: Step) -> Result | None:
        """What became of an action that began, now or in an earlier session; None: not over yet."""
        return self._ended(proposal, proposal.request.action, now_ns, step)

    def _ended(self, proposal: Proposal, action: Action, now_ns: Ns, step: Step) -> Result | None:
        match action:
            case Convert() | Rebalance() | EmergencySale():
                return self._converted(proposal, action, now_ns, step)
            case StopActions():
                return self._stop(proposal, action, now_ns, step)  # twice on is on
            case WidenLimit():
                return self._widened(action)
            case Override():
                return self._ended(proposal, action.does, now_ns, step)
            case HedgeAction() | Stake() | Unstake() | AddToPool() | TakeFromPool() | Transfer():
                return _failed(CUT_OFF)
            case _:
                assert_never(action)

    def _widened(self, action: WidenLimit) -> Result:
        if action.limit in FILES:
            return _done("the file may be loaded")
        _, row, fault = self._rows(action)
        in_force = [one for one in self._steward.treasury.limits.rows if one.name == action.limit]
        is_so = not fault and in_force == ([] if row is None else [row])
        return _done("the limit is wider") if is_so else _failed(CUT_OFF)

    def _converted(
        self, proposal: Proposal, action: Conversion, now_ns: Ns, step: Step
    ) -> Result | None:
        name = proposal.digest[:PARENT_CHARACTERS]
        work = self._conversions
        if work is None or work.is_foreign(name):
            return None  # it may have traded: a person must see to it
        parent = work.parent(name)
        if parent is None:
            return _failed(CUT_OFF)
        if parent.state not in FOR_GOOD or parent.out_atoms:
            return None
        if isinstance(action, Rebalance) and action.bucket == Bucket.FLOAT:
            self._move_floats(parent, proposal.reference, now_ns, step)
        why = f"{parent.done_atoms} of {parent.plan.atoms} atoms; {parent.why}"
        ending = Ending.DONE if parent.state is DONE else Ending.FAILED
        return Result(ending=ending, has_moved=bool(parent.done_atoms), why=why)

    def _move_floats(self, parent: Parent, reference: str, now_ns: Ns, step: Step) -> None:
        """What was converted is no longer the market maker's. Once for each market."""
        assert self._conversions is not None
        asset, sign = parent.plan.asset, -1 if parent.plan.side is SELL else 1
        for market, atoms in _by_market(parent).items():
            venue = self._conversions.legs[market].venue
            reason = f"rebalanced at {venue} by {reference}"
            working = self._steward.treasury.holdings.facts().working.get((venue, asset))
            if reason in self._floats or working is None or not atoms:
                continue
            self._floats.add(reason)
            moved = FloatSet(
                at_ns=now_ns,
                who=WHO,
                venue=venue,
                asset=asset,
                atoms=max(0, working + sign * atoms),
                reason=reason,
            )
            self._learn(moved, now_ns, step)


def _by_market(parent: Parent) -> dict[str, Atoms]:
    found = dict.fromkeys(parent.plan.markets, 0)
    for child in parent.children.values():
        found[child.sent.market] += child.atoms
    return found


def _base(action: Conversion, money: str) -> str:
    """What is bought or sold for money."""
    return action.least.asset if action.sell.asset == money else action.sell.asset


def _done(why: str) -> Result:
    return Result(ending=Ending.DONE, has_moved=True, why=why)


def _failed(why: str) -> Result:
    return Result(ending=Ending.FAILED, has_moved=False, why=why)
