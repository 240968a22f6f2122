"""Who sent this, and when: API keys, HMAC-SHA256 and Ed25519 signatures, recvWindow."""

import base64
import binascii
import hashlib
import hmac
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.loopback import refusals
from adapters.loopback.config import Key
from adapters.loopback.params import Params
from engine.values.units import Ns

_KEY_FORM = re.compile(r"^[A-Za-z0-9]{8,128}$")
_WINDOW_DEFAULT_MS = 5_000
_WINDOW_MAX_MS = 60_000
_AHEAD_MAX_MS = 1_000
_MICROSECONDS_FROM = 10**14


class Signer:
    """Knows the keys. Every method raises Refusal with the venue's own code."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = {key.api_key: key for key in keys}

    def key(self, api_key: str) -> Key:
        if not _KEY_FORM.match(api_key):
            raise refusals.bad_key_form()
        key = self._keys.get(api_key)
        if key is None:
            raise refusals.bad_key()
        return key

    def check_signature(self, key: Key, payload: str, signature: str) -> None:
        if not signature:
            raise refusals.missing("signature")
        if not is_signed(key, payload, signature):
            raise refusals.bad_signature()


def is_signed(key: Key, payload: str, signature: str) -> bool:
    """Is this the signature of exactly these characters?"""
    if key.ed25519_public:
        return _is_signed_ed25519(key.ed25519_public, payload, signature)
    expected = hmac.new(key.hmac_secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.lower().encode())


def _is_signed_ed25519(public: bytes, payload: str, signature: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            base64.b64decode(signature, validate=True), payload.encode()
        )
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def check_time(params: Params, now_ns: Ns) -> None:
    """The request's timestamp is neither older than its recvWindow nor from the future."""
    window_ms = params.integer("recvWindow", _WINDOW_DEFAULT_MS)
    if window_ms > _WINDOW_MAX_MS:
        raise refusals.bad_recv_window()
    stamp = params.integer("timestamp")
    stamp_us = stamp if stamp >= _MICROSECONDS_FROM else stamp * 1_000
    age_us = now_ns // 1_000 - stamp_us
    if age_us <= -_AHEAD_MAX_MS * 1_000:
        raise refusals.stale_timestamp(is_ahead=True)
    if age_us > window_ms * 1_000:
        raise refusals.stale_timestamp(is_ahead=False)


def payload_of(values: dict[str, str]) -> str:
    """What a WS-API request signs: all parameters but the signature, sorted by name."""
    return "&".join(f"{name}={values[name]}" for name in sorted(values) if name != "signature")
