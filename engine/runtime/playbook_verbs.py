"""What a person asks of a running playbook: to load another, or what it would do if.

Imported when the first such verb comes: a market without a playbook pays nothing for them.
"""

import hashlib
from typing import Any, TypeVar

from engine.signals.outlook import Regime
from engine.trading.maker import Maker
from engine.trading.playbook_file import load_playbook
from engine.trading.trials import Supposed
from engine.trading.what_if import what_if
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.units import Lot, Ns
from engine.values.words import PlaybookSet, RatingLabel

TEXT_BYTES_MAX = 48_000
"""A request to the control socket is one line; as JSON the text grows a little."""

Word = TypeVar("Word", RatingLabel, Regime)


def load_word(maker: Maker, args: dict[str, Any], now_ns: Ns) -> PlaybookSet:
    """The word that loads a playbook, proved here once more. Raises UserError."""
    if maker.quoter.guidance.advice is None:
        raise UserError(f"{maker.market} has no playbook: name one in its config and start anew")
    text, name = str(args.get("text") or ""), str(args.get("name") or "unnamed")
    if len(text.encode()) > TEXT_BYTES_MAX:
        raise UserError(f"{name}: larger than {TEXT_BYTES_MAX} bytes")
    load_playbook(text, name)
    return PlaybookSet(
        market=maker.market,
        at_ns=now_ns,
        who=str(args["who"]),
        name=name,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
    )


def suppose(maker: Maker, args: dict[str, Any], now_ns: Ns) -> dict[str, Any]:
    """The answer to `playbook what-if`. Raises UserError for what cannot be supposed."""
    supposed = Supposed(
        rating=_word(RatingLabel, args.get("rating"), "rating"),
        btc=_word(Regime, args.get("btc"), "BTC"),
        position_lots=_lots(maker.quoter.setup.instrument, args.get("inventory")),
    )
    try:
        return what_if(maker, supposed, now_ns)
    except ValueError as error:
        raise UserError(str(error)) from error


def _word(kind: type[Word], text: Any, name: str) -> Word | None:
    if text is None:
        return None
    try:
        return kind(str(text).replace("_", " ").replace("-", " ").lower())
    except ValueError as error:
        known = ", ".join(word.value for word in kind)
        raise UserError(f"no {name} {str(text)[:40]!r}; there are: {known}") from error


def _lots(instrument: Instrument, text: Any) -> Lot | None:
    if text is None:
        return None
    try:
        lots = instrument.lots(str(text))
    except ValueError as error:
        raise UserError(f"inventory {str(text)[:40]!r}: {error}") from error
    if lots < 0:
        raise UserError(f"inventory {text}: must not be negative")
    return lots
