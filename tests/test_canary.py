"""A01, I27: a real engine with a recognisable key meets every kind of error; nothing shows the key.

The venue of these tests is hostile: it knows the secret and sends it back in every form.
"""

import asyncio
import base64
import json
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

import msgspec
import pytest

from adapters.loopback.api import Answer
from adapters.loopback.config import Key
from adapters.loopback.keys import KeyPair
from adapters.loopback.shaping import Frame
from engine.cli.demo_venue import flat
from engine.cli.venue import write_key
from engine.runtime.redaction import Redactor, Secret
from tests.engine_process import EngineProcess, ballast, config_file
from tests.live_world import ACCOUNT, thin_venue
from tests.patience import until

PIECE = 16


def canary_pair() -> KeyPair:
    """A key whose parts look different in every encoding."""
    secret = f"canary/+=&{token_hex(24)}"
    api_key = f"canary{token_hex(29)}"
    return KeyPair(key=Key(api_key=api_key, account=ACCOUNT, hmac_secret=secret), secret=secret)


def forms(text: str) -> set[bytes]:
    """The text raw, hex, url-encoded, and in base64 alone and within a longer text."""
    raw = text.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    found |= {quote(text, safe="").encode(), quote(text).encode(), json.dumps(text)[1:-1].encode()}
    for ahead in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"." * ahead + raw + b"." * (3 - ahead)))
    return found


def leaks(pair: KeyPair, content: bytes) -> list[bytes]:
    """Pieces of the canary in any form: half a secret is a secret too.

    The outer characters of base64 belong to its neighbours, so pieces are taken from within.
    """
    found = forms(pair.key.api_key) | forms(pair.secret)
    pieces = {f[i : i + PIECE] for f in found for i in range(3, len(f) - PIECE - 3)}
    return [piece for piece in pieces if piece in content]


def echo(pair: KeyPair) -> str:
    """What a careless venue says back. The marker shows where its words arrived."""
    texts = (pair.key.api_key, pair.secret)
    return "echo " + " ".join(form.decode() for text in texts for form in sorted(forms(text)))


async def verbs(config: Path, *lines: str) -> bytes:
    """What a person is answered, all of it on one heap."""
    asked = [asyncio.to_thread(ballast, *line.split(), "--at", str(config)) for line in lines]
    return b"".join((done.stdout + done.stderr).encode() for done in await asyncio.gather(*asked))


@asynccontextmanager
async def hostile(tmp_path: Path):
    """(venue, pair, config) with the canary's key file."""
    pair = canary_pair()
    key_file = tmp_path / "key.json"
    write_key(key_file, pair)
    venue = thin_venue(pair)
    await venue.start()
    try:
        config = config_file(tmp_path / "c.toml", key_file, flat(venue.urls()), stop_s=1.0)
        yield venue, pair, config
    finally:
        await venue.stop()


@asynccontextmanager
async def engine_of(config: Path, before: str = ""):
    engine = EngineProcess(config, before=before)
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.end)


def answer_instead(venue, call: str, answer: Answer) -> None:
    """From now on this call is answered so, whatever was asked; and it is counted."""
    true_answer = venue.api.answer

    def hostile_answer(request, now_ns):
        if request.call != call:
            return true_answer(request, now_ns)
        venue.api.counters[call] = venue.api.counters.get(call, 0) + 1
        return answer

    venue.api.answer = hostile_answer


def refusals(venue) -> int:
    return sum(venue.api.counters.get(call, 0) for call in ("place", "cancelAll"))


def shout(venue, content: bytes) -> None:
    for wire in venue.delivery.wires():
        wire.push(Frame(content))


def written(engine: EngineProcess) -> dict[str, bytes]:
    """Everything that the engine left behind, and what others can see of its process."""
    files = [path for path in engine.config.parent.rglob("*") if path.is_file()]
    kept = {p.name: p.read_bytes() for p in files if p.name not in ("key.json",)}
    assert {"journal.db", "err.txt"} <= set(kept)
    return kept


def seen_by_others(engine: EngineProcess) -> bytes:
    process = Path(f"/proc/{engine.process.pid}")
    return (process / "cmdline").read_bytes() + (process / "environ").read_bytes()


def test_the_search_finds_what_it_looks_for():
    pair = canary_pair()
    for form in forms(pair.secret) | forms(pair.key.api_key):
        assert leaks(pair, b"before " + form + b" after")
    for ahead in (b"", b"a", b"ab"):
        assert leaks(pair, base64.b64encode(ahead + pair.secret.encode() + b"behind"))
    assert leaks(pair, echo(pair).encode())
    assert not leaks(pair, b"nothing to see")


@pytest.mark.parametrize("kept", [20, 33, 50])
def test_a01_a_secret_that_was_cut_to_length_is_taken_out(kept):
    pair = canary_pair()
    redactor = Redactor()
    redactor.add(Secret(pair.secret))
    for form in forms(pair.secret):
        text = f"the venue said {form.decode()[:kept]}"
        assert leaks(pair, redactor.redact(text).encode()) == [], text


ERRORS = {
    "bad signature": Answer(status=400, body={"code": -1022, "msg": "Signature for ECHO"}),
    "server error": Answer(status=500, body={"code": -1000, "msg": "ECHO"}),
    "page of a proxy": Answer(status=502, body="<html>ECHO</html>"),
    "rejection": Answer(status=400, body={"code": -2010, "msg": "ECHO"}),
}


def with_echo(answer: Answer, pair: KeyPair) -> Answer:
    body = answer.body
    if isinstance(body, str):
        return msgspec.structs.replace(answer, body=body.replace("ECHO", echo(pair)))
    said = {**body, "msg": body["msg"].replace("ECHO", echo(pair))}
    return msgspec.structs.replace(answer, body=said)


@pytest.mark.slow
@pytest.mark.parametrize("error", ERRORS)
async def test_a01_an_error_that_echoes_the_key_shows_it_nowhere(tmp_path, error):
    async with hostile(tmp_path) as (venue, pair, config), engine_of(config) as engine:
        await asyncio.to_thread(engine.quoting)
        answer_instead(venue, "place", with_echo(ERRORS[error], pair))
        answer_instead(venue, "cancelAll", with_echo(ERRORS[error], pair))
        shout(venue, echo(pair).encode())
        before = refusals(venue)
        said = b""
        for label in ("strong-sell", "strong-buy"):
            said += await verbs(config, f"rating set BTT/USDT {label}")
        asked = ("status", "why", "why --json", "status --json", "rating show")
        said += await verbs(config, "halt --reason look", *asked)
        said += seen_by_others(engine)
        await until(lambda: refusals(venue) > before, "a refusal")
        await venue.stop()
        await asyncio.sleep(0.5)
        said += await verbs(config, "status", "why")
        engine.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(engine.wait) == 1
        kept = [asyncio.to_thread(ballast, "journal", w, str(config)) for w in ("show", "export")]
        for done in await asyncio.gather(*kept):
            assert done.returncode == 0
            said += done.stdout.encode() + done.stderr.encode()
        assert leaks(pair, said) == []
        for name, content in written(engine).items():
            assert leaks(pair, content) == [], name


CRASH = """
import asyncio, json, pathlib
from engine.runtime import live
tick = live.Live._tick
async def broken(self):
    ticking = asyncio.create_task(tick(self))
    while not pathlib.Path(ECHO).with_name("now").exists():
        await asyncio.sleep(0.05)
    ticking.cancel()
    raise RuntimeError(pathlib.Path(ECHO).read_text())
live.Live._tick = broken
"""

CRASH_AT_START = """
import pathlib
from engine.cli import assemble
def broken(*parts, **more):
    raise RuntimeError(pathlib.Path(ECHO).read_text())
assemble.ControlServer = broken
"""


async def test_a01_h12_a_task_that_crashes_cancels_everything_and_its_traceback_is_clean(tmp_path):
    async with hostile(tmp_path) as (venue, pair, config):
        said = tmp_path / "key.json"
        said.write_text(json.dumps(json.loads(said.read_text()) | {"note": echo(pair)}))
        async with engine_of(config, CRASH.replace("ECHO", repr(str(said)))) as engine:
            await asyncio.to_thread(engine.quoting)
            said.with_name("now").touch()
            assert await asyncio.to_thread(engine.wait) == 70
        assert venue.state().open_orders == []
        content = written(engine)
        assert b"RuntimeError" in content["err.txt"]
        for name, kept in content.items():
            assert leaks(pair, kept) == [], name


async def test_a01_a_crash_at_the_start_shows_a_clean_traceback(tmp_path):
    async with hostile(tmp_path) as (_, pair, config):
        said = tmp_path / "key.json"
        said.write_text(json.dumps(json.loads(said.read_text()) | {"note": echo(pair)}))
        async with engine_of(config, CRASH_AT_START.replace("ECHO", repr(str(said)))) as engine:
            assert await asyncio.to_thread(engine.wait) == 70
        assert b"RuntimeError" in engine.err.read_bytes()
        for name, kept in written(engine).items():
            assert leaks(pair, kept) == [], name


@pytest.mark.parametrize("error", ERRORS)
async def test_a01_a_refusal_at_the_start_that_echoes_the_key_is_one_clean_line(tmp_path, error):
    async with hostile(tmp_path) as (venue, pair, config):
        answer_instead(venue, "account", with_echo(ERRORS[error], pair))
        async with engine_of(config) as engine:
            assert await asyncio.to_thread(engine.wait) == 2
        (line,) = engine.err.read_text().splitlines()
        assert line.startswith("ballast: venue loopback does not answer")
        for name, kept in written(engine).items():
            assert leaks(pair, kept) == [], name
