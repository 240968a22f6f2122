"""Asks Binance: signed or not, over the WS-API or REST, within the limits, failures translated."""

from typing import TypeAlias
from urllib.parse import urlencode

import msgspec

from adapters.common.budget import Cost
from adapters.common.keys import Keys
from adapters.common.limits import Limits
from adapters.common.refusals import Answer, binance_failure, refusal
from adapters.native.api_socket import ApiSocket, Reply, answer_of
from adapters.native.calls import TIME, Call, Way
from adapters.native.http import Http, HttpAnswer
from adapters.native.options import NativeOptions
from adapters.native.signing import Signer
from engine.values.errors import Transient, Unknown, VenueError
from engine.values.instrument import Instrument
from engine.values.ports import Clock
from engine.values.units import NS_PER_MS, Ns

OK = 200

Params: TypeAlias = dict[str, str | int]


class _Time(msgspec.Struct, frozen=True):
    venue_ms: int = msgspec.field(name="serverTime")


class Session:
    """Shared by feed and gateway of one venue. `socket` is the WS-API connection in use."""

    def __init__(self, options: NativeOptions, clock: Clock, keys: Keys | None) -> None:
        self.options = options
        self.clock = clock
        self.limits = Limits(clock)
        self.offset_ns: Ns = 0
        self.instruments: dict[str, Instrument] = {}
        self.signer = Signer(keys) if keys is not None else None
        self.socket: ApiSocket | None = None
        self._http = Http(options.request_timeout_ms / 1000)
        self._encoder = msgspec.json.Encoder()
        self._time = msgspec.json.Decoder(_Time)

    @property
    def venue(self) -> str:
        return self.options.name

    def venue_ns(self) -> Ns:
        """Venue time now, as far as the best measurement tells."""
        return self.clock.now_ns() + self.offset_ns

    async def ask(self, call: Call, params: Params, cost: Cost | None = None) -> bytes:
        """The JSON of the result. Raises VenueError and nothing else of a venue's."""
        socket = self.ready_socket()
        cost = cost or call.cost
        if call.way is not Way.HTTP_FIRST and socket is not None:
            return await self.ask_socket(socket, call, params, cost)
        if call.way is Way.SOCKET_ONLY:
            raise Transient("no healthy way for new orders", code="no channel")
        self.limits.take(cost)
        try:
            answer = await self._send_http(call, params)
        except VenueError:
            if socket is None or not socket.is_healthy:
                raise
            return await self.ask_socket(socket, call, params, cost)
        return self._body(answer)

    def ready_socket(self) -> ApiSocket | None:
        """The connection that stands ready for orders now."""
        socket = self.socket
        return socket if socket is not None and socket.is_healthy else None

    async def ask_socket(self, socket: ApiSocket, call: Call, params: Params, cost: Cost) -> bytes:
        self.limits.take(cost)
        return await self.ask_bare(socket, call.method, self.proved(socket, call, params))

    async def ask_bare(self, socket: ApiSocket, method: str, params: Params) -> bytes:
        """Exactly these parameters; raises VenueError."""
        number = socket.next_id()
        return self.result(await socket.exchange(number, self.request(number, method, params)))

    def result(self, reply: Reply) -> bytes:
        """The JSON of what was asked for. Raises VenueError for a refusal."""
        if reply.status == OK:
            return bytes(reply.result)
        raise self._refused(answer_of(reply))

    def request(self, number: int, method: str, params: Params) -> bytes:
        return self._encoder.encode({"id": number, "method": method, "params": params})

    def proved(self, socket: ApiSocket, call: Call, params: Params) -> Params:
        """With moment and signature, where the call and the connection need them."""
        if not call.is_signed:
            return params
        stamped = self._stamped(params)
        return stamped if socket.is_logged_on else self._signed(stamped)

    def log_on(self) -> Params:
        """Parameters of `session.logon`, and of a subscription that is signed by itself."""
        return self._signed(self._stamped({}))

    async def tell_time(self) -> int:
        body = await self.ask(TIME, {})
        try:
            return self._time.decode(body).venue_ms
        except msgspec.DecodeError:
            raise Unknown("no time in the answer", code="time") from None

    async def close(self) -> None:
        await self._http.close()

    def _stamped(self, params: Params) -> Params:
        return {
            **params,
            "recvWindow": self.options.recv_window_ms,
            "timestamp": self.venue_ns() // NS_PER_MS,
        }

    def _signed(self, params: Params) -> Params:
        """As the WS-API wants it: the key among the parameters, signed in order of their names."""
        assert self.signer is not None
        named: Params = {**params, "apiKey": self.signer.api_key}
        payload = "&".join(f"{name}={named[name]}" for name in sorted(named))
        return {**named, "signature": self.signer.sign(payload)}

    async def _send_http(self, call: Call, params: Params) -> HttpAnswer:
        base = self.options.url("private" if call.is_signed else "public")
        api_key, query = "", urlencode(params)
        if call.is_signed:
            assert self.signer is not None
            query = urlencode(self._stamped(params))
            query += "&" + urlencode({"signature": self.signer.sign(query)})
            api_key = self.signer.api_key
        return await self._http.send(call.verb, f"{base}{call.path}?{query}", api_key)

    def _body(self, answer: HttpAnswer) -> bytes:
        self.limits.observe_headers(answer.headers)
        if answer.status == OK:
            return answer.body
        text = answer.body.decode("utf-8", "replace")
        raise self._refused(Answer(status=answer.status, headers=answer.headers, body=text))

    def _refused(self, answer: Answer) -> VenueError:
        failure = binance_failure(answer)
        error = refusal(answer, failure, self.venue_ns(), unnamed="refused without a reason")
        self.limits.heed(error, answer.status)
        return error
