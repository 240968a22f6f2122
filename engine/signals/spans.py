"""How long bars are, by the names that people give them."""

from engine.values.units import NS_PER_S, Ns

_MINUTE, _HOUR, _DAY = 60 * NS_PER_S, 3_600 * NS_PER_S, 86_400 * NS_PER_S
SPANS: dict[str, Ns] = {
    "1s": NS_PER_S,
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1h": _HOUR,
    "2h": 2 * _HOUR,
    "4h": 4 * _HOUR,
    "6h": 6 * _HOUR,
    "8h": 8 * _HOUR,
    "12h": 12 * _HOUR,
    "1d": _DAY,
    "1w": 7 * _DAY,
}
NAMES: dict[Ns, str] = {span_ns: name for name, span_ns in SPANS.items()}


def span_of(name: str) -> Ns:
    """Raises ValueError that names what there is."""
    if name not in SPANS:
        raise ValueError(f"{name[:20]!r} is no time frame; there are: {', '.join(SPANS)}")
    return SPANS[name]
