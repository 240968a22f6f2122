"""What two people may let go: a limit, a file that is wider, a kill switch, a conversion's hold.

All of them are one action, `widen limit`, told apart by the name of what is widened:

    a row of [[limits]]           was and becomes are the row as JSON ("null" where it goes)
    authority, roster             was and becomes are digests of the files
    switch SCOPE or SCOPE NAME    from "on" to "off"
    conversion PARENT             from "handed over" to "working"
    price of ASSET                from the price of the last review to that of this one, each as
                                  "MONEY_ATOMS/BASE_ATOMS": the ceilings in money follow it
"""

import re
from fractions import Fraction

import msgspec

from engine.trading.action_result import CUT_OFF, Result, done, failed
from engine.trading.conversion_work import ConversionWork
from engine.trading.steward import Steward
from engine.treasury.amounts import Price
from engine.treasury.execution_life import HANDED_OVER, IllegalMove
from engine.treasury.proposals import Proposal
from engine.treasury.treasury import Treasury
from engine.values.action_words import Scope, WidenLimit
from engine.values.execution_records import Switched
from engine.values.records import Record
from engine.values.step import Step
from engine.values.treasury_words import LimitRow, LimitWidened, PriceReviewed
from engine.values.units import Ns

FILES = ("authority", "roster")
SWITCH, CONVERSION, PRICE = "switch ", "conversion ", "price of "
REVIEWED = "the limits hold at the price that was reviewed"
PRICE_FORM = re.compile(r"([1-9][0-9]{0,39})/([1-9][0-9]{0,39})")


class Widener:
    """Acts for one treasury. `conversions` is None where its file has no [execution]."""

    def __init__(self, steward: Steward, conversions: ConversionWork | None) -> None:
        self._steward = steward
        self._conversions = conversions
        self._reviewed: set[str] = set()

    def remember(self, record: Record) -> None:
        if isinstance(record, PriceReviewed):
            self._reviewed.add(record.action)

    def begin(self, proposal: Proposal, action: WidenLimit, now_ns: Ns, step: Step) -> Result:
        if action.limit in FILES:
            return done("the file may be loaded")
        if action.limit.startswith(SWITCH):
            return self._switch_off(proposal, action, now_ns, step)
        if action.limit.startswith(CONVERSION):
            return self._give_back(proposal, action, now_ns, step)
        if action.limit.startswith(PRICE):
            return self._review(proposal, action, now_ns, step)
        was, row, fault = _rows(action)
        waiting = [one for one in self._steward.treasury.waiting if one.name == action.limit]
        if fault:
            return failed(fault)
        if not any(one.was == was and one.wanted == row for one in waiting):
            return failed("no such widening waits: the rows in force or the file have changed")
        word = LimitWidened(at_ns=now_ns, action=proposal.digest, name=action.limit, row=row)
        self._steward.learn(word, step)
        self._steward.after(word, now_ns, step)
        return done("the limit is wider")

    def ended(self, proposal: Proposal, action: WidenLimit) -> Result:
        """After a crash: whether it is so. What is not so was cut off and is not repeated."""
        if action.limit in FILES:
            return done("the file may be loaded")
        if action.limit.startswith(PRICE):
            is_so = proposal.digest in self._reviewed
            return done(REVIEWED) if is_so else failed(CUT_OFF)
        return done("it is so") if self._is_so(action) else failed(CUT_OFF)

    def _is_so(self, action: WidenLimit) -> bool:
        work = self._conversions
        if action.limit.startswith(SWITCH):
            return work is not None and _place(action) not in work.desk.switches.on
        if action.limit.startswith(CONVERSION):
            parent = None if work is None else work.parent(action.limit.removeprefix(CONVERSION))
            return parent is not None and parent.state is not HANDED_OVER
        _, row, fault = _rows(action)
        rows = [one for one in self._steward.treasury.limits.rows if one.name == action.limit]
        return not fault and rows == ([] if row is None else [row])

    def _switch_off(self, proposal: Proposal, action: WidenLimit, now_ns: Ns, step: Step) -> Result:
        work, place = self._conversions, _place(action)
        if work is None or place not in work.desk.switches.on or action.becomes != "off":
            return failed("no such switch is on")
        request = proposal.request
        scope, name = place
        off = Switched(
            at_ns=now_ns,
            scope=scope,
            name=name,
            is_on=False,
            who=request.who,
            reason=f"{request.why} ({proposal.name})",
        )
        work.desk.switch(off, step)
        return done("the switch is off")

    def _give_back(self, proposal: Proposal, action: WidenLimit, now_ns: Ns, step: Step) -> Result:
        work, name = self._conversions, action.limit.removeprefix(CONVERSION)
        if work is None or work.parent(name) is None or action.becomes != "working":
            return failed("there is no such conversion")
        try:
            work.desk.take_back(name, proposal.request.who, now_ns, step)
        except IllegalMove as error:
            return failed(str(error))
        return done("it is at work again")

    def _review(self, proposal: Proposal, action: WidenLimit, now_ns: Ns, step: Step) -> Result:
        """People looked at the limits at a price that has doubled. They hold at the price that was
        signed, or at that of this moment where it is lower by now."""
        treasury, asset = self._steward.treasury, action.limit.removeprefix(PRICE)
        review, now = treasury.limits.reviews.get(asset), treasury.holdings.facts().price(asset)
        if review is None or price_text(review.was) != action.was:
            return failed(f"no review of the price of {asset} is due, or not from that price")
        if now is None or (form := PRICE_FORM.fullmatch(action.becomes)) is None:
            return failed(f"the price of {asset} is not known, or becomes is no price")
        signed = Price(asset=asset, money_atoms=int(form[1]), base_atoms=int(form[2]), at_ns=now_ns)
        price = min(signed, now, key=lambda one: Fraction(one.money_atoms, one.base_atoms))
        word = PriceReviewed(
            at_ns=now_ns,
            action=proposal.digest,
            asset=asset,
            money_atoms=price.money_atoms,
            base_atoms=price.base_atoms,
        )
        self._reviewed.add(word.action)
        self._steward.learn(word, step)
        self._steward.after(word, now_ns, step)
        return done(REVIEWED)


def due_reviews(treasury: Treasury) -> list[WidenLimit]:
    """Each review that is due, as the action to propose."""
    return [
        WidenLimit(limit=PRICE + one.asset, was=price_text(one.was), becomes=price_text(one.now))
        for one in treasury.limits.reviews.values()
    ]


def price_text(price: Price) -> str:
    return f"{price.money_atoms}/{price.base_atoms}"


def _place(action: WidenLimit) -> tuple[Scope, str] | None:
    """A switch by its scope and name; None for what is no switch."""
    words = action.limit.removeprefix(SWITCH)
    for scope in Scope:
        if words == scope.value or words.startswith(f"{scope.value} "):
            return scope, words.removeprefix(scope.value).strip()
    return None


def _rows(action: WidenLimit) -> tuple[LimitRow | None, LimitRow | None, str]:
    try:
        was = msgspec.json.decode(action.was, type=LimitRow)
        row = msgspec.json.decode(action.becomes, type=LimitRow | None)
    except msgspec.DecodeError as error:
        return None, None, f"was or becomes is no row of [[limits]] as JSON: {error}"
    return was, row, ""
