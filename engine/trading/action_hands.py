"""What the engine does about an action that is allowed, and how it finds out what became of it.

It is the place where actions happen, and the journal is its memory: a conversion is a parent of the
conversion desk, named by the digest of what people signed, so that it begins once. An action that
began and left no trace was cut off between two records; it never happened, and is not repeated.
"""

from typing import assert_never

from engine.trading.action_result import CUT_OFF, Result, done, failed
from engine.trading.action_widen import Widener
from engine.trading.chain_work import ChainWork, unable
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
from engine.values.records import Record
from engine.values.step import Step
from engine.values.treasury_words import Bucket, FloatSet
from engine.values.units import SELL, Atoms, Ns, Ppm, decimal_text

WHO = "engine"
PARENT_CHARACTERS = 16
GONE = Result(
    ending=Ending.UNKNOWN,
    has_moved=False,
    why="the chain that it went to is not in the treasury file any more; look there",
)


class Hands:
    """Acts for one treasury. `conversions` is None where its file has no [execution], `chain` where
    it has no [chain]."""

    def __init__(
        self,
        steward: Steward,
        conversions: ConversionWork | None,
        chain: ChainWork | None = None,
    ) -> None:
        self._steward = steward
        self._conversions = conversions
        self._chain = chain
        self._widener = Widener(steward, conversions)
        self._floats: set[str] = set()

    def __repr__(self) -> str:
        return f"<hands with {self._conversions!r}>"

    def remember(self, record: Record) -> None:
        if isinstance(record, FloatSet):
            self._floats.add(record.reason)
        self._widener.remember(record)

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
                return self._widener.begin(proposal, action, now_ns, step)
            case Override():
                return self._begin(proposal, action.does, now_ns, step)
            case HedgeAction() | Stake() | Unstake() | AddToPool() | TakeFromPool() | Transfer():
                return self._hand_over(proposal, action)
            case _:
                assert_never(action)

    def _hand_over(self, proposal: Proposal, action: Action) -> Result | None:
        """Whoever drives the engine hands it to the chain once this step is in the journal."""
        why = unable(action, self._chain)
        if why or self._chain is None:
            return failed(why)
        self._chain.begin(proposal)
        return None

    def _convert(
        self, proposal: Proposal, action: Conversion, now_ns: Ns, step: Step
    ) -> Result | None:
        work = self._conversions
        if work is None:
            return failed("the treasury's file has no [execution]")
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
            return failed(str(error))
        work.desk.start(plan, now_ns, step)
        return None

    def _volatility(self, markets: list[str], now_ns: Ns) -> Ppm | None:
        """The highest of those that are known."""
        assert self._conversions is not None
        found = [self._conversions.volatility(market, now_ns) for market in markets]
        return max((ppm for ppm in found if ppm is not None), default=None)

    def _stop(self, proposal: Proposal, action: StopActions, now_ns: Ns, step: Step) -> Result:
        if self._conversions is None:
            return failed("the treasury's file has no [execution], so there is nothing to stop")
        request = proposal.request
        word = switched(action, request.who, now_ns, f"{request.why} ({proposal.name})")
        self._conversions.desk.switch(word, step)
        return done("the switch is on")

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
                return self._widener.ended(proposal, action)
            case Override():
                return self._ended(proposal, action.does, now_ns, step)
            case Stake() | Unstake() | AddToPool() | TakeFromPool() | Transfer():
                return None if self._chain else GONE  # the chain is asked by reference, and tells
            case HedgeAction():
                return failed(CUT_OFF)
            case _:
                assert_never(action)

    def _converted(
        self, proposal: Proposal, action: Conversion, now_ns: Ns, step: Step
    ) -> Result | None:
        name = proposal.digest[:PARENT_CHARACTERS]
        work = self._conversions
        if work is None or work.is_foreign(name):
            return None  # it may have traded: a person must see to it
        parent = work.parent(name)
        if parent is None:
            return failed(CUT_OFF)
        if parent.state not in FOR_GOOD or parent.out_atoms:
            return None
        if isinstance(action, Rebalance) and action.bucket == Bucket.FLOAT:
            self._move_floats(parent, proposal.reference, now_ns, step)
        exponent = self._steward.treasury.holdings.scheme.asset(parent.plan.asset).exponent
        did, all_of = (decimal_text(a, exponent) for a in (parent.done_atoms, parent.plan.atoms))
        why = f"{did} of {all_of} {parent.plan.asset}; {parent.why}"
        ending = Ending.DONE if parent.state is DONE else Ending.FAILED
        return Result(ending=ending, has_moved=bool(parent.done_atoms), why=why)

    def _move_floats(self, parent: Parent, reference: str, now_ns: Ns, step: Step) -> None:
        """What was converted is no longer the market maker's; what it brought, or what paid for it,
        is of the stable reserves (treasury spec, part 6). Once for each market."""
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
            self._steward.learn(moved, step)
            self._steward.after(moved, now_ns, step)


def _by_market(parent: Parent) -> dict[str, Atoms]:
    found = dict.fromkeys(parent.plan.markets, 0)
    for child in parent.children.values():
        found[child.sent.market] += child.atoms
    return found


def _base(action: Conversion, money: str) -> str:
    """What is bought or sold for money."""
    return action.least.asset if action.sell.asset == money else action.sell.asset
