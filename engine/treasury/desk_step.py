"""What a desk answers with, and how words become records."""

from typing import TypeAlias

import msgspec

from engine.treasury.action_bytes import digest_of
from engine.treasury.actions import NAME
from engine.treasury.approvals import Reply
from engine.treasury.roster import Roster
from engine.values.action_records import (
    ActionRecord,
    Answered,
    Asked,
    AuthoritySet,
    Endorsed,
    EvidenceGiven,
    Rejected,
    RosterSet,
    WordRefused,
)
from engine.values.action_words import Action, Answer
from engine.values.records import Alert

SignedWord: TypeAlias = Asked | Answered | EvidenceGiven
AnyWord: TypeAlias = SignedWord | RosterSet | AuthoritySet


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """Carry out `action` now, once, under `reference`."""

    name: str
    reference: str
    function: str
    action: Action


class DeskStep(msgspec.Struct):
    """What one word or moment led to. Records are kept before anything in `begins` is done."""

    records: list[ActionRecord]
    alerts: list[Alert]
    begins: list[Begin]


def record_of(reply: Reply, roster: Roster) -> Endorsed | Rejected:
    """An answer that counts, as it is kept."""
    statement = reply.statement
    if statement.answer is Answer.REJECT:
        return Rejected(
            at_ns=reply.at_ns,
            name=reply.proposal.name,
            who=statement.who,
            why=statement.why,
            body=reply.body,
            signature=reply.signature,
        )
    return Endorsed(
        at_ns=reply.at_ns,
        name=reply.proposal.name,
        who=statement.who,
        role=statement.role,
        key=roster.people[statement.who].key,
        expires_ns=statement.expires_ns,
        body=reply.body,
        signature=reply.signature,
    )


def refusal_of(word: AnyWord, name: str, why: str) -> WordRefused:
    """The word itself is not kept, only its digest: it may be long, and anybody's."""
    return WordRefused(
        at_ns=word.at_ns,
        name=name if NAME.fullmatch(name) else "",
        word=type(word).__name__,
        digest=digest_of(msgspec.json.encode(word)),
        why=why,
    )
