"""One request in, one answer out: limits, keys and parameters are checked here, for every wire."""

from collections.abc import Callable

import msgspec

from adapters.loopback import market_calls, refusals, signing
from adapters.loopback.account_calls import Desk
from adapters.loopback.exchange import Exchange
from adapters.loopback.limits import Limiter
from adapters.loopback.params import Params
from adapters.loopback.scale import ms
from adapters.loopback.signing import Signer
from adapters.loopback.table import ROWS, Row
from engine.values.units import Ns

Json = dict[str, object]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A call by its name in the table. `account` is set where the session is logged on."""

    call: str
    values: dict[str, str]
    payload: str = ""
    signature: str = ""
    api_key: str = ""
    account: str = ""
    is_lenient: bool = False
    """Parameters that the call does not know are passed over: the WS-API, where ccxt sends some."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    body: object
    account: str = ""
    retry_after_s: int = 0


class Api:
    """Answers requests against the exchange. Nothing in here knows what carried them."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.limiter = Limiter(exchange.config.limits)
        self.signer = Signer(exchange.config.keys)
        self.counters: dict[str, int] = {}
        self._rows = ROWS | _own_rows(exchange, self.limiter)

    def answer(self, request: Request, now_ns: Ns) -> Answer:
        """Never raises: a Refusal becomes an answer."""
        self.counters[request.call] = self.counters.get(request.call, 0) + 1
        account = request.account
        try:
            row, params = self._row(request), Params(request.values)
            self.limiter.charge(_weight(row, params), now_ns)
            if not request.is_lenient:
                _check_names(row, request.values)
            if row.public is not None:
                body = row.public(self.exchange, params, now_ns)
            else:
                account = self.authenticate(request, now_ns)
                body = self._signed(row, account, params, now_ns)
        except refusals.Refusal as refusal:
            return Answer(
                status=refusal.status,
                body=refusal.body(),
                account=account,
                retry_after_s=refusal.retry_after_s,
            )
        return Answer(status=200, body=body, account=account)

    def authenticate(self, request: Request, now_ns: Ns) -> str:
        """The account that signed this request, or that the session is logged on to."""
        if request.account:
            signing.check_time(Params(request.values), now_ns)
            return request.account
        key = self.signer.key(request.api_key)
        signing.check_time(Params(request.values), now_ns)
        self.signer.check_signature(key, request.payload, request.signature)
        return key.account

    def _row(self, request: Request) -> Row:
        row = self._rows.get(request.call)
        if row is None:
            raise refusals.unsupported()
        return row

    def _signed(self, row: Row, account: str, params: Params, now_ns: Ns) -> object:
        if row.orders:
            self.limiter.charge_order(account, now_ns)
        assert row.signed is not None, row
        return row.signed(Desk(self.exchange, account, now_ns), params)


def _weight(row: Row, params: Params) -> int:
    return row.weight if isinstance(row.weight, int) else row.weight(params)


def _check_names(row: Row, values: dict[str, str]) -> None:
    known = sum(name in row.names for name in values)
    if known < len(values):
        raise refusals.unread(known, len(values))


def _own_rows(exchange: Exchange, limiter: Limiter) -> dict[str, Row]:
    """Calls that need more than the exchange, and those that only keep a full client content."""
    signed = frozenset(("timestamp", "recvWindow"))

    def info(_: Exchange, params: Params, now_ns: Ns) -> object:
        return market_calls.exchange_info(exchange, limiter, params, now_ns)

    def answer_with(body: object) -> Callable[[Desk, Params], object]:
        return lambda desk, params: body

    return {
        "exchangeInfo": Row(
            weight=20, names=frozenset(("symbol", "symbols", "permissions", "showPermissionSets")),
            public=info,
        ),
        "noFutures": Row(
            weight=1, names=frozenset(),
            public=lambda _, params, now_ns: {"serverTime": ms(now_ns), "symbols": []},
        ),
        "none": Row(weight=1, names=signed, signed=answer_with([])),
        "coins": Row(weight=10, names=signed, signed=answer_with(_coins(exchange))),
        "keyRights": Row(weight=1, names=signed, signed=answer_with(_KEY_RIGHTS)),
    }  # fmt: skip


_KEY_RIGHTS: Json = {
    "ipRestrict": True,
    "createTime": 0,
    "enableReading": True,
    "enableSpotAndMarginTrading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableMargin": False,
    "enableFutures": False,
    "permitsUniversalTransfer": False,
    "enableVanillaOptions": False,
    "enablePortfolioMarginTrading": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": False,
}


def _coins(exchange: Exchange) -> list[Json]:
    """The assets of the venue, none of which can be moved."""
    assets = {a for spec in exchange.config.symbols for a in (spec.base, spec.quote)}
    return [
        {
            "coin": asset,
            "name": asset,
            "depositAllEnable": False,
            "withdrawAllEnable": False,
            "trading": True,
            "isLegalMoney": False,
            "networkList": [],
            "free": "0",
            "locked": "0",
            "freeze": "0",
            "withdrawing": "0",
            "ipoing": "0",
            "ipoable": "0",
            "storage": "0",
        }
        for asset in sorted(assets)
    ]
