"""One ccxt exchange object with everything fixed that an engine needs fixed.

Requests pass the rate budget, numbers keep their text, signed times follow the engine clock and the
measured offset of the venue, ccxt's logger (it prints signed URLs) is mute, and each failure is
translated once. Feed and gateway of one venue share a session, since they share its limits.
"""

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import aiohttp
import msgspec

from adapters.ccxt_pro.errors import Trace, translate
from adapters.ccxt_pro.loading import error_class, exchange_class
from adapters.ccxt_pro.options import VenueOptions
from adapters.common.budget import Cost
from adapters.common.keys import Keys
from adapters.common.limits import FIRST_BUDGET_PER_MINUTE, LimitRow, Limits
from adapters.common.refusals import Answer
from engine.values.errors import Rejected, Unknown, UserError
from engine.values.instrument import Instrument
from engine.values.ports import Clock
from engine.values.units import NS_PER_MS, Ns

MARKETS = Cost(weight=20, is_urgent=True)


class Session:
    def __init__(self, options: VenueOptions, clock: Clock, keys: Keys | None) -> None:
        self.options = options
        self.clock = clock
        self.has_keys = keys is not None
        self.exchange = _built(options, keys)
        self.is_binance = str(self.exchange.id).startswith("binance")
        self.instruments: dict[str, Instrument] = {}
        self.limits = Limits(clock, _first_budget(self.exchange, self.is_binance))
        self.offset_ns: Ns = 0
        self._traces: ContextVar[Trace] = ContextVar("traces")
        # Whatever ccxt trips over when a venue answers nonsense; nothing of ours runs inside.
        self.caught = (
            error_class(),
            aiohttp.ClientError,
            OSError,
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        )
        self.exchange.milliseconds = lambda: self.venue_ns() // NS_PER_MS
        self.exchange.on_rest_response = self._on_rest_response
        self._fetch = self.exchange.fetch
        self.exchange.fetch = self._on_fetch

    @property
    def venue(self) -> str:
        return self.options.name

    def venue_ns(self) -> Ns:
        """Venue time now, as far as the best measurement tells."""
        return self.clock.now_ns() + self.offset_ns

    async def ask(self, call: Callable[[], Awaitable[Any]], cost: Cost) -> Any:
        """The answer of one request of ccxt's. Raises VenueError and nothing else of a venue's."""
        return (await self.ask_raw(call, cost))[0]

    async def ask_raw(self, call: Callable[[], Awaitable[Any]], cost: Cost) -> tuple[Any, str]:
        """As `ask`, with the text of the answer's body."""
        self.limits.take(cost)
        trace = Trace()
        token = self._traces.set(trace)
        try:
            answer = await call()
            return answer, trace.answer.body if trace.answer else ""
        except self.caught as error:
            failure = translate(error, trace, self.is_binance, self.venue_ns())
        finally:
            self._traces.reset(token)
        # Raised out here so that ccxt's exception, with its signed URL, is not chained to it.
        if trace.answer is not None:
            self.limits.heed(failure, trace.answer.status)
        raise failure

    async def tell_time(self) -> int:
        """The venue's clock in ms. Raises VenueError."""
        if not self.exchange.has.get("fetchTime"):
            raise Rejected("the venue tells no time", code="fetchTime")
        venue_ms = await self.ask(self.exchange.fetch_time, Cost(is_urgent=True))
        if venue_ms is None:
            raise Unknown("no time in the answer", code="fetchTime")
        return int(venue_ms)

    async def load_markets(self) -> None:
        """Markets with the venue's limits. Raises VenueError.

        Afterwards ccxt keeps every number that it parses as the venue's own text. Not before: its
        rounding wants a market's precision as a float, and a Decimal is dropped by `safe_string`,
        after which orders leave as 6.2e-07 and fees get lost.
        """
        self.exchange.number = float
        try:
            _, body = await self.ask_raw(lambda: self.exchange.load_markets(True), MARKETS)
        finally:
            self.exchange.number = str
        self._learn_limits(body)

    def _learn_limits(self, body: str) -> None:
        """Take the venue's own limits from its exchange information, where it gives them."""
        if not self.is_binance:
            return
        rows = msgspec.json.decode(body).get("rateLimits", [])
        self.limits.learn(msgspec.convert(rows, list[LimitRow]))

    async def close(self) -> None:
        await self.exchange.close()

    async def _on_fetch(self, *request: Any) -> Any:
        trace = self._traces.get(None)
        if trace is not None:
            trace.is_sent = True
        return await self._fetch(*request)

    def _on_rest_response(self, *response: Any) -> str:
        """ccxt's hook: code, reason, url, method, headers, body, and what was asked."""
        code, headers, body = int(response[0]), dict(response[4]), str(response[5])
        trace = self._traces.get(None)
        if trace is not None:
            trace.answer = Answer(status=code, headers=headers, body=body)
        self.limits.observe_headers(headers)
        return body


def _built(options: VenueOptions, keys: Keys | None) -> Any:
    exchange = exchange_class(options.exchange)(_config(options, keys))
    exchange.logger = logging.Logger("mute", logging.CRITICAL + 1)
    if options.sandbox:
        exchange.set_sandbox_mode(True)
    for path, url in options.urls.items():
        _set_url(exchange.urls["api"], path, url, options.name)
    return exchange


def _config(options: VenueOptions, keys: Keys | None) -> dict[str, Any]:
    config: dict[str, Any] = {
        # Our own budget decides; ccxt's would delay a cancel behind a query without a word.
        "enableRateLimit": False,
        "timeout": options.request_timeout_ms,
        "options": {
            "recvWindow": options.recv_window_ms,
            "adjustForTimeDifference": False,
            "fetchMargins": False,
        },
    }
    if options.exchange.startswith("binance"):
        config["options"] |= {
            "fetchCurrencies": False,
            "fetchMarkets": {"types": ["spot"]},
            "newOrderRespType": {"limit": "RESULT"},
        }
    if keys is not None:
        config |= {"apiKey": keys.api_key.reveal(), "secret": keys.secret.reveal()}
        if keys.password is not None:
            config["password"] = keys.password.reveal()
    return config


def _set_url(urls: dict[str, Any], path: str, url: str, venue: str) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        urls = urls.get(parent, {})
    if last not in urls or not isinstance(urls[last], str):
        raise UserError(f"venue {venue}: ccxt knows no url {path!r} to replace")
    urls[last] = url


def _first_budget(exchange: Any, is_binance: bool) -> int:
    """Weight per minute before the venue has told its limits."""
    if is_binance or not exchange.rateLimit:
        return FIRST_BUDGET_PER_MINUTE
    return max(1, int(60_000 / float(exchange.rateLimit)))
