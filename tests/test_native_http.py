"""REST of the native way: what an answer is, what silence means, and what is never sent twice."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.native.http import IDLE_MAX, Http
from engine.values.errors import Failure, VenueError
from tests.patience import PATIENCE_S, Bystander, until

OK = b"HTTP/1.1 200 OK\r\nX-Mbx-Used-Weight-1M: 7\r\nContent-Length: 2\r\n\r\n{}"


class Venue:
    """Answers each request with `answer`, bytes or None for silence; then may hang up."""

    def __init__(self):
        self.heard, self.connections, self.answer = [], 0, OK
        self.hangs_up = False
        self.leaves_unanswered = 0
        self.open = 0

    async def serve(self, reader, writer):
        self.connections += 1
        self.open += 1
        try:
            while True:
                self.heard.append(await reader.readuntil(b"\r\n\r\n"))
                if self.leaves_unanswered:
                    self.leaves_unanswered -= 1
                    break
                if self.answer is not None:
                    writer.write(self.answer)
                if self.hangs_up:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        self.open -= 1


@asynccontextmanager
async def serving(timeout_s=PATIENCE_S, **options):
    venue, http = Venue(), Http(timeout_s)
    server = await asyncio.start_server(venue.serve, "127.0.0.1", 0, **options)
    venue.port = server.sockets[0].getsockname()[1]
    venue.url = f"http://127.0.0.1:{venue.port}/api/v3/x?signature=s3cret"
    try:
        yield venue, http
    finally:
        await http.close()
        server.close()
        await until(lambda: not venue.open, "the last goodbye")


async def test_an_answer_has_its_status_its_headers_and_its_body():
    async with serving() as (venue, http):
        answer = await http.send("GET", venue.url, "key")
        assert (answer.status, answer.body) == (200, b"{}")
        assert answer.headers["x-mbx-used-weight-1m"] == "7"
        (head,) = venue.heard
        assert head.startswith(b"GET /api/v3/x?signature=s3cret HTTP/1.1\r\n")
        assert b"X-MBX-APIKEY: key" in head


async def test_a_body_may_come_in_chunks():
    async with serving() as (venue, http):
        venue.answer = (
            b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        answer = await http.send("GET", venue.url)
        assert (answer.status, answer.body) == (400, b"abcde")


async def test_a_connection_is_kept_for_the_next_request():
    async with serving() as (venue, http):
        for _ in range(3):
            await http.send("GET", venue.url)
        assert venue.connections == 1


async def test_requests_at_once_do_not_wait_for_each_other_and_few_connections_are_kept():
    async with serving() as (venue, http):
        await asyncio.gather(*(http.send("GET", venue.url) for _ in range(IDLE_MAX + 3)))
        assert venue.connections == IDLE_MAX + 3
        await asyncio.gather(*(http.send("GET", venue.url) for _ in range(IDLE_MAX)))
        assert venue.connections == IDLE_MAX + 3


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
async def test_a_kept_connection_that_the_venue_leaves_is_replaced_by_a_new_one(verb):
    async with serving() as (venue, http):
        await http.send(verb, venue.url)
        venue.leaves_unanswered = 1
        assert (await http.send(verb, venue.url)).status == 200
        assert (venue.connections, len(venue.heard)) == (2, 3)


async def test_what_may_not_be_done_twice_is_sent_once():
    async with serving() as (venue, http):
        await http.send("GET", venue.url)
        venue.leaves_unanswered = 1
        with pytest.raises(VenueError) as raised:
            await http.send("POST", venue.url)
        assert raised.value.failure is Failure.UNKNOWN
        assert [head.split(b" ")[0] for head in venue.heard] == [b"GET", b"POST"]


async def test_a_venue_that_hangs_up_after_each_answer_is_no_failure():
    async with serving() as (venue, http):
        venue.hangs_up = True
        for _ in range(3):
            assert (await http.send("GET", venue.url)).status == 200
            await asyncio.sleep(0.01)
        assert venue.connections == 3


@pytest.mark.parametrize(
    "answer", [None, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", b"SSH-2.0-x\r\n\r\n"]
)
async def test_no_whole_answer_is_unknown_since_bytes_have_left(answer):
    with Bystander() as bystander, bystander.undisturbed(0.0):
        async with serving(timeout_s=0.6) as (venue, http):
            venue.answer = answer
            with pytest.raises(VenueError) as raised:
                await http.send("DELETE", venue.url)
            assert raised.value.failure is Failure.UNKNOWN


async def test_a_connection_that_was_never_made_is_transient_and_names_no_secret():
    async with serving() as (venue, http):
        url = venue.url
    with pytest.raises(VenueError) as raised:
        await http.send("GET", url)
    assert raised.value.failure is Failure.TRANSIENT
    assert "s3cret" not in repr(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


async def test_a_redirect_is_an_answer_and_not_followed():
    async with serving() as (venue, http):
        venue.answer = (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        )
        assert (await http.send("GET", venue.url)).status == 302


async def test_a_request_that_is_given_up_leaves_no_connection_for_the_next():
    async with serving() as (venue, http):
        venue.answer = None
        asking = asyncio.create_task(http.send("GET", venue.url))
        await until(lambda: venue.heard, "the request")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        venue.answer = OK
        assert (await http.send("GET", venue.url)).status == 200
        assert venue.connections == 2


async def test_a_certificate_that_nobody_vouches_for_is_fatal(tmp_path):
    async with serving(ssl=self_signed(tmp_path)) as (venue, http):
        with pytest.raises(VenueError) as raised:
            await http.send("GET", venue.url.replace("http:", "https:"))
        assert raised.value.failure is Failure.FATAL
        assert not venue.heard


def self_signed(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
