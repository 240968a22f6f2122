"""Keys of venues: where they are read from, and in which forms."""

import os
import re
import stat
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from engine.runtime.private_files import OTHERS
from engine.runtime.redaction import SECRET_CHARACTERS_MIN, Redactor, Secret
from engine.values.errors import UserError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
ENVIRONMENT_PREFIX = "BALLAST_KEY_"
FILE_BYTES_MAX = 65_536
PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)
FIELDS = {
    "api_key": "api_key", "apikey": "api_key", "key": "api_key",
    "secret": "secret", "api_secret": "secret", "private_key": "secret",
    "password": "password", "passphrase": "password",
}  # fmt: skip


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """One venue account's key. `secret` is an HMAC secret, or an Ed25519 key in PEM."""

    name: str
    api_key: Secret
    secret: Secret
    password: Secret | None
    is_ed25519: bool


def load_credentials(
    name: str,
    key_file: str,
    redactor: Redactor,
    environment: MutableMapping[str, str] = os.environ,
) -> Credentials:
    """Find the key called `name` and tell `redactor` of it before anybody else sees it.

    Looks at the systemd credential `name`, then at `key_file`, then at the environment variable
    BALLAST_KEY_<NAME>, which it removes so that no child inherits it. The first that is there
    counts. Raises UserError, which quotes nothing of what it read.
    """
    if not NAME.fullmatch(name):
        raise UserError("the name of a key is letters, digits, - and _, at most 32")
    text, where = _found(name, key_file, environment)
    fields = _fields(text, where)
    for value in fields.values():
        redactor.add(Secret(value))
    for field in ("api_key", "secret"):
        if len(fields.get(field, "")) < SECRET_CHARACTERS_MIN:
            raise UserError(f"{where}: {field} is missing or too short; expected {_EXPECTED}")
    return Credentials(
        name=name,
        api_key=Secret(fields["api_key"]),
        secret=Secret(fields["secret"]),
        password=Secret(fields["password"]) if fields.get("password") else None,
        is_ed25519=_is_ed25519(fields["secret"], where),
    )


_EXPECTED = 'JSON {"api_key": ..., "secret": ...}, or lines api_key=... and secret=... (or a PEM)'


def _found(name: str, key_file: str, environment: MutableMapping[str, str]) -> tuple[str, str]:
    variable = ENVIRONMENT_PREFIX + name.upper().replace("-", "_")
    from_environment = environment.pop(variable, "")
    directory = environment.get("CREDENTIALS_DIRECTORY", "")
    if directory and (Path(directory) / name).exists():
        # systemd made this file for us alone; its mode carries an ACL mask and proves nothing.
        return _content(Path(directory) / name, is_private_needed=False), f"credential {name}"
    if key_file:
        path = Path(key_file).expanduser()
        return _content(path, is_private_needed=True), str(path)
    if from_environment:
        return from_environment, variable
    raise UserError(
        f'no key "{name}": set a systemd credential {name}, key_file in the config, or {variable}'
    )


def _content(path: Path, *, is_private_needed: bool) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UserError(f"{path}: is not a file")
            if is_private_needed and status.st_mode & OTHERS:
                raise UserError(f"{path}: other users can read it; run: chmod 600 {path}")
            if is_private_needed and status.st_uid not in (os.geteuid(), 0):
                raise UserError(f"{path}: belongs to another user")
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        raise UserError(f"{path}: larger than {FILE_BYTES_MAX} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not text") from None


def _fields(text: str, where: str) -> dict[str, str]:
    """Known fields of either format. Nothing of the text may reach an error."""
    if text.lstrip().startswith("{"):
        try:
            pairs = list(msgspec.json.decode(text, type=dict[str, Any]).items())
        except msgspec.DecodeError:
            raise UserError(f"{where}: is not valid JSON; expected {_EXPECTED}") from None
    else:
        pairs = [_pair(line) for line in PEM.sub("", text).splitlines()]
        if found := PEM.search(text):
            pairs.append(("secret", found.group()))
    fields: dict[str, str] = {}
    for key, value in pairs:
        field = FIELDS.get(str(key).lower().replace("-", "_"))
        if field and isinstance(value, str) and value:
            fields[field] = value.strip()
    return fields


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    return key.strip(), value.strip().strip("\"'")


def _is_ed25519(secret: str, where: str) -> bool:
    if "-----BEGIN" not in secret:
        return False
    try:
        key = load_pem_private_key(secret.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UserError(f"{where}: its private key cannot be read; expected Ed25519 PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(f"{where}: its private key is not Ed25519")
    return True
