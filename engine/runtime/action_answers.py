"""What a desk of actions answers over the control socket and on the command line: plain tables."""

from typing import Any

import msgspec

from engine.treasury.action_desk import ActionDesk
from engine.treasury.action_text import moment_text, summary
from engine.treasury.desk_alarms import alarms
from engine.treasury.desk_step import DeskStep
from engine.treasury.proposals import OUT, WAITING, Proposal
from engine.treasury.roster import is_absent
from engine.values.action_records import WordRefused
from engine.values.units import Ns, decimal_text


def taken(step: DeskStep, desk: ActionDesk) -> dict[str, Any]:
    """What became of one word."""
    record = step.records[0]
    name = getattr(record, "name", "")
    refused = record.why if isinstance(record, WordRefused) else ""
    proposal = desk.proposals.get(name)
    return {
        "ok": not refused,
        "record": type(record).__name__,
        "name": name,
        "why": refused,
        "status": proposal.status if proposal else "none",
        "needs": needs(proposal) if proposal else [],
    }


def inbox(desk: ActionDesk, at_ns: Ns, *, is_all: bool) -> dict[str, Any]:
    """What waits or is out (or everything), and every alarm that stands."""
    proposals = [
        proposal_answer(one, desk)
        for one in desk.proposals.all()
        if is_all or one.status in WAITING or one.status in OUT or one.missing
    ]
    standing = [msgspec.structs.asdict(alarm) for alarm in alarms(desk.watched, at_ns)]
    return {"desk": desk.authority.desk, "proposals": proposals, "alarms": standing}


def proposal_answer(proposal: Proposal, desk: ActionDesk) -> dict[str, Any]:
    money, atoms = desk.authority.money, proposal.ruling.money_atoms
    worth = None if atoms is None else decimal_text(atoms, money.exponent)
    return {
        "name": proposal.name,
        "what": summary(proposal.request),
        "status": proposal.status,
        "tier": proposal.ruling.tier,
        "row": proposal.ruling.row,
        "worth": worth,
        "money": money.name,
        "needs": needs(proposal),
        "approved_by": [signature.who for signature in proposal.signatures],
        "missing": proposal.missing,
        "expires": moment_text(proposal.request.expires_ns),
        "digest": proposal.digest,
        "reference": proposal.reference,
        "why": proposal.why,
        "body": proposal.body.decode(),
    }


def needs(proposal: Proposal) -> list[str]:
    """The signatures that are still wanted, as people say them."""
    return [" or ".join(slot) for slot in proposal.open_slots]


def roster_answer(desk: ActionDesk, at_ns: Ns) -> list[dict[str, Any]]:
    return [
        {
            "name": person.name,
            "role": person.role,
            "is_absent": is_absent(person, at_ns),
            "contact": person.contact,
            "key": person.key,
        }
        for person in desk.roster.people.values()
    ]
