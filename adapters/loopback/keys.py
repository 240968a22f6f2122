"""Fresh keys for a test venue: made at run time, never stored in the code."""

import secrets

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.loopback.config import Key


class KeyPair(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue knows and what the client signs with: an HMAC secret or a PEM text."""

    key: Key
    secret: str

    def __repr__(self) -> str:
        return f"<key pair of {self.key.account}>"


def new_hmac(account: str) -> KeyPair:
    secret = secrets.token_hex(32)
    return KeyPair(
        key=Key(api_key=secrets.token_hex(32), account=account, hmac_secret=secret), secret=secret
    )


def new_ed25519(account: str) -> KeyPair:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    key = Key(api_key=secrets.token_hex(32), account=account, ed25519_public=public)
    return KeyPair(key=key, secret=pem.decode())
