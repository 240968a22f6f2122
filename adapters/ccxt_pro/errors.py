"""What a venue's refusal means, decided once: Transient, Rejected, Unknown or Fatal (law 4).

ccxt's exception texts hold whole URLs with signatures, so no word of them is passed on: the code
and the message come from the venue's own answer, or else only the class of the exception is named.
"""

import re
import socket

import aiohttp
import msgspec

from engine.values.errors import Failure, Fatal, Rejected, Transient, Unknown, VenueError
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

TEXT_CHARS_MAX = 200
BACK_OFF_NS = 60 * NS_PER_S
"""How long to hold still where a venue limits us and does not say for how long."""
BAN_NS = 120 * NS_PER_S

BINANCE: dict[int, Failure] = {
    -1000: Failure.UNKNOWN,
    -1001: Failure.UNKNOWN,
    -1002: Failure.FATAL,
    -1003: Failure.TRANSIENT,
    -1006: Failure.UNKNOWN,
    -1007: Failure.UNKNOWN,
    -1008: Failure.TRANSIENT,
    -1010: Failure.REJECTED,
    -1013: Failure.REJECTED,
    -1014: Failure.REJECTED,
    -1015: Failure.TRANSIENT,
    -1020: Failure.REJECTED,
    -1021: Failure.TRANSIENT,
    -1022: Failure.FATAL,
    -1033: Failure.TRANSIENT,
    -1034: Failure.TRANSIENT,
    -2010: Failure.REJECTED,
    -2011: Failure.REJECTED,
    -2013: Failure.REJECTED,
    -2014: Failure.FATAL,
    -2015: Failure.FATAL,
    -2016: Failure.REJECTED,
    -2021: Failure.REJECTED,
    -2022: Failure.REJECTED,
    -2026: Failure.REJECTED,
    -2038: Failure.REJECTED,
    -2039: Failure.REJECTED,
}
"""Codes outside this table and outside -1100..-1199 (malformed requests) are UNKNOWN (O17)."""
BINANCE_MALFORMED = range(-1199, -1099)

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

_CLASSES: dict[Failure, type[VenueError]] = {
    Failure.TRANSIENT: Transient,
    Failure.REJECTED: Rejected,
    Failure.UNKNOWN: Unknown,
    Failure.FATAL: Fatal,
}
_LIMIT_CODES = ("-1003", "-1015")
_LIMIT_CLASSES = ("RateLimitExceeded", "DDoSProtection")
_NEVER_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, socket.gaierror)
_CODE_KEYS = ("code", "retCode", "sCode", "label", "err-code")
_TEXT_KEYS = ("msg", "retMsg", "sMsg", "message", "error")
_SECRET = re.compile(
    r"(?i)((?:signature|api_?key|secret|listen_?key|passphrase)[\"'=: ]+)[^\s&\"',]+"
)
_BAN_UNTIL_MS = re.compile(r"banned until (\d{13})")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back over HTTP for one request, before ccxt made anything of it."""

    status: int
    headers: dict[str, str]
    body: str


class Trace:
    """How far one request came: filled in while it runs."""

    def __init__(self) -> None:
        self.is_sent = False
        self.answer: Answer | None = None


def translate(error: Exception, trace: Trace, is_binance: bool, now_ns: Ns) -> VenueError:
    """The one mapping of a failed request; `now_ns` is venue time."""
    answer = trace.answer
    if answer is None:
        return _unanswered(error) if trace.is_sent else _unsent(error)
    code, text = venue_words(answer.body)
    if answer.status in (418, 429):
        wait_ns = _wait_ns(answer, text, now_ns)
        kind = Fatal if answer.status == 418 else Transient
        return kind(text, code=code or str(answer.status), retry_after_ns=wait_ns)
    failure = _binance(answer.status, code) if is_binance else _by_class(error, answer.status)
    is_limit = code in _LIMIT_CODES or type(error).__name__ in _LIMIT_CLASSES
    is_limit = failure is Failure.TRANSIENT and (is_limit or answer.status == 403)
    wait_ns = _wait_ns(answer, text, now_ns) if is_limit else 0
    name = code or str(answer.status)
    return _CLASSES[failure](text or type(error).__name__, code=name, retry_after_ns=wait_ns)


def venue_words(body: str) -> tuple[str, str]:
    """The venue's own code and message in an answer's body, without secrets; "" where absent."""
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "", ""
    if not isinstance(answer, dict):
        return "", ""
    code = next((str(answer[key]) for key in _CODE_KEYS if key in answer), "")
    text = next((str(answer[key]) for key in _TEXT_KEYS if key in answer), "")
    return redacted(code), redacted(text)


def redacted(text: str) -> str:
    return _SECRET.sub(r"\1***", text)[:TEXT_CHARS_MAX]


def _binance(status: int, code: str) -> Failure:
    if not code.lstrip("-").isdigit():
        return Failure.TRANSIENT if status == 403 else Failure.UNKNOWN
    number = int(code)
    if number in BINANCE_MALFORMED and status < 500:
        return Failure.REJECTED
    failure = BINANCE.get(number, Failure.UNKNOWN)
    # A 5xx is "not a failure, execution unknown", but for the one code that says it never ran.
    return Failure.UNKNOWN if status >= 500 and number != -1008 else failure


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


def _unanswered(error: Exception) -> VenueError:
    """No answer: only a connection that was never made proves that no byte left (O01)."""
    cause = error.__cause__
    name = type(cause or error).__name__
    if isinstance(cause, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return Fatal("the venue's certificate was refused", code=name)
    if isinstance(cause, _NEVER_CONNECTED):
        return Transient("no connection to the venue", code=name)
    return Unknown("no answer from the venue", code=name)


def _wait_ns(answer: Answer, text: str, now_ns: Ns) -> Ns:
    header = next((v for k, v in answer.headers.items() if k.lower() == "retry-after"), "")
    if header.isdigit():
        return int(header) * NS_PER_S
    banned = _BAN_UNTIL_MS.search(text)
    if banned:
        return max(0, int(banned[1]) * NS_PER_MS - now_ns)
    return BAN_NS if answer.status == 418 else BACK_OFF_NS
