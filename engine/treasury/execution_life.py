"""The lives of a parent and of a child, each as one table. An illegal move raises, changes nothing.

A child's fills are counted by the order table (`engine.trading.orders`) and by nothing else.
"""

from enum import StrEnum

from engine.values.execution_records import ParentState


class ParentEvent(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    KILL = "kill"
    HAND_OVER = "hand over"
    TAKE_BACK = "take back"
    """A person gives it back to the machine."""


class ChildState(StrEnum):
    SENT = "sent"
    DOUBTFUL = "doubtful"
    """Sent, and no usable answer in time: it may have happened (law 4)."""
    ENDED = "ended"


class ChildEvent(StrEnum):
    DOUBT = "doubt"
    END = "end"


WORKING, PAUSED, DONE, KILLED, HANDED_OVER = ParentState
PARENT_MOVES: dict[tuple[ParentState, ParentEvent], ParentState] = {
    (WORKING, ParentEvent.PAUSE): PAUSED,
    (WORKING, ParentEvent.FINISH): DONE,
    (WORKING, ParentEvent.KILL): KILLED,
    (WORKING, ParentEvent.HAND_OVER): HANDED_OVER,
    (PAUSED, ParentEvent.RESUME): WORKING,
    (PAUSED, ParentEvent.FINISH): DONE,
    (PAUSED, ParentEvent.KILL): KILLED,
    (PAUSED, ParentEvent.HAND_OVER): HANDED_OVER,
    (HANDED_OVER, ParentEvent.TAKE_BACK): WORKING,
    (HANDED_OVER, ParentEvent.KILL): KILLED,
}
CHILD_MOVES: dict[tuple[ChildState, ChildEvent], ChildState] = {
    (ChildState.SENT, ChildEvent.DOUBT): ChildState.DOUBTFUL,
    (ChildState.SENT, ChildEvent.END): ChildState.ENDED,
    (ChildState.DOUBTFUL, ChildEvent.END): ChildState.ENDED,
}
OVER = frozenset({DONE, KILLED, HANDED_OVER})
"""Nothing more is sent."""


class IllegalMove(Exception):
    """There is no such move from here. Nothing has changed."""


def parent_after(state: ParentState, event: ParentEvent) -> ParentState:
    if (state, event) not in PARENT_MOVES:
        raise IllegalMove(f"a parent that is {state} cannot {event}")
    return PARENT_MOVES[state, event]


def child_after(state: ChildState, event: ChildEvent) -> ChildState:
    if (state, event) not in CHILD_MOVES:
        raise IllegalMove(f"a child that is {state} cannot {event}")
    return CHILD_MOVES[state, event]
