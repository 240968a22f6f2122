"""Signs what leaves: Ed25519 keys may also log on to a session, HMAC secrets sign each request."""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters.common.keys import Keys
from engine.values.errors import UserError


class Signer:
    """Holds one account's key and shows it to nobody; `api_key` is sent with each signature."""

    def __init__(self, keys: Keys) -> None:
        self.api_key = keys.api_key.reveal()
        self._secret = keys.secret.reveal().encode()
        self._private = _private_key(self._secret)

    def __repr__(self) -> str:
        return f"<signer {'Ed25519' if self.can_log_on else 'HMAC'}>"

    @property
    def can_log_on(self) -> bool:
        """The venue lets Ed25519 keys only sign for a whole session."""
        return self._private is not None

    def sign(self, payload: str) -> str:
        if self._private is not None:
            return base64.b64encode(self._private.sign(payload.encode())).decode()
        return hmac.new(self._secret, payload.encode(), hashlib.sha256).hexdigest()


def _private_key(secret: bytes) -> Ed25519PrivateKey | None:
    if b"-----BEGIN" not in secret:
        return None
    key = load_pem_private_key(secret, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError("the private key is not Ed25519")
    return key
