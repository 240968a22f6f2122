"""The words by which people ask, approve and refuse, and what the desk decided about them."""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from engine.values.action_words import Role
from engine.values.chain_words import ChainWord
from engine.values.units import Atoms, Ns

# --- words of people: facts that come in --------------------------------------------------------


class Asked(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """A request arrived. `body` is its canonical bytes, `signature` the requester's over them.

    The engine's own requests carry no signature, and only come from inside the process.
    """

    at_ns: Ns
    body: bytes
    signature: bytes


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """An approval or a rejection arrived. `body` is the statement's canonical bytes."""

    at_ns: Ns
    body: bytes
    signature: bytes


class EvidenceGiven(
    msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True
):
    """What had to follow an override or a large action is there: `digest` of which file, by whom.

    `signature` is over the canonical bytes of this word without it.
    """

    at_ns: Ns
    name: str
    item: str
    digest: str
    who: str
    signature: bytes


class Absence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Away from `from_ns` up to, not including, `until_ns`."""

    from_ns: Ns
    until_ns: Ns


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who may ask and sign. `key` is the Ed25519 public key, 64 hex digits."""

    name: str
    role: Role
    key: str
    contact: str
    absences: list[Absence]


class RosterSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A person loads a roster, whole. `digest` is SHA-256 of the file `name`."""

    at_ns: Ns
    who: str
    name: str
    digest: str
    people: list[Person]


class AuthoritySet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A person loads the policy of approvals, whole: `text` is its section as canonical JSON."""

    at_ns: Ns
    who: str
    name: str
    digest: str
    text: str


ActionWord: TypeAlias = Asked | Answered | EvidenceGiven | RosterSet | AuthoritySet | ChainWord
"""What is heard about actions: of people, of files, and of the chain where some are carried out."""


# --- records: what the desk decided -------------------------------------------------------------


class Tier(StrEnum):
    """How a request comes to be allowed, the easiest first."""

    AUTOMATIC = "automatic"
    OVERRIDE = "override"
    TWO_PEOPLE = "two people"
    EXECUTIVE = "executive"
    REFUSED = "refused"


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy asks for: one signature of one of the roles in each of `slots`.

    `duties` must follow within `duties_ns` of the beginning. `money_atoms` is what the action is
    worth at the prices of that moment, None where one was not known.
    """

    tier: Tier
    row: str
    why: str
    slots: list[list[Role]]
    duties: list[str]
    duties_ns: Ns
    money_atoms: Atoms | None


class Proposed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A request was taken up, and what the policy asks for before it may be done."""

    at_ns: Ns
    name: str
    body: bytes
    signature: bytes
    ruling: Ruling


class Endorsed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One approval counts. `key` is the public key that its signature was proved with."""

    at_ns: Ns
    name: str
    who: str
    role: Role
    key: str
    expires_ns: Ns
    body: bytes
    signature: bytes


class Reconsidered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Before it began, a request met a stricter row than the one it was approved under."""

    at_ns: Ns
    name: str
    ruling: Ruling


class Rejected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A request ends: by a person's signature, or by the policy (then `body` is empty)."""

    at_ns: Ns
    name: str
    who: str
    why: str
    body: bytes
    signature: bytes


class Expired(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at_ns: Ns
    name: str
    why: str


class Executing(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Committed before the first byte of the action leaves. It is done under `reference` only."""

    at_ns: Ns
    name: str
    reference: str
    money_atoms: Atoms | None


class Ending(StrEnum):
    """What the place where an action is carried out says of it."""

    DONE = "done"
    FAILED = "failed"
    """Did not happen, or not wholly, and never will."""
    UNKNOWN = "unknown"
    """May have happened, or may still be happening."""


class Executed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What became of it, as told by the place itself. `has_moved`: at least a part happened."""

    at_ns: Ns
    name: str
    ending: Ending
    has_moved: bool
    why: str


class WordRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A word was not taken, and why. `digest` is SHA-256 of its body; the rest is not kept."""

    at_ns: Ns
    name: str
    word: str
    digest: str
    why: str


ActionRecord: TypeAlias = (
    Proposed
    | Endorsed
    | Reconsidered
    | Rejected
    | Expired
    | Executing
    | Executed
    | WordRefused
    | EvidenceGiven
    | RosterSet
    | AuthoritySet
)
