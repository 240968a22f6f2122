"""Ed25519 at the edges: proving signatures, and keys of people, which stay at their own machine.

A private key is PEM (PKCS 8) in a file that nobody else can read; the file is refused otherwise.
The engine never writes one but where a person asks `roster key` to, and never tells what is in it.
"""

import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from engine.runtime.private_files import OTHERS, PRIVATE_FILE
from engine.values.errors import UserError

FILE_BYTES_MAX = 8_192


def verify(key: str, signature: bytes, message: bytes) -> bool:
    """Whether `signature` of `message` is by the public key `key` (hex). Raises nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class Signer:
    """One person's private key, from its file. It shows and writes nothing but signatures."""

    def __init__(self, path: Path) -> None:
        self._key = _loaded(path)
        self.public = _public(self._key)

    def __repr__(self) -> str:
        return f"<signer {self.public[:8]}>"

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def make_key(path: Path) -> str:
    """Write a new private key to `path`, which must not exist yet; answer the public key in hex.

    Raises UserError.
    """
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, PRIVATE_FILE)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise UserError(f"{path}: exists already; a key is never overwritten") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    return _public(key)


def _loaded(path: Path) -> Ed25519PrivateKey:
    """Raises UserError, which quotes nothing of what was read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            _refuse_shared(path, os.fstat(descriptor))
            content = file.read(FILE_BYTES_MAX)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UserError(f"{path}: expected an Ed25519 private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(f"{path}: expected an Ed25519 private key in PEM")
    return key


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is not a file")
    if status.st_mode & OTHERS:
        raise UserError(f"{path}: other users can read it; run: chmod 600 {path}")
    if status.st_uid not in (os.geteuid(), 0):
        raise UserError(f"{path}: belongs to another user")


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
