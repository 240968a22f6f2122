"""A REST request as the exchange understands it: its call, its texts, what exactly was signed."""

from urllib.parse import parse_qsl

from adapters.loopback import refusals
from adapters.loopback.api import Request
from adapters.loopback.table import REST


def read(method: str, raw_path: str, body: str, api_key: str) -> Request:
    """Raises Refusal for a path that nobody serves and for a parameter that came twice."""
    path, _, query = raw_path.partition("?")
    call = REST.get((method, path))
    if call is None:
        raise refusals.not_found(path)
    query, in_query = _unsigned(query)
    body, in_body = _unsigned(body)
    pairs = parse_qsl(query, keep_blank_values=True) + parse_qsl(body, keep_blank_values=True)
    values = dict(pairs)
    if len(values) < len(pairs):
        raise refusals.Refusal(-1101, "Duplicate values for a parameter detected.")
    signature = dict(parse_qsl(in_query or in_body)).get("signature", "")
    return Request(
        call=call, values=values, payload=query + body, signature=signature, api_key=api_key
    )


def _unsigned(text: str) -> tuple[str, str]:
    """The text without its signature, character by character as sent, and the signature's part."""
    parts = text.split("&") if text else []
    kept = [part for part in parts if not part.startswith("signature=")]
    return "&".join(kept), next((p for p in parts if p.startswith("signature=")), "")
