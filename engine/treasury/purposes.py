"""Whose wish an order was: from a fill's client id to the people who asked and who signed."""

import msgspec

from engine.treasury.action_bytes import NotCanonical, decoded, digest_of
from engine.treasury.chart import Reason, TaxTag
from engine.treasury.trade_postings import Trade
from engine.values.action_records import Endorsed, Proposed
from engine.values.action_words import Request
from engine.values.execution_records import ChildSent, ParentStarted
from engine.values.ledger_words import People

Purposeful = ParentStarted | ChildSent | Proposed | Endorsed


class Purposes:
    """What the journal says of staged orders. A fill of one is the treasury's and no quote's.

    People are those that were told before the fill: an approval comes before what it allows.
    """

    def __init__(self) -> None:
        self._proposals: dict[str, str] = {}
        self._parents: dict[str, str] = {}
        self._asked: dict[str, Request] = {}
        self._signed: dict[str, tuple[str, ...]] = {}

    def remember(self, record: Purposeful) -> None:
        match record:
            case ParentStarted():
                self._proposals[record.plan.parent] = record.plan.proposal
            case ChildSent():
                self._parents[record.client_id] = record.parent
            case Proposed():
                self._ask(record)
            case Endorsed():
                known = self._signed.get(record.name, ())
                self._signed[record.name] = (*known, record.who)

    def _ask(self, record: Proposed) -> None:
        try:
            self._asked[digest_of(record.body)] = decoded(record.body, Request)
        except NotCanonical:  # the desk took it up: a later version wrote it, and it names nobody
            return

    def staged(self, trade: Trade, client_id: str) -> Trade:
        """The same trade, said to be a conversion and whose, where it is a staged order's."""
        parent = self._parents.get(client_id)
        if parent is None:
            return trade
        proposal = self._proposals.get(parent, "")
        asked = self._asked.get(proposal)
        people = People(proposal=proposal)
        why = f"parent {parent}"
        if asked is not None:
            signed = self._signed.get(asked.name, ())
            people = People(requester=asked.who, approvers=signed, proposal=proposal)
            why = f"{why}, {asked.code}: {asked.why}"
        return msgspec.structs.replace(
            trade,
            reason=Reason.CONVERSION,
            tag=TaxTag.CONVERSION,
            people=people,
            text=f"{trade.text}; {why}",
        )
