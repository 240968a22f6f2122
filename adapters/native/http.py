"""REST over aiohttp: one request, its answer, and nothing that could name a secret."""

import aiohttp
import msgspec
from yarl import URL

from adapters.common.refusals import unanswered


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    headers: dict[str, str]
    body: bytes


class Http:
    """Made outside a loop, connects within one. A redirect is no answer of the venue's."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=timeout_s / 2)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, verb: str, url: str, api_key: str = "") -> HttpAnswer:
        """Raises VenueError only where no answer came (`unanswered`)."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        headers = {"X-MBX-APIKEY": api_key} if api_key else {}
        try:
            async with self._session.request(
                verb, URL(url, encoded=True), headers=headers, allow_redirects=False
            ) as response:
                body = await response.read()
                return HttpAnswer(status=response.status, headers=dict(response.headers), body=body)
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            failure = unanswered(error)
        # Raised out here so that aiohttp's exception, with its signed URL, is not chained to it.
        raise failure

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
