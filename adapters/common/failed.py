"""A command that failed, as the fact that the engine hears of it."""

from typing import Any

from adapters.common.refusals import REPLACE_HALF_DONE
from engine.values.commands import Amend, Place
from engine.values.errors import Unknown, VenueError
from engine.values.events import CancelFailed, Event, OrderFailed, QueryFailed
from engine.values.units import Ns


def order_failed(command: Place, error: VenueError, at_ns: Ns) -> OrderFailed:
    return OrderFailed(
        market=command.market,
        client_id=command.client_id,
        at_ns=at_ns,
        **_words(error),
    )


def cancel_failed(market: str, client_id: str, error: VenueError, at_ns: Ns) -> CancelFailed:
    return CancelFailed(
        market=market,
        client_id=client_id,
        at_ns=at_ns,
        **_words(error),
    )


def query_failed(market: str, client_id: str, error: VenueError, at_ns: Ns) -> QueryFailed:
    return QueryFailed(
        market=market,
        client_id=client_id,
        at_ns=at_ns,
        **_words(error),
    )


def _words(error: VenueError) -> dict[str, Any]:
    return {
        "failure": error.failure,
        "code": error.code,
        "text": error.text,
        "retry_after_ns": error.retry_after_ns,
    }


def amend_failed(command: Amend, error: VenueError, at_ns: Ns) -> list[Event]:
    """Both legs failed; where one of them was done, queries must say which, and how far (O11)."""
    if error.code == REPLACE_HALF_DONE:
        error = Unknown(error.text, code=error.code)
    return [
        cancel_failed(command.market, command.client_id, error, at_ns),
        order_failed(command.replacement, error, at_ns),
    ]
