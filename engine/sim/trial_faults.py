"""Faults for a trial by their ids in the list of faults: what each does, and for how long."""

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from engine.sim.trial import Refusal, Trial, Weather
from engine.values.errors import Failure, UserError
from engine.values.events import (
    BookDelta,
    BookLost,
    Connected,
    Disconnected,
    Halt,
    JournalLag,
    LoopLag,
    Stream,
)
from engine.values.units import NS_PER_MS, NS_PER_S, Ns, Side

Begin: TypeAlias = Callable[[Trial, Ns], None]

AGAIN_NS = 20 * NS_PER_MS
BACK_NS = 500 * NS_PER_MS
CRASH_SHARE = 0.8


class FaultPreset(msgspec.Struct, frozen=True, kw_only=True):
    """`says` what goes wrong; it lasts `seconds` unless told; `is_latched` waits for a person."""

    says: str
    seconds: float
    begin: Begin
    is_latched: bool = False


def strike(trial: Trial, fault_id: str, seconds: float | None = None) -> None:
    """Begin a fault now. Raises UserError for an id that has no preset."""
    preset = FAULTS.get(fault_id)
    if preset is None:
        raise UserError(f"no preset for fault {fault_id!r}; there are: {', '.join(FAULTS)}")
    lasts_ns = round((preset.seconds if seconds is None else seconds) * NS_PER_S)
    preset.begin(trial, lasts_ns)


def _spell(**changes: Any) -> Begin:
    """Bad weather of this kind, until it is over."""

    def begin(trial: Trial, lasts_ns: Ns) -> None:
        calm = Weather()
        for name, value in changes.items():
            setattr(trial.weather, name, value)
            trial.at(lasts_ns, lambda name: setattr(trial.weather, name, getattr(calm, name)), name)

    return begin


def _refused(failure: Failure, code: str, text: str, **more: Any) -> Begin:
    return _spell(refusal=Refusal(failure=failure, code=code, text=text, **more))


# --- the feed -----------------------------------------------------------------------------------


def _lose_delta(trial: Trial, lasts_ns: Ns) -> None:
    trial.weather.is_book_silent = True
    lost = BookLost(market=trial.market, at_ns=trial.now_ns, reason="gap in the sequence")
    trial.hear(lost)
    trial.at(lasts_ns, lambda _: _resync(trial))


def _resync(trial: Trial) -> None:
    trial.weather.is_book_silent = trial.weather.is_public_silent = False
    trial.broadcast(trial.crowd.snapshot(trial.now_ns))


def _cross(trial: Trial, lasts_ns: Ns) -> None:
    """A bid at the best ask: a delete went missing."""
    _, _, ask_tick, ask_lots = trial.crowd.book.top()
    sequence = trial.crowd.snapshot(trial.now_ns).sequence
    trial.broadcast(
        BookDelta(
            market=trial.market,
            at_ns=trial.now_ns,
            venue_ns=trial.now_ns,
            sequence=sequence,
            bids=[(ask_tick, ask_lots)],
            asks=[(ask_tick, ask_lots)],
        )
    )
    trial.weather.is_book_silent = True
    trial.at(lasts_ns, lambda _: _resync(trial))


def _stall(trial: Trial, lasts_ns: Ns) -> None:
    trial.weather.is_book_silent = True
    trial.at(lasts_ns, lambda _: _lose_delta(trial, BACK_NS))


def _half_open(trial: Trial, lasts_ns: Ns) -> None:
    trial.weather.is_public_silent = True

    def cut(_: Any) -> None:
        trial.hear(
            Disconnected(
                venue=trial.venue,
                stream=Stream.PUBLIC,
                at_ns=trial.now_ns,
                reason="no answer to our ping",
            )
        )
        trial.at(BACK_NS, back)

    def back(_: Any) -> None:
        trial.hear(Connected(venue=trial.venue, stream=Stream.PUBLIC, at_ns=trial.now_ns))
        _resync(trial)

    trial.at(lasts_ns, cut)


def _empty_bids(trial: Trial, lasts_ns: Ns) -> None:
    _again(trial, lasts_ns, lambda: trial.crowd.withdraw(Side.BUY, trial.now_ns))


def _again(trial: Trial, lasts_ns: Ns, act: Callable[[], Any]) -> None:
    """The same, every few milliseconds until it is over; what it makes is published."""
    ends_ns = trial.now_ns + lasts_ns

    def turn(_: Any) -> None:
        trial.publish(act())
        if trial.now_ns < ends_ns:
            trial.at(AGAIN_NS, turn)

    turn(None)


# --- private stream, process, market ------------------------------------------------------------


def _private_gap(trial: Trial, lasts_ns: Ns) -> None:
    """The stream goes; an order of ours is filled meanwhile; the stream comes back."""
    reason = "closed by the far end"
    trial.weather.is_private_down = True
    for order in trial.account.open_orders()[:1]:
        trial.fill(order.place.client_id)
    trial.hear(
        Disconnected(venue=trial.venue, stream=Stream.PRIVATE, at_ns=trial.now_ns, reason=reason)
    )

    def back(_: Any) -> None:
        trial.weather.is_private_down = False
        trial.hear(Connected(venue=trial.venue, stream=Stream.PRIVATE, at_ns=trial.now_ns))

    trial.at(lasts_ns, back)


def _lag(trial: Trial, lasts_ns: Ns) -> None:
    trial.hear(LoopLag(at_ns=trial.now_ns, lag_ns=lasts_ns))


def _slow_disk(trial: Trial, lasts_ns: Ns) -> None:
    step_ns = 100 * NS_PER_MS
    for age_ns in range(3 * step_ns, 3 * step_ns + lasts_ns, step_ns):
        lag = JournalLag(at_ns=trial.now_ns, age_ns=age_ns)
        trial.at(age_ns - 3 * step_ns, trial.hear, lag)


def _crash(trial: Trial, lasts_ns: Ns) -> None:
    """The value falls by a fifth, and somebody sells down to it. It does not come back."""
    flow = trial.crowd.flow
    flow.value *= CRASH_SHARE
    floor = max(1, int(flow.value))
    trial.publish(trial.crowd.printed(Side.BUY, floor, 10**9, trial.now_ns))
    trial.publish(trial.crowd.sweep(Side.BUY, floor, trial.now_ns))


def _toxic(trial: Trial, lasts_ns: Ns) -> None:
    """Everybody sells, and only sells: our bids are filled one after the other."""
    crowd = trial.crowd

    def sell() -> Any:
        mine = [order for order in trial.account.open_orders() if order.place.side is Side.BUY]
        for order in mine[:1]:
            trial.fill(order.place.client_id)
        bid_tick, _, _, _ = crowd.book.top()
        return crowd.sweep(Side.BUY, bid_tick, trial.now_ns) if bid_tick else []

    _again(trial, lasts_ns, sell)


def _halt(trial: Trial, lasts_ns: Ns) -> None:
    word = Halt(market=trial.market, at_ns=trial.now_ns, who="the test", reason="kill pressed")
    trial.hear(word)


FAULTS: dict[str, FaultPreset] = {
    "F01": FaultPreset(
        says="a delta is lost; no book until a snapshot", seconds=0.5, begin=_lose_delta
    ),
    "F08": FaultPreset(says="the book is crossed", seconds=1, begin=_cross),
    "F09": FaultPreset(
        says="the book's topic falls silent, all else goes on", seconds=4, begin=_stall
    ),
    "F10": FaultPreset(
        says="half-open: nothing public comes any more", seconds=4, begin=_half_open
    ),
    "F11": FaultPreset(
        says="public facts come two seconds late",
        seconds=5,
        begin=_spell(public_late_ns=2 * NS_PER_S),
    ),
    "F21": FaultPreset(says="there are no bids", seconds=2, begin=_empty_bids),
    "O02": FaultPreset(
        says="orders are accepted, their acks lost", seconds=2, begin=_spell(is_answer_lost=True)
    ),
    "O03": FaultPreset(
        says="new orders are lost on the way", seconds=2, begin=_spell(is_request_lost=True)
    ),
    "O06": FaultPreset(
        says="new orders arrive 0.8 s late",
        seconds=2,
        begin=_spell(request_late_ns=800 * NS_PER_MS),
    ),
    "O08": FaultPreset(
        says="an order is filled just before its cancel arrives",
        seconds=5,
        begin=_spell(is_filled_first=True),
    ),
    "O10": FaultPreset(
        says="cancels are lost on the way", seconds=2, begin=_spell(is_cancel_lost=True)
    ),
    "O13": FaultPreset(
        says="post-only orders would cross",
        seconds=2,
        begin=_refused(Failure.REJECTED, "-2010", "would cross"),
    ),
    "O15": FaultPreset(
        says="429: too many requests",
        seconds=2,
        begin=_refused(
            Failure.TRANSIENT, "429", "slow down", retry_after_ns=NS_PER_S, is_of_cancels=True
        ),
    ),
    "O18": FaultPreset(
        says="insufficient balance",
        seconds=2,
        begin=_refused(Failure.REJECTED, "-2010", "insufficient balance"),
    ),
    "P01": FaultPreset(
        says="the private stream is gone, and an order is filled meanwhile",
        seconds=2,
        begin=_private_gap,
    ),
    "P02": FaultPreset(
        says="every private message comes three times", seconds=10, begin=_spell(times_told=3)
    ),
    "P06": FaultPreset(
        says="fills are told two seconds after their orders' reports",
        seconds=10,
        begin=_spell(fill_late_ns=2 * NS_PER_S),
    ),
    "K06": FaultPreset(says="the event loop wakes late", seconds=0.1, begin=_lag),
    "D01": FaultPreset(says="the journal's disk is slow", seconds=0.5, begin=_slow_disk),
    "R01": FaultPreset(says="a flash crash of a fifth", seconds=0, begin=_crash),
    "R02": FaultPreset(says="one-way flow fills our bids", seconds=2, begin=_toxic),
    "U02": FaultPreset(says="a person halts the market", seconds=0, begin=_halt, is_latched=True),
}
"""By id. `seconds` of K06 is how late, of D01 how old the oldest unsynced record becomes."""
