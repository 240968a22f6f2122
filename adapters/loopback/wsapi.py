"""The WS-API of one connection: requests, session log-on, user data subscriptions."""

from typing import Any

import msgspec

from adapters.loopback import refusals, signing
from adapters.loopback.api import Answer, Api, Request
from adapters.loopback.params import Params
from adapters.loopback.scale import ms
from adapters.loopback.table import WS_API
from engine.values.units import Ns

Json = dict[str, object]


class ApiSession:
    """`subscriptions` maps a subscription id to the account whose events it carries."""

    def __init__(self, api: Api, now_ns: Ns) -> None:
        self._api = api
        self._connected_ns = now_ns
        self._api_key = ""
        self._authorized_ns: Ns = 0
        self._next_subscription = 0
        self.account = ""
        self.subscriptions: dict[int, str] = {}

    def parse(self, text: bytes) -> "tuple[object, str, dict[str, str]]":
        """Request id, method and parameters as texts. Raises Refusal for what is no request."""
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise refusals.Refusal(-1135, "JSON Invalid") from None
        if not isinstance(request, dict):
            raise refusals.Refusal(-1135, "JSON Invalid")
        params = request.get("params") or {}
        method = request.get("method")
        if not isinstance(params, dict) or not isinstance(method, str):
            raise refusals.missing("method")
        return request.get("id"), method, {str(k): _text(v) for k, v in params.items()}

    def handle(self, number: object, method: str, values: dict[str, str], now_ns: Ns) -> Json:
        """The reply to one request."""
        call = WS_API.get(method)
        request = self.request(call or method, values)
        if call is None:
            return self._handle_session(number, method, request, now_ns)
        answer = self._api.answer(request, now_ns)
        reply: Json = {"id": number, "status": answer.status}
        if answer.status == 200:
            reply["result"] = answer.body
        else:
            reply["error"] = _with_retry(answer.body, answer.retry_after_s, now_ns)
        if values.get("returnRateLimits") != "false":
            reply["rateLimits"] = self._api.limiter.used(answer.account, now_ns)
        return reply

    def request(self, call: str, values: dict[str, str]) -> Request:
        return Request(
            call=call,
            values=values,
            payload=signing.payload_of(values),
            signature=values.get("signature", ""),
            api_key=values.get("apiKey", ""),
            account=self.account if "signature" not in values else "",
            is_lenient=True,
        )

    def _handle_session(self, number: object, method: str, request: Request, now_ns: Ns) -> Json:
        try:
            self._api.limiter.charge(2, now_ns)
            result = self._obey(method, request, now_ns)
        except refusals.Refusal as refusal:
            return refused(number, refusal)
        limits = self._api.limiter.used("", now_ns)
        return {"id": number, "status": 200, "result": result, "rateLimits": limits}

    def _obey(self, method: str, request: Request, now_ns: Ns) -> Json:
        match method:
            case "session.logon":
                return self._log_on(request, now_ns)
            case "session.status":
                return self._status(now_ns)
            case "session.logout":
                self.account, self._api_key, self._authorized_ns = "", "", 0
                return self._status(now_ns)
            case "userDataStream.subscribe":
                if not self.account:
                    raise refusals.bad_key()
                return self._subscribe(self.account)
            case "userDataStream.subscribe.signature":
                if "apiKey" not in request.values:
                    raise refusals.missing("apiKey")
                return self._subscribe(self._api.authenticate(request, now_ns))
            case "userDataStream.unsubscribe":
                return self._unsubscribe(Params(request.values))
            case "session.subscriptions":
                return {"subscriptions": [{"subscriptionId": n} for n in self.subscriptions]}
            case _:
                raise refusals.unsupported()

    def _log_on(self, request: Request, now_ns: Ns) -> Json:
        """Ed25519 keys only, as at the real venue."""
        key = self._api.signer.key(request.api_key)
        if not key.ed25519_public:
            raise refusals.Refusal(-4056, "HMAC_SHA256 API key is not supported.")
        signing.check_time(Params(request.values), now_ns)
        self._api.signer.check_signature(key, request.payload, request.signature)
        self.account, self._api_key, self._authorized_ns = key.account, key.api_key, now_ns
        return self._status(now_ns)

    def _status(self, now_ns: Ns) -> Json:
        return {
            "apiKey": self._api_key or None,
            "authorizedSince": ms(self._authorized_ns) or None,
            "connectedSince": ms(self._connected_ns),
            "returnRateLimits": True,
            "serverTime": ms(now_ns),
            "userDataStream": bool(self.subscriptions),
        }

    def _subscribe(self, account: str) -> Json:
        if account in self.subscriptions.values():
            raise refusals.Refusal(-2035, "User Data Stream subscription already active.")
        number = self._next_subscription
        self._next_subscription += 1
        self.subscriptions[number] = account
        return {"subscriptionId": number}

    def _unsubscribe(self, params: Params) -> Json:
        if "subscriptionId" not in params:
            self.subscriptions.clear()
            return {}
        if self.subscriptions.pop(params.integer("subscriptionId"), None) is None:
            raise refusals.Refusal(-2036, "User Data Stream subscription not active.")
        return {}


def refused(number: object, refusal: refusals.Refusal) -> Json:
    return {"id": number, "status": refusal.status, "error": refusal.body()}


def answered(number: object, answer: Answer) -> Json:
    """An answer that is not from the exchange, in the form of this wire."""
    body = answer.body
    if isinstance(body, str):
        body = {"code": -1000, "msg": "An unknown error occurred."}
    return {"id": number, "status": answer.status, "error": body}


def _with_retry(body: object, retry_after_s: int, now_ns: Ns) -> object:
    if not retry_after_s or not isinstance(body, dict):
        return body
    moments = {"serverTime": ms(now_ns), "retryAfter": ms(now_ns) + retry_after_s * 1_000}
    return {**body, "data": moments}


def _text(value: Any) -> str:
    """A JSON value as the text that was signed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
