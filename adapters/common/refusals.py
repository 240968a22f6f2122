"""What a venue's refusal means, decided once: Transient, Rejected, Unknown or Fatal (law 4).

The code and the message are the venue's own words, or else only a kind of failure is named: what
libraries print of a failed request holds whole URLs with signatures.
"""

import re
import ssl

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

NO_SUCH_ORDER = ("-2011", "-2013", "OrderNotFound")
REPLACE_HALF_DONE = "-2021"

_CLASSES: dict[Failure, type[VenueError]] = {
    Failure.TRANSIENT: Transient,
    Failure.REJECTED: Rejected,
    Failure.UNKNOWN: Unknown,
    Failure.FATAL: Fatal,
}
_LIMIT_CODES = ("-1003", "-1015")
_CODE_KEYS = ("code", "retCode", "sCode", "label", "err-code")
_TEXT_KEYS = ("msg", "retMsg", "sMsg", "message", "error")
_SECRET = re.compile(
    r"(?i)((?:signature|api_?key|secret|listen_?key|passphrase)[\"'=: ]+)[^\s&\"',]+"
)
_BAN_UNTIL_MS = re.compile(r"banned until (\d{13})")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back for one request. Over a websocket the error stands in for the body."""

    status: int
    headers: dict[str, str]
    body: str


def refusal(
    answer: Answer, failure: Failure, now_ns: Ns, *, is_limit: bool = False, unnamed: str = ""
) -> VenueError:
    """The error that an answer stands for, once it is known what kind; `now_ns` is venue time.

    `unnamed` is what to say of it where the venue has no words.
    """
    code, text = venue_words(answer.body)
    text = text or unnamed
    if answer.status in (418, 429):
        wait_ns = _wait_ns(answer, text, now_ns)
        kind = Fatal if answer.status == 418 else Transient
        return kind(text, code=code or str(answer.status), retry_after_ns=wait_ns)
    is_limit = is_limit or code in _LIMIT_CODES or answer.status == 403
    wait_ns = _wait_ns(answer, text, now_ns) if is_limit and failure is Failure.TRANSIENT else 0
    return _CLASSES[failure](text, code=code or str(answer.status), retry_after_ns=wait_ns)


def binance_failure(answer: Answer) -> Failure:
    status, (code, _) = answer.status, venue_words(answer.body)
    if not code.lstrip("-").isdigit():
        return Failure.TRANSIENT if status == 403 else Failure.UNKNOWN
    number = int(code)
    if number in BINANCE_MALFORMED and status < 500:
        return Failure.REJECTED
    failure = BINANCE.get(number, Failure.UNKNOWN)
    # A 5xx is "not a failure, execution unknown", but for the one code that says it never ran.
    return Failure.UNKNOWN if status >= 500 and number != -1008 else failure


def unanswered(cause: BaseException) -> VenueError:
    """No answer, and bytes may have left: nobody knows what was done (O01)."""
    return Unknown("no answer from the venue", code=type(cause).__name__)


def never_connected(cause: BaseException) -> VenueError:
    """Only a connection that was never made proves that no byte left (O01)."""
    name = type(cause).__name__
    if isinstance(cause, ssl.SSLError | ssl.CertificateError):
        return Fatal("the venue's certificate was refused", code=name)
    return Transient("no connection to the venue", code=name)


def unreadable(error: Exception) -> Unknown:
    return Unknown("unreadable answer", code=type(error).__name__)


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


def _wait_ns(answer: Answer, text: str, now_ns: Ns) -> Ns:
    header = next((v for k, v in answer.headers.items() if k.lower() == "retry-after"), "")
    if header.isdigit():
        return int(header) * NS_PER_S
    banned = _BAN_UNTIL_MS.search(text)
    if banned:
        return max(0, int(banned[1]) * NS_PER_MS - now_ns)
    return BAN_NS if answer.status == 418 else BACK_OFF_NS
