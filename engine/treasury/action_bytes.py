"""The one canonical encoding of a request or a statement, its SHA-256, and the text made from it.

Canonical: JSON in printable ASCII, keys sorted by code point at every depth, no blanks outside
texts, whole numbers in plain decimal and nothing that a number could be written in besides. It is
what Python's `json.dumps(value, sort_keys=True, separators=(",", ":"))` writes, so anybody can
check a digest. Bytes that do not come back unchanged when decoded and encoded again are refused:
every value has exactly one encoding.
"""

import hashlib
import re
from typing import TypeVar

import msgspec

from engine.values.action_words import Request, Statement

BYTES_MAX = 16_384
SIGNED_REQUEST = b"ballast treasury request 1\n"
SIGNED_STATEMENT = b"ballast treasury answer 1\n"
SIGNED_EVIDENCE = b"ballast treasury evidence 1\n"
"""What is signed begins with its purpose: no signature can be shown for another thing."""
PRINTABLE = re.compile(rb"[ -~]*")

Body = TypeVar("Body", Request, Statement)


class NotCanonical(Exception):
    """These bytes are no canonical encoding. The text says why, in one line."""


def encoded(body: msgspec.Struct) -> bytes:
    """The canonical bytes. Raises NotCanonical where a text in it is not printable ASCII."""
    content = msgspec.json.encode(body, order="sorted")
    escapes = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    if not PRINTABLE.fullmatch(content) or b"\\" in escapes:
        raise NotCanonical("only printable ASCII can be signed")
    return content


def decoded(content: bytes, wanted: type[Body]) -> Body:
    """What `content` says, if it is the canonical encoding of it. Raises NotCanonical."""
    if len(content) > BYTES_MAX:
        raise NotCanonical(f"more than {BYTES_MAX} bytes")
    try:
        body = msgspec.json.decode(content, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotCanonical(str(error)[:200]) from error
    if encoded(body) != content:
        raise NotCanonical("the same content has another, canonical encoding")
    return body


def digest_of(content: bytes) -> str:
    """SHA-256 in hex: what an approval names, and what an auditor compares."""
    return hashlib.sha256(content).hexdigest()


def reference_of(content: bytes) -> str:
    """The name under which a venue is asked to do it, and asked whether it did."""
    return "bt" + digest_of(content)[:30]
