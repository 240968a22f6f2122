"""Whether a request may be taken up at all: a table of checks, each with one reason to refuse."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from engine.treasury.action_bytes import SIGNED_REQUEST
from engine.treasury.actions import NAME, NS_MAX, problem
from engine.treasury.authority import Authority
from engine.treasury.roster import Roster, is_absent
from engine.values.action_words import (
    Convert,
    EmergencySale,
    HedgeAction,
    Initiator,
    Override,
    Rebalance,
    Request,
)
from engine.values.units import NS_PER_S, Ns

SKEW_NS = 120 * NS_PER_S
"""How far the clock of a person's machine may be ahead of ours."""
WHY_CHARACTERS_MAX = 400
DATED = (Convert, Rebalance, EmergencySale, HedgeAction)

Verify: TypeAlias = Callable[[str, bytes, bytes], bool]
"""(public key in hex, signature, message): whether that key signed it. Never raises."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A request and how it came. `is_inside`: from the engine itself, which signs nothing."""

    request: Request
    body: bytes
    signature: bytes
    at_ns: Ns
    is_inside: bool


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What arrivals are held against."""

    authority: Authority
    roster: Roster
    verify: Verify


def request_fault(arrival: Arrival, rules: Rules) -> str:
    """Why `arrival` is not taken up, or ""."""
    return next((fault for check in CHECKS if (fault := check(arrival, rules))), "")


def _texts(arrival: Arrival, rules: Rules) -> str:
    request = arrival.request
    for field in ("name", "who", "function", "code"):
        if not NAME.fullmatch(getattr(request, field)):
            return f"{field}: letters, digits, blanks and ._:/@- only, at most 64"
    if not request.why.strip() or len(request.why) > WHY_CHARACTERS_MAX:
        return f"why: must say something, in at most {WHY_CHARACTERS_MAX} characters"
    return ""


def _desk(arrival: Arrival, rules: Rules) -> str:
    desk = arrival.request.desk
    return "" if desk == rules.authority.desk else f"is for the desk {desk[:40]!r}"


def _time(arrival: Arrival, rules: Rules) -> str:
    request, now_ns = arrival.request, arrival.at_ns
    if not 0 < request.at_ns <= now_ns + SKEW_NS:
        return "at_ns: lies in the future"
    if not now_ns < request.expires_ns <= NS_MAX:
        return "has expired"
    if request.expires_ns - request.at_ns > rules.authority.request_ns_max:
        return "expires_ns: is valid for longer than the policy allows"
    return ""


def _requester(arrival: Arrival, rules: Rules) -> str:
    request = arrival.request
    if arrival.is_inside or request.initiator is Initiator.ENGINE:
        is_engine = request.who == Initiator.ENGINE and request.initiator is Initiator.ENGINE
        return "" if arrival.is_inside and is_engine else "only the engine asks as the engine"
    person = rules.roster.people.get(request.who)
    if person is None:
        return f"who: {request.who} is not on the roster"
    if person.role.value != request.initiator.value:
        return f"initiator: {request.who} is {person.role}"
    return f"who: {request.who} is absent" if is_absent(person, arrival.at_ns) else ""


def _signed(arrival: Arrival, rules: Rules) -> str:
    if arrival.is_inside:
        return ""
    key = rules.roster.people[arrival.request.who].key
    is_theirs = rules.verify(key, arrival.signature, SIGNED_REQUEST + arrival.body)
    return "" if is_theirs else f"is not signed by {arrival.request.who}"


def _policy(arrival: Arrival, rules: Rules) -> str:
    request, authority = arrival.request, rules.authority
    if request.function not in authority.functions:
        return f"function: is none of the treasury's: {', '.join(authority.functions)}"
    if request.code not in authority.codes:
        return f"code: is none of the policy's reason codes: {', '.join(authority.codes)}"
    return ""


def _action(arrival: Arrival, rules: Rules) -> str:
    action = arrival.request.action
    if fault := problem(action) or rules.authority.action_problem(action):
        return f"action: {fault}"
    inner = action.does if isinstance(action, Override) else action
    if isinstance(inner, DATED) and inner.until_ns <= arrival.at_ns:
        return "action.until_ns: has passed already"
    return ""


def _override(arrival: Arrival, rules: Rules) -> str:
    """How fast: an override is asked for and ends within so long of what set it off."""
    request = arrival.request
    action = request.action
    if not isinstance(action, Override):
        return ""
    rows = [row for row in rules.authority.overrides if row.trigger == action.trigger]
    if not rows:
        known = ", ".join(row.trigger for row in rules.authority.overrides) or "none"
        return f"action.trigger: the policy has no row for it; it has: {known}"
    if action.seen_ns > arrival.at_ns + SKEW_NS:
        return "action.seen_ns: lies in the future"
    last_ns = action.seen_ns + rows[0].act_within_ns
    if arrival.at_ns > last_ns:
        return "action.seen_ns: is too long ago for an override; ask in the ordinary way"
    return "" if request.expires_ns <= last_ns else "expires_ns: is later than its trigger allows"


CHECKS = (_texts, _desk, _time, _requester, _signed, _policy, _action, _override)
"""In this order, the signature before anything that a policy says of the content."""
