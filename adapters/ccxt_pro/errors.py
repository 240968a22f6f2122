"""What a failed request of ccxt's means: the venue's own answer decides, else ccxt's class.

ccxt's exception texts hold whole URLs with signatures, so no word of them is passed on: only the
class of the exception is named.
"""

import socket

import aiohttp

from adapters.common.refusals import (
    Answer,
    binance_failure,
    never_connected,
    refusal,
    unanswered,
)
from engine.values.errors import Failure, Fatal, Rejected, VenueError
from engine.values.units import Ns

CCXT: dict[str, Failure] = {
    "OrderNotFound": Failure.REJECTED,
    "InvalidNonce": Failure.TRANSIENT,
    "RateLimitExceeded": Failure.TRANSIENT,
    "DDoSProtection": Failure.TRANSIENT,
    "InsufficientFunds": Failure.REJECTED,
    "InvalidOrder": Failure.REJECTED,
    "OperationRejected": Failure.REJECTED,
    "BadRequest": Failure.REJECTED,
    "ArgumentsRequired": Failure.REJECTED,
    "NotSupported": Failure.REJECTED,
    "AuthenticationError": Failure.FATAL,
}
"""By ccxt's class, most derived first, for the venues without a table of their own codes."""
_NEVER_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, socket.gaierror)
_LIMIT_CLASSES = ("RateLimitExceeded", "DDoSProtection")


class Trace:
    """How far one request came: filled in while it runs."""

    def __init__(self) -> None:
        self.is_sent = False
        self.answer: Answer | None = None


def translate(error: Exception, trace: Trace, is_binance: bool, now_ns: Ns) -> VenueError:
    """The one mapping of a failed request; `now_ns` is venue time."""
    answer = trace.answer
    if answer is None:
        return _unanswered(error.__cause__ or error) if trace.is_sent else _unsent(error)
    name = type(error).__name__
    failure = binance_failure(answer) if is_binance else _by_class(error, answer.status)
    return refusal(answer, failure, now_ns, is_limit=name in _LIMIT_CLASSES, unnamed=name)


def _unanswered(cause: BaseException) -> VenueError:
    is_never = isinstance(cause, _NEVER_CONNECTED)
    return never_connected(cause) if is_never else unanswered(cause)


def _by_class(error: Exception, status: int) -> Failure:
    if status >= 500:
        return Failure.UNKNOWN
    names = (kind.__name__ for kind in type(error).__mro__)
    return next((CCXT[name] for name in names if name in CCXT), Failure.UNKNOWN)


def _unsent(error: Exception) -> VenueError:
    """ccxt itself refused, before it came to sending anything."""
    failure = _by_class(error, 0)
    kind = Fatal if failure is Failure.FATAL else Rejected
    return kind("refused before sending", code=type(error).__name__)
