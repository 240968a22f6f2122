"""After a run: the journal against the venue, by arithmetic that shares nothing with the engine.

Reads fills and openings from the journal file, asks the venue for its balances, trades and open
orders over plain signed REST, and compares in exact decimals.
"""

import hashlib
import hmac
import time
import urllib.request
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from engine.runtime.journal_reader import read
from engine.values.errors import UserError
from engine.values.events import Fill
from engine.values.instrument import Instrument
from engine.values.records import Adjusted, Opening
from engine.values.units import decimal_text

PAGE = 1000
TIMEOUT_S = 5.0


class VenueGone(UserError):
    """The venue left before it could be asked; the journal is whole, and unproved."""

    exit_code = 1


class Account:
    """Read-only eyes on a Binance-like account at a loopback address."""

    def __init__(self, base_url: str, api_key: str, secret: str) -> None:
        assert base_url.startswith("http://127.0.0.1:"), "the audit only asks a loopback venue"
        self._base_url = base_url
        self._api_key = api_key
        self._secret = secret.encode()

    def __repr__(self) -> str:
        return f"<account at {self._base_url}>"

    def get(self, path: str, **params: Any) -> Any:
        query = urlencode({**params, "timestamp": time.time_ns() // 1_000_000})
        signature = hmac.new(self._secret, query.encode(), hashlib.sha256).hexdigest()
        request = urllib.request.Request(  # noqa: S310 (the address was asserted above)
            f"{self._base_url}/{path}?{query}&signature={signature}",
            headers={"X-MBX-APIKEY": self._api_key},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                return msgspec.json.decode(answer.read())
        except OSError as error:
            reason = f"{self._base_url} does not answer ({error})"
            raise VenueGone(f"{reason}: nothing to hold the journal against") from error

    def trades(self, symbol: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            from_id = found[-1]["id"] + 1 if found else 0
            page = self.get("myTrades", symbol=symbol, fromId=from_id, limit=PAGE)
            found += page
            if len(page) < PAGE:
                return found


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Differences are journal minus venue; all zero in a run that told the truth."""

    fills: int
    fills_missing: int
    fills_invented: int
    open_orders: int
    position_difference: str
    money_difference: str

    @property
    def is_clean(self) -> bool:
        wrong = (self.fills_missing, self.fills_invented, self.open_orders)
        return not any(wrong) and self.position_difference == self.money_difference == "0"


def audit(journal: Path, instrument: Instrument, account: Account) -> Audit:
    """Compare a finished run with the venue that it ran on."""
    balances, trade_ids, settled = _from_journal(journal, instrument)
    theirs = {
        row["asset"]: Decimal(row["free"]) + Decimal(row["locked"])
        for row in account.get("account")["balances"]
    }
    venue_ids = {
        trade["id"] for trade in account.trades(instrument.venue_symbol) if trade["id"] > settled
    }
    base_gap = balances[instrument.base] - theirs.get(instrument.base, Decimal(0))
    quote_gap = balances[instrument.quote] - theirs.get(instrument.quote, Decimal(0))
    open_orders = account.get("openOrders", symbol=instrument.venue_symbol)
    return Audit(
        fills=len(trade_ids),
        fills_missing=len(venue_ids - trade_ids),
        fills_invented=len(trade_ids - venue_ids),
        open_orders=len(open_orders),
        position_difference=f"{base_gap.normalize():f}",
        money_difference=f"{quote_gap.normalize():f}",
    )


def _from_journal(
    journal: Path, instrument: Instrument
) -> tuple[dict[str, Decimal], set[int], int]:
    """(balance by asset, distinct trade ids, last trade id before the opening)."""
    balances: dict[str, Decimal] = defaultdict(Decimal)
    trade_ids: set[int] = set()
    settled = -1
    for row in read(journal, kinds=("Opening", "Adjusted", "Fill")):
        record = row.record
        if isinstance(record, Opening) and record.market == instrument.market:
            settled = record.trade_id
            for balance in record.balances:
                atoms = balance.free_atoms + balance.locked_atoms
                balances[balance.asset] += _decimal(instrument, balance.asset, atoms)
        elif isinstance(record, Adjusted):
            balances[record.asset] += _decimal(instrument, record.asset, record.atoms)
        elif isinstance(record, Fill) and record.trade_id not in trade_ids:
            trade_ids.add(record.trade_id)
            _add(balances, instrument, record)
    return balances, trade_ids, settled


def _add(balances: dict[str, Decimal], instrument: Instrument, fill: Fill) -> None:
    price = Decimal(instrument.price_text(fill.tick))
    size = Decimal(instrument.size_text(fill.lots)) * fill.side.sign
    balances[instrument.base] += size
    balances[instrument.quote] -= size * price
    balances[fill.fee_asset] -= _decimal(instrument, fill.fee_asset, fill.fee_atoms)


def _decimal(instrument: Instrument, asset: str, atoms: int) -> Decimal:
    exponent = {
        instrument.base: instrument.base_exponent,
        instrument.quote: instrument.quote_exponent,
    }.get(asset, 8)
    return Decimal(decimal_text(atoms, exponent))
