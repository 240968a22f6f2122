"""The edge: HTTP and websockets of one port on 127.0.0.1. It moves bytes and decides nothing."""

import asyncio
from collections.abc import Callable, Coroutine

import msgspec
from aiohttp import web

from adapters.loopback import refusals, rest, wsapi
from adapters.loopback.api import Answer, Api, Request
from adapters.loopback.connections import Wire
from adapters.loopback.delivery import Delivery
from adapters.loopback.faults import Faults
from adapters.loopback.order_faults import Plan, plan_for, prepare
from adapters.loopback.shaping import Frame
from adapters.loopback.streams import Hub, StreamSession
from adapters.loopback.table import WS_API
from engine.values.units import Ns

_FRAME_BYTES_MAX = 1_000_000
_HANDS_OFF_HEADERS = {"Cache-Control": "no-store"}


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the handlers work with."""

    api: Api
    hub: Hub
    delivery: Delivery
    faults: Faults
    clock: Callable[[], Ns]


class Server:
    """Routes of the venue's protocol. `gate` is closed while the fault F10 lasts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._encoder = msgspec.json.Encoder()
        self._stopping = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.depth_asked = asyncio.Event()
        self.connections = 0

    def application(self) -> web.Application:
        application = web.Application(client_max_size=_FRAME_BYTES_MAX)
        application.router.add_get("/ws", self._market)
        application.router.add_get("/ws/{streams:.*}", self._market)
        application.router.add_get("/stream", self._market)
        application.router.add_get("/ws-api/v3", self._ws_api)
        application.router.add_route("*", "/{path:.*}", self._rest)
        return application

    def stop(self) -> None:
        """Let go of every request that a fault holds."""
        self._stopping.set()
        self.gate.set()

    # --- REST -----------------------------------------------------------------------------------

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        await self.gate.wait()
        body = (await request.read()).decode("utf-8", "replace")
        api_key = request.headers.get("X-MBX-APIKEY", "")
        try:
            asked = rest.read(request.method, request.raw_path, body, api_key)
        except refusals.Refusal as refusal:
            return self._response(Answer(status=refusal.status, body=refusal.body()))
        plan = plan_for(self._parts.faults, asked)
        answer = self._answer(asked, plan)
        if plan.is_lost:
            await self._hold(request, plan)
        await self.gate.wait()
        return self._response(answer)

    def _answer(self, asked: Request, plan: Plan) -> Answer:
        """The answer of the venue, or what a fault makes of it."""
        parts, now_ns = self._parts, self._parts.clock()
        if asked.call == "depth":
            self.depth_asked.set()
        answer = plan.instead
        if plan.is_executed:
            prepare(parts.faults, parts.api, asked, now_ns)
            answer = parts.api.answer(asked, now_ns)
            parts.delivery.deliver()
        return plan.instead or answer or Answer(status=500, body={})

    async def _hold(self, request: web.Request, plan: Plan) -> None:
        """The reply is lost: nothing comes until the client gives up, or the connection is cut."""
        if not plan.is_cut:
            await self._stopping.wait()
        if request.transport is not None:
            request.transport.abort()

    def _response(self, answer: Answer) -> web.Response:
        headers = self._parts.api.limiter.headers(answer.account, self._parts.clock())
        if answer.retry_after_s:
            headers["Retry-After"] = str(answer.retry_after_s)
        if isinstance(answer.body, str):
            return web.Response(status=answer.status, text=answer.body, headers=headers)
        return web.Response(
            status=answer.status,
            body=self._encoder.encode(answer.body),
            content_type="application/json",
            headers=headers | _HANDS_OFF_HEADERS,
        )

    # --- websockets -----------------------------------------------------------------------------

    async def _market(self, request: web.Request) -> web.StreamResponse:
        is_combined = request.path == "/stream"
        names = request.query.get("streams", "") if is_combined else request.match_info.get(
            "streams", ""
        )  # fmt: skip
        streams = [name for name in names.split("/") if "@" in name]
        limits = self._parts.api.exchange.config.limits
        session = StreamSession(self._parts.hub, is_combined=is_combined)

        async def talk(wire: Wire) -> None:
            self._parts.delivery.market_wires[session] = wire
            session.subscribe(streams)
            try:
                async for text in wire.messages(counts_texts=True):
                    wire.push(Frame(self._encoder.encode(session.handle(text, limits))))
            finally:
                session.close()
                del self._parts.delivery.market_wires[session]

        return await self._connected(request, talk)

    async def _ws_api(self, request: web.Request) -> web.StreamResponse:
        if self._parts.faults.is_on("P01"):
            return web.Response(status=503, text="Service Unavailable")
        session = wsapi.ApiSession(self._parts.api, self._parts.clock())

        async def talk(wire: Wire) -> None:
            self._parts.delivery.api_wires[session] = wire
            try:
                async for text in wire.messages(counts_texts=False):
                    self._reply(session, wire, text)
            finally:
                self._parts.delivery.api_wires.pop(session, None)

        return await self._connected(request, talk)

    def _reply(self, session: wsapi.ApiSession, wire: Wire, text: bytes) -> None:
        number: object = None
        try:
            number, method, values = session.parse(text)
        except refusals.Refusal as refusal:
            wire.push(Frame(self._encoder.encode(wsapi.refused(number, refusal))))
            return
        parts, now_ns = self._parts, self._parts.clock()
        asked = session.request(WS_API.get(method, method), values)
        plan = plan_for(parts.faults, asked)
        reply: object = None
        if plan.is_executed:
            prepare(parts.faults, parts.api, asked, now_ns)
            reply = session.handle(number, method, values, now_ns)
            parts.delivery.deliver()
        if plan.instead is not None:
            reply = wsapi.answered(number, plan.instead)
        if plan.is_cut:
            wire.cut()
        elif not plan.is_lost:
            wire.push(Frame(self._encoder.encode(reply)))

    async def _connected(
        self, request: web.Request, talk: Callable[[Wire], Coroutine[None, None, None]]
    ) -> web.WebSocketResponse:
        """A websocket from its handshake to its end, with its sender and its pings."""
        await self.gate.wait()
        socket = web.WebSocketResponse(
            autoping=False, compress=False, max_msg_size=_FRAME_BYTES_MAX
        )
        await socket.prepare(request)
        self.connections += 1
        wire = Wire(socket, request, self._parts.api.exchange.config.limits)
        helpers = [asyncio.create_task(wire.send_queued(), name="loopback sender")]
        helpers.append(asyncio.create_task(wire.send_pings(), name="loopback pings"))
        try:
            await talk(wire)
        finally:
            wire.finish()
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        return socket
