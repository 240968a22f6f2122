"""Whether a signed answer counts: a table of checks, each with one reason to refuse.

An answer is about one SHA-256 of one request's bytes, from one person on the roster in one role,
for a limited time, once. Rejections pass the same checks but those of roles still needed.
"""

import re

import msgspec

from engine.treasury.action_bytes import SIGNED_EVIDENCE, SIGNED_STATEMENT
from engine.treasury.authority import REVIEW
from engine.treasury.proposals import WAITING, Proposal, Status
from engine.treasury.requests import SKEW_NS, WHY_CHARACTERS_MAX, Rules
from engine.treasury.roster import is_absent
from engine.values.action_records import EvidenceGiven
from engine.values.action_words import Answer, Statement
from engine.values.units import Ns

HEX_64 = re.compile(r"[0-9a-f]{64}")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A statement, how it came, and the proposal that it names."""

    statement: Statement
    body: bytes
    signature: bytes
    at_ns: Ns
    proposal: Proposal


def reply_fault(reply: Reply, rules: Rules) -> str:
    """Why `reply` does not count, or ""."""
    return next((fault for check in CHECKS if (fault := check(reply, rules))), "")


def lapse(proposal: Proposal, rules: Rules, at_ns: Ns) -> str:
    """Why the signatures of an approved proposal no longer hold at `at_ns`, or ""."""
    for signature in proposal.signatures:
        person = rules.roster.people.get(signature.who)
        if person is None or person.role is not signature.role:
            return f"{signature.who}, who approved it, is no longer {signature.role} on the roster"
        if signature.key != person.key:
            return f"{signature.who}, who approved it, has another key by now"
        if at_ns >= signature.expires_ns:
            return f"the approval of {signature.who} expired"
    return ""


def evidence_fault(word: EvidenceGiven, proposal: Proposal, rules: Rules) -> str:
    """Why `word` is no evidence for `proposal`, or "". A review is by somebody else."""
    person = rules.roster.people.get(word.who)
    if person is None:
        return f"{word.who[:40]!r} is not on the roster"
    if not HEX_64.fullmatch(word.digest):
        return "digest: expected the SHA-256 of a file"
    if word.item not in proposal.missing:
        return f"{proposal.name} does not lack {word.item[:40]!r}"
    took_part = {proposal.request.who, *(given.who for given in proposal.signatures)}
    if word.item == REVIEW and word.who in took_part:
        return f"{word.who} took part in it, and a review is by somebody else"
    message = SIGNED_EVIDENCE + evidence_body(word)
    return "" if rules.verify(person.key, word.signature, message) else "is not signed by them"


def evidence_body(word: EvidenceGiven) -> bytes:
    """What its signature is over: which file, for which item, by whom. Not when it arrived."""
    unsigned = msgspec.structs.replace(word, at_ns=0, signature=b"")
    return msgspec.json.encode(unsigned, order="sorted")


def _stands(reply: Reply, rules: Rules) -> str:
    statement, proposal = reply.statement, reply.proposal
    allowed = {Status.PROPOSED} if statement.answer is Answer.APPROVE else WAITING
    if proposal.status not in allowed:
        return f"{proposal.name} is {proposal.status}"
    if reply.at_ns >= proposal.request.expires_ns:
        return f"{proposal.name} has expired"
    return ""


def _same_bytes(reply: Reply, rules: Rules) -> str:
    is_same = reply.statement.digest == reply.proposal.digest
    return "" if is_same else "is for other bytes than those that would be executed"


def _time(reply: Reply, rules: Rules) -> str:
    statement, now_ns = reply.statement, reply.at_ns
    if not reply.proposal.request.at_ns - SKEW_NS <= statement.at_ns <= now_ns + SKEW_NS:
        return "at_ns: before the request, or in the future"
    if statement.expires_ns <= now_ns:
        return "has expired"
    if statement.expires_ns - statement.at_ns > rules.authority.approval_ns_max:
        return "expires_ns: is valid for longer than the policy allows"
    return ""


def _person(reply: Reply, rules: Rules) -> str:
    statement = reply.statement
    person = rules.roster.people.get(statement.who)
    if person is None:
        return f"{statement.who[:40]!r} is not on the roster"
    if person.role is not statement.role:
        return f"{statement.who} is {person.role}, not {statement.role}"
    if is_absent(person, reply.at_ns):
        return f"{statement.who} is absent"
    return ""


def _not_twice(reply: Reply, rules: Rules) -> str:
    statement, proposal = reply.statement, reply.proposal
    if statement.answer is Answer.REJECT:
        return "" if statement.why.strip() else "a rejection says why"
    if statement.who == proposal.request.who:
        return f"{statement.who} asked for it, and who asks cannot approve"
    if any(statement.who == signature.who for signature in proposal.signatures):
        return f"{statement.who} has approved it already"
    if not any(statement.role in slot for slot in proposal.open_slots):
        return f"needs nobody from {statement.role}"
    return ""


def _texts(reply: Reply, rules: Rules) -> str:
    is_long = len(reply.statement.why) > WHY_CHARACTERS_MAX
    return f"why: more than {WHY_CHARACTERS_MAX} characters" if is_long else ""


def _signed(reply: Reply, rules: Rules) -> str:
    key = rules.roster.people[reply.statement.who].key
    is_theirs = rules.verify(key, reply.signature, SIGNED_STATEMENT + reply.body)
    return "" if is_theirs else f"is not signed by {reply.statement.who}"


CHECKS = (_stands, _same_bytes, _time, _person, _not_twice, _texts, _signed)
"""In this order; the signature comes last because it costs most."""
