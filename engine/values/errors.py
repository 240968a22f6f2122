"""The four ways in which a venue can fail. Adapters map to these once; our own faults assert."""

from enum import StrEnum


class Failure(StrEnum):
    """What a failed request means for the order that it carried."""

    TRANSIENT = "transient"
    """Did not happen and may be tried again later: rate limit, busy, connection never made."""
    REJECTED = "rejected"
    """Did not happen, must not be tried unchanged: filter, balance, post-only would cross."""
    UNKNOWN = "unknown"
    """May have happened: time-out, 5xx, connection lost after bytes left, unlisted code."""
    FATAL = "fatal"
    """This account or connection cannot go on: bad key, ban, permission."""


WITHDRAWN = "withdrawn"
"""The code of an OrderFailed for an order that we ourselves took back before its bytes left."""


class VenueError(Exception):
    """A venue's refusal, already mapped. `code` is the venue's own, `text` holds no secret."""

    failure = Failure.UNKNOWN

    def __init__(self, text: str, *, code: str = "", retry_after_ns: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.retry_after_ns = retry_after_ns


class Transient(VenueError):
    failure = Failure.TRANSIENT


class Rejected(VenueError):
    failure = Failure.REJECTED


class Unknown(VenueError):
    failure = Failure.UNKNOWN


class Fatal(VenueError):
    failure = Failure.FATAL


class UserError(Exception):
    """A mistake in a file, flag or key. Its text is the one line that the user reads.

    It names what is wrong and where (file, key path, line). The process exits with `exit_code`.
    """

    exit_code = 2
