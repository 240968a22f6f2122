"""What a venue's refusals mean, and that none of ccxt's texts get through."""

import json

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from adapters.ccxt_pro.errors import Trace, translate
from adapters.ccxt_pro.loading import exchange_class
from adapters.common.refusals import BACK_OFF_NS, BAN_NS, Answer, redacted
from engine.values.errors import Failure, VenueError
from engine.values.units import NS_PER_S

SIGNED = "binance POST https://api.binance.com/api/v3/order?apiKey=CANARYKEY&signature=CANARYSIG"


@pytest.fixture(scope="module", autouse=True)
def _errors_of_ccxt() -> None:
    exchange_class("binance")


def ccxt_error(name: str, text: str = SIGNED) -> Exception:
    from ccxt.base import errors

    error: Exception = getattr(errors, name)(text)
    return error


def answered(
    status: int, code: int | None = None, msg: str = "no", *, name: str = "ExchangeError",
    headers: dict[str, str] | None = None, is_binance: bool = True,
) -> VenueError:  # fmt: skip
    body = "<html>busy</html>" if code is None else json.dumps({"code": code, "msg": msg})
    trace = Trace()
    trace.is_sent = True
    trace.answer = Answer(status=status, headers=headers or {}, body=body)
    return translate(ccxt_error(name), trace, is_binance, 0)


def unanswered(cause: Exception | None, name: str = "ExchangeNotAvailable") -> VenueError:
    trace = Trace()
    trace.is_sent = True
    error = ccxt_error(name)
    error.__cause__ = cause
    return translate(error, trace, True, 0)


def connector_error() -> aiohttp.ClientConnectorError:
    key = ConnectionKey("127.0.0.1", 1, False, True, None, None, None)
    return aiohttp.ClientConnectorError(key, OSError(111, "refused"))


@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        (400, -1013, Failure.REJECTED),
        (400, -1111, Failure.REJECTED),
        (400, -1121, Failure.REJECTED),
        (400, -2010, Failure.REJECTED),
        (400, -2011, Failure.REJECTED),
        (400, -2013, Failure.REJECTED),
        (400, -1006, Failure.UNKNOWN),
        (400, -1007, Failure.UNKNOWN),
        (504, -1007, Failure.UNKNOWN),
        (500, None, Failure.UNKNOWN),
        (503, None, Failure.UNKNOWN),
        (503, -2010, Failure.UNKNOWN),
        (503, -1008, Failure.TRANSIENT),
        (400, -1008, Failure.TRANSIENT),
        (400, -1021, Failure.TRANSIENT),
        (400, -1003, Failure.TRANSIENT),
        (400, -1015, Failure.TRANSIENT),
        (400, -1022, Failure.FATAL),
        (401, -2014, Failure.FATAL),
        (401, -2015, Failure.FATAL),
        (400, -9999, Failure.UNKNOWN),
        (403, None, Failure.TRANSIENT),
        (200, None, Failure.UNKNOWN),
        (409, -2021, Failure.REJECTED),
    ],
)
def test_each_code_of_binance_means_one_failure(
    status: int, code: int | None, failure: Failure
) -> None:
    error = answered(status, code)
    assert error.failure is failure
    assert error.code == (str(status) if code is None else str(code))


def test_a_rate_limit_says_how_long_to_wait() -> None:
    error = answered(429, -1003, headers={"Retry-After": "7"})
    assert (error.failure, error.retry_after_ns) == (Failure.TRANSIENT, 7 * NS_PER_S)
    assert answered(429, -1003).retry_after_ns == BACK_OFF_NS


def test_a_firewall_or_another_venues_limit_makes_us_wait_too() -> None:
    assert answered(403).retry_after_ns == BACK_OFF_NS
    limited = answered(200, 10006, name="RateLimitExceeded", is_binance=False)
    assert (limited.failure, limited.retry_after_ns) == (Failure.TRANSIENT, BACK_OFF_NS)
    assert answered(400, -2010).retry_after_ns == 0


def test_a_ban_is_fatal_and_says_when_it_ends() -> None:
    text = "Way too much request weight used; IP banned until 1700000000123."
    error = answered(418, -1003, text)
    assert (error.failure, error.retry_after_ns) == (Failure.FATAL, 1_700_000_000_123_000_000)
    assert answered(418, None).retry_after_ns == BAN_NS


def test_a_connection_that_was_never_made_is_transient() -> None:
    assert unanswered(connector_error()).failure is Failure.TRANSIENT
    assert unanswered(aiohttp.ConnectionTimeoutError()).failure is Failure.TRANSIENT


@pytest.mark.parametrize(
    "cause",
    [TimeoutError(), aiohttp.ServerDisconnectedError(), OSError(104, "reset"), None],
)
def test_silence_after_bytes_left_is_unknown(cause: Exception | None) -> None:
    assert unanswered(cause).failure is Failure.UNKNOWN


def test_a_refusal_of_ccxt_itself_before_sending_is_rejected() -> None:
    error = translate(ccxt_error("InvalidOrder"), Trace(), True, 0)
    assert (error.failure, error.code) == (Failure.REJECTED, "InvalidOrder")
    assert translate(TypeError(SIGNED), Trace(), True, 0).failure is Failure.REJECTED


@pytest.mark.parametrize(
    ("name", "status", "failure"),
    [
        ("InsufficientFunds", 400, Failure.REJECTED),
        ("OrderImmediatelyFillable", 400, Failure.REJECTED),
        ("OrderNotFound", 404, Failure.REJECTED),
        ("PermissionDenied", 403, Failure.FATAL),
        ("RateLimitExceeded", 400, Failure.TRANSIENT),
        ("InvalidOrder", 502, Failure.UNKNOWN),
        ("ExchangeError", 400, Failure.UNKNOWN),
    ],
)
def test_other_venues_are_read_by_the_class_that_ccxt_gave(
    name: str, status: int, failure: Failure
) -> None:
    assert answered(status, 1, name=name, is_binance=False).failure is failure


def test_no_word_of_ccxt_is_passed_on() -> None:
    errors = [
        answered(400, -2010, "Account has insufficient balance for requested action."),
        answered(500, None),
        answered(400, -1102, "apiKey=CANARYKEY&signature=CANARYSIG was bad"),
        unanswered(TimeoutError()),
        translate(ccxt_error("InvalidOrder"), Trace(), True, 0),
    ]
    for error in errors:
        assert "CANARY" not in f"{error!r} {error} {error.text} {error.code}"
    assert errors[0].text == "Account has insufficient balance for requested action."


def test_secrets_are_struck_from_a_venues_own_words() -> None:
    text = 'bad "signature": "abc123", listenKey=xyz&a=1'
    assert "abc123" not in redacted(text)
    assert "xyz" not in redacted(text)
    assert redacted(text).endswith("&a=1")
