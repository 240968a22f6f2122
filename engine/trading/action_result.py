"""What became of an action, as whoever carried it out says."""

import msgspec

from engine.values.action_records import Ending

CUT_OFF = "the process ended before anything of it left; ask anew if it is still wanted"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """`has_moved`: at least a part of it happened."""

    ending: Ending
    has_moved: bool
    why: str


def done(why: str) -> Result:
    return Result(ending=Ending.DONE, has_moved=True, why=why)


def failed(why: str) -> Result:
    """Nothing of it happened, and nothing will."""
    return Result(ending=Ending.FAILED, has_moved=False, why=why)
