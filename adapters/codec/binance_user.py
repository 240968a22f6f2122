"""Binance's user data stream: reports, fills and balances of our own account, exactly."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from adapters.codec.binance_messages import Id, Ms
from adapters.codec.quarantine import quarantined
from engine.values.events import Balance, Balances, Event, Fill, OrderReport, OrderState
from engine.values.instrument import ASSET_EXPONENT, Instrument
from engine.values.units import NS_PER_MS, Atoms, Ns, Side, scaled

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
FRAME_BYTES_MAX = 1_000_000
REPORT, POSITION = "executionReport", "outboundAccountPosition"
NO_TRADE = -1

STATES = {
    "NEW": OrderState.OPEN,
    "PENDING_NEW": OrderState.OPEN,
    "PENDING_CANCEL": OrderState.OPEN,
    "PARTIALLY_FILLED": OrderState.PARTIAL,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}


class ExecutionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one order. `changed_ms` is the venue's transaction time."""

    symbol: str = msgspec.field(name="s")
    client_id: str = msgspec.field(name="c")
    side: Literal["BUY", "SELL"] = msgspec.field(name="S")
    size: str = msgspec.field(name="q")
    price: str = msgspec.field(name="p")
    original_id: str = msgspec.field(name="C", default="")
    execution: str = msgspec.field(name="x")
    status: str = msgspec.field(name="X")
    refusal: str = msgspec.field(name="r", default="NONE")
    expiry: str = msgspec.field(name="eR", default="")
    order_id: Id = msgspec.field(name="i")
    last_size: str = msgspec.field(name="l")
    filled_size: str = msgspec.field(name="z")
    last_price: str = msgspec.field(name="L")
    fee: str = msgspec.field(name="n", default="0")
    fee_asset: str | None = msgspec.field(name="N", default=None)
    changed_ms: Ms = msgspec.field(name="T")
    trade_id: int = msgspec.field(name="t", default=NO_TRADE)
    is_maker: bool = msgspec.field(name="m", default=False)


class AssetRow(msgspec.Struct, frozen=True, kw_only=True):
    asset: str = msgspec.field(name="a")
    free: str = msgspec.field(name="f")
    locked: str = msgspec.field(name="l")


class AccountPosition(msgspec.Struct, frozen=True, kw_only=True):
    updated_ms: Ms = msgspec.field(name="u")
    rows: list[AssetRow] = msgspec.field(name="B")


class UserEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """A bare event, or one that the WS-API wrapped with its subscription."""

    event: msgspec.Raw = msgspec.Raw()
    kind: str = msgspec.field(name="e", default="")
    request_id: msgspec.Raw = msgspec.field(name="id", default=msgspec.Raw())


class BinanceUserCodec:
    """Reads every frame of one private connection; raises for none.

    A report of a trade gives its Fill first, then the OrderReport. Events of markets that are not
    ours are counted and make no fact (their balances do). What cannot be read is `Quarantined`: it
    may have been a fill, so the account must be reconciled after it.
    """

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self.venue = instruments[0].venue
        self.counts: Counter[str] = Counter()
        self._instruments = {each.venue_symbol: each for each in instruments}
        self._exponents = _exponents(instruments)
        self._envelope = msgspec.json.Decoder(UserEnvelope)
        self._report = msgspec.json.Decoder(ExecutionReport)
        self._position = msgspec.json.Decoder(AccountPosition)

    def decode(self, frame: bytes, at_ns: Ns) -> list[Event]:
        if len(frame) > FRAME_BYTES_MAX:
            return self._refuse(frame, f"frame of {len(frame)} bytes", at_ns)
        try:
            kind, body = self._open(frame)
            events = self._read(kind, body, at_ns)
        except UNREADABLE as error:
            return self._refuse(frame, str(error), at_ns)
        self.counts[kind] += 1
        return events

    def _open(self, frame: bytes) -> tuple[str, bytes]:
        envelope = self._envelope.decode(frame)
        wrapped = bytes(envelope.event)
        if wrapped:
            frame = wrapped
            envelope = self._envelope.decode(frame)
        if not envelope.kind and not bytes(envelope.request_id):
            raise ValueError("a frame of no known shape")
        return envelope.kind[:40] or "answer", frame

    def _read(self, kind: str, body: bytes, at_ns: Ns) -> list[Event]:
        if kind == REPORT:
            return self._read_report(self._report.decode(body), at_ns)
        if kind == POSITION:
            return [self._read_position(self._position.decode(body), at_ns)]
        return []

    def _read_report(self, report: ExecutionReport, at_ns: Ns) -> list[Event]:
        instrument = self._instruments.get(report.symbol)
        if instrument is None:
            self.counts["foreign"] += 1
            return []
        if report.status not in STATES:
            raise ValueError(f"unknown order status {report.status[:40]}")
        # A cancel has an id of its own; the order that it ended is named by `C`.
        original = report.original_id
        shared: dict[str, Any] = {
            "market": instrument.market,
            "client_id": report.client_id if original in ("", "null") else original,
            "venue_id": str(report.order_id),
            "at_ns": at_ns,
            "side": Side.BUY if report.side == "BUY" else Side.SELL,
        }
        order = OrderReport(
            **shared,
            update_ns=report.changed_ms * NS_PER_MS,
            state=STATES[report.status],
            tick=instrument.ticks(report.price),
            lots=_not_negative(instrument.lots(report.size)),
            filled_lots=_not_negative(instrument.lots(report.filled_size)),
            reason=report.expiry or ("" if report.refusal == "NONE" else report.refusal),
        )
        if report.execution != "TRADE":
            return [order]
        return [self._fill(instrument, report, shared), order]

    def _fill(
        self, instrument: Instrument, report: ExecutionReport, shared: dict[str, Any]
    ) -> Fill:
        lots, tick = instrument.lots(report.last_size), instrument.ticks(report.last_price)
        if report.trade_id < 0 or lots <= 0 or tick <= 0:
            raise ValueError("a trade report without its trade")
        asset = report.fee_asset or instrument.quote
        return Fill(
            **shared,
            trade_id=report.trade_id,
            venue_ns=report.changed_ms * NS_PER_MS,
            tick=tick,
            lots=lots,
            fee_atoms=scaled(report.fee, _exponents([instrument]).get(asset, ASSET_EXPONENT)),
            fee_asset=asset,
            is_maker=report.is_maker,
        )

    def _read_position(self, position: AccountPosition, at_ns: Ns) -> Balances:
        return Balances(
            venue=self.venue,
            at_ns=at_ns,
            update_ns=position.updated_ms * NS_PER_MS,
            balances=[
                Balance(
                    asset=row.asset,
                    free_atoms=self._atoms(row.asset, row.free),
                    locked_atoms=self._atoms(row.asset, row.locked),
                )
                for row in position.rows
            ],
        )

    def _atoms(self, asset: str, text: str) -> Atoms:
        return scaled(text, self._exponents.get(asset, ASSET_EXPONENT))

    def _refuse(self, frame: bytes, reason: str, at_ns: Ns) -> list[Event]:
        self.counts["quarantined"] += 1
        return [quarantined(self.venue, frame, reason, at_ns)]


def _exponents(instruments: Sequence[Instrument]) -> dict[str, int]:
    """Decimals of an asset's atoms: the finest that any of the instruments gives it."""
    found: dict[str, int] = {}
    for each in instruments:
        for asset, exponent in ((each.base, each.base_exponent), (each.quote, each.quote_exponent)):
            found[asset] = max(found.get(asset, ASSET_EXPONENT), exponent)
    return found


def _not_negative(lots: int) -> int:
    if lots < 0:
        raise ValueError("a negative size")
    return lots
