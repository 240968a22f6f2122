"""Facts from people and files: ratings, playbooks, and the words that stop and start a market."""

from enum import StrEnum

import msgspec

from engine.values.units import Ns


class RatingLabel(StrEnum):
    STRONG_BUY = "strong buy"
    BUY = "buy"
    NEUTRAL = "neutral"
    SELL = "sell"
    STRONG_SELL = "strong sell"


class RatingSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A technical rating for a market; neutral again after `expires_ns`.

    `score` (-1 to 1) and `voted` (how many of the 26) are there where the source tells them;
    `span_ns` is the bars' length, 0 where the rating is of no one time frame.
    """

    market: str
    at_ns: Ns
    label: RatingLabel
    expires_ns: Ns
    source: str
    score: float | None = None
    voted: int | None = None
    span_ns: Ns = 0


class PlaybookSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A person loads a playbook, whole: `text` is the TOML file, `digest` its SHA-256."""

    market: str
    at_ns: Ns
    who: str
    name: str
    digest: str
    text: str


class Halt(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A person stops a market ("" is all of them). Latched until Resume."""

    market: str
    at_ns: Ns
    who: str
    reason: str


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    market: str
    at_ns: Ns
    who: str
    reason: str


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Orderly end: quote no more, cancel everything, verify, then the process may leave."""

    at_ns: Ns
    who: str
