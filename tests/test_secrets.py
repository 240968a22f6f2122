"""A canary key goes in, and must not come out anywhere (I27, A01)."""

import asyncio
import base64
import json
import logging
import os
import pickle
import secrets as random_secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.control import ControlServer, call
from engine.runtime.journal import JournalParams, open_journal
from engine.runtime.journal_reader import read, verify
from engine.runtime.redaction import RedactingFilter, Redactor, Secret
from engine.runtime.secrets import Credentials, load_credentials
from engine.values.errors import UserError
from engine.values.events import Halt

API_KEY = "canary" + random_secrets.token_hex(16)
CANARY = "Canary/" + random_secrets.token_urlsafe(24) + "+&="


def forms(text: str) -> list[str]:
    """Written again here, on purpose without the code under test."""
    raw = text.encode()
    return [
        text,
        raw.hex(),
        raw.hex().upper(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        quote(text, safe=""),
        quote_plus(text),
        json.dumps(text)[1:-1],
    ]


def pem(key: Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def key_file(path: Path, content: str, mode: int = 0o600) -> str:
    path.write_text(content)
    path.chmod(mode)
    return str(path)


def journal_files(directory: Path) -> list[Path]:
    return list(directory.glob("journal.db*"))


def from_file(path: Path, content: str) -> Credentials:
    return load_credentials("main", key_file(path, content), Redactor(), {})


def test_a01_a_secret_does_not_show_itself() -> None:
    secret = Secret(CANARY)
    assert CANARY not in f"{secret} {secret!r} {[secret]} {secret}"
    assert secret.reveal() == CANARY
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"api_key": API_KEY, "secret": CANARY, "password": "correct horse"}),
        json.dumps({"apiKey": API_KEY, "secret": CANARY, "passphrase": "correct horse"}),
        f"api_key={API_KEY}\nsecret={CANARY}\npassword=correct horse\n",
        f"# ours\napi_key = '{API_KEY}'\n\nsecret = \"{CANARY}\"\npassphrase = correct horse",
    ],
    ids=["json", "json as ccxt names it", "lines", "lines with quotes"],
)
def test_each_format_is_read(tmp_path: Path, content: str) -> None:
    found = from_file(tmp_path / "k", content)
    assert found.api_key.reveal() == API_KEY
    assert found.secret.reveal() == CANARY
    assert found.password is not None
    assert found.password.reveal() == "correct horse"
    assert not found.is_ed25519
    assert CANARY not in repr(found)
    assert API_KEY not in repr(found)


@pytest.mark.parametrize("as_json", [True, False])
def test_an_ed25519_key_is_read_and_known_for_what_it_is(tmp_path: Path, as_json: bool) -> None:
    key = pem(Ed25519PrivateKey.generate())
    fields = {"api_key": API_KEY, "private_key": key}
    content = json.dumps(fields) if as_json else f"api_key={API_KEY}\n{key}"
    found = from_file(tmp_path / "k", content)
    assert found.is_ed25519
    assert found.secret.reveal().strip() == key.strip()


def test_another_kind_of_private_key_is_refused(tmp_path: Path) -> None:
    key = pem(rsa.generate_private_key(public_exponent=65_537, key_size=2_048))
    with pytest.raises(UserError, match="not Ed25519"):
        from_file(tmp_path / "k", f"api_key={API_KEY}\n{key}")


def test_the_systemd_credential_comes_before_file_and_environment(tmp_path: Path) -> None:
    (tmp_path / "main").write_text(f"api_key={API_KEY}\nsecret={CANARY}")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path), "BALLAST_KEY_MAIN": "{}"}
    found = load_credentials("main", str(tmp_path / "absent"), Redactor(), environment)
    assert found.secret.reveal() == CANARY


def test_a_key_in_the_environment_is_taken_out_of_it(tmp_path: Path) -> None:
    environment = {"BALLAST_KEY_MY_MAIN": f"api_key={API_KEY}\nsecret={CANARY}"}
    found = load_credentials("my-main", "", Redactor(), environment)
    assert found.secret.reveal() == CANARY
    assert environment == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a06_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path / "k", f"api_key={API_KEY}\nsecret={CANARY}", mode)
    with pytest.raises(UserError, match="chmod 600"):
        load_credentials("main", path, Redactor(), {})


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a/b", "a\0b", ".hidden", "x" * 33])
def test_a_name_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="name of a key"):
        load_credentials(name, "", Redactor(), {"CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{" + CANARY,
        "[]",
        f"secret={CANARY}",
        f"api_key={API_KEY}",
        f"{API_KEY}\n{CANARY}",
        json.dumps({"api_key": API_KEY, "secret": [CANARY]}),
        json.dumps([API_KEY, CANARY]),
        f"api_key={API_KEY}\n-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----",
    ],
    ids=range(9),
)
def test_a01_a_bad_key_file_is_refused_without_being_quoted(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError) as caught:
        from_file(tmp_path / "k", content)
    shown = Redactor().traceback(caught.value)
    assert CANARY not in shown
    assert API_KEY not in shown
    assert str(tmp_path / "k") in str(caught.value)


def test_a_fifo_or_a_directory_is_no_key_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for name in ("fifo", "."):
        with pytest.raises(UserError):
            load_credentials("main", str(tmp_path / name), Redactor(), {})


def test_no_key_at_all_names_the_three_places(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"systemd credential main, key_file .* BALLAST_KEY_MAIN"):
        load_credentials("main", "", Redactor(), {})


def test_i27_every_form_of_every_secret_is_taken_out(tmp_path: Path) -> None:
    redactor = Redactor()
    key = pem(Ed25519PrivateKey.generate())
    for name, secret in (("a", CANARY), ("b", key)):
        path = key_file(tmp_path / name, json.dumps({"api_key": API_KEY, "secret": secret}))
        load_credentials(name, path, redactor, {})
    body = key.splitlines()[1]
    for text in (*forms(API_KEY), *forms(CANARY), *forms(body), key, json.dumps(key), repr(key)):
        shown = redactor.redact(f"GET /order?x={text}&y=1")
        for secret in (API_KEY, CANARY, body):
            assert not any(form in shown for form in forms(secret)), text


@given(before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_i27_a_secret_inside_a_longer_base64_text_is_taken_out(before: bytes, after: bytes) -> None:
    redactor = Redactor()
    redactor.add(Secret(CANARY))
    shown = redactor.redact(base64.b64encode(before + CANARY.encode() + after).decode())
    assert "<secret>" in shown
    assert len(shown) < len("<secret>") + (len(before) + len(after) + 6) * 4 / 3 + 4


@given(text=st.text(max_size=200))
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    redactor = Redactor()
    assert redactor.redact(text) == text
    redactor.add(Secret(CANARY))
    assert redactor.redact(text) == text


def test_a01_no_secret_reaches_a_log_or_a_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    redactor = Redactor()
    redactor.add(Secret(CANARY))
    log_file = tmp_path / "log"
    handler = logging.FileHandler(log_file)
    handler.addFilter(RedactingFilter(redactor))
    logger = logging.getLogger("canary.child")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.warning("key %s of %r", CANARY, {"secret": CANARY})
        try:
            raise ValueError(f"bad signature for {CANARY}")
        except ValueError:
            logger.exception("it failed", stack_info=True)
    finally:
        logger.removeHandler(handler)
        handler.close()
    written = log_file.read_text()
    assert "bad signature for <secret>" in written
    assert "Traceback" in written
    assert not any(form in written for form in forms(CANARY))


async def test_a01_no_secret_reaches_the_journal_or_the_control_socket(tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.add(Secret(CANARY))

    async def status(verb: str, args: dict[str, Any]) -> dict[str, Any]:
        if verb == "why":
            raise UserError(f"refused: {CANARY}")
        return {"urls": [f"https://x.example/?s={quote_plus(CANARY)}"], **args}

    path = tmp_path / "journal.db"
    async with await open_journal(path, JournalParams(), redact=redactor.redact) as journal:
        journal.append(
            Halt(market="", at_ns=1, who="me", reason=f"signature {form} refused")
            for form in forms(CANARY)
        )
        await journal.commit()
        async with ControlServer(tmp_path / "c.sock", status, redactor) as server:
            answer = await asyncio.to_thread(call, server.path, "status", {"s": CANARY}, 10.0)
            with pytest.raises(UserError, match="refused: <secret>"):
                await asyncio.to_thread(call, server.path, "why", {}, 10.0)
        stored = b"".join(file.read_bytes() for file in journal_files(tmp_path))
        texts = [row.record for row in read(path)]
    for form in forms(CANARY):
        assert form not in json.dumps(answer)
        assert form.encode() not in stored
    assert len(texts) == len(forms(CANARY))
    assert all(isinstance(text, Halt) and "<secret>" in text.reason for text in texts)
    assert verify(path).problem == ""
