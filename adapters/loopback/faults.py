"""Scripted faults by their ids: when each begins, how often it strikes, what it struck."""

from collections.abc import Callable

import msgspec

from engine.values.errors import UserError
from engine.values.units import NS_PER_S, Ns

_COMMON = ("symbol", "count", "for")
OPTIONS: dict[str, tuple[str, ...]] = {
    "F01": ("stream",),
    "F02": ("stream",),
    "F03": ("stream",),
    "F04": (),
    "F08": ("stream",),
    "F09": (),
    "F10": (),
    "F13": ("stream", "kind", "keep"),
    "O02": ("on", "how"),
    "O03": ("on", "how"),
    "O04": ("on", "answer", "execute"),
    "O08": (),
    "O15": ("retry", "before_ban", "ban"),
    "P01": ("fills", "account"),
    "P02": ("times",),
}
LASTING = ("F09", "F10", "P01")
"""These go on for their `for`, or until they are healed; the others strike `count` times."""


class Fault(msgspec.Struct, kw_only=True):
    """One line of a script. `left` is how often it will still strike; -1 is for ever."""

    fault_id: str
    at_ns: Ns
    for_ns: Ns = 0
    symbol: str = ""
    left: int = 1
    options: dict[str, str] = {}

    def option(self, name: str, default: str) -> str:
        return self.options.get(name, default)

    def number(self, name: str, default: int) -> int:
        text = self.options.get(name, str(default))
        return int(text)


class Faults:
    """What is planned, what is on, and a log of every strike as (moment, id, what)."""

    def __init__(self, clock: Callable[[], Ns]) -> None:
        self._clock = clock
        self._planned: list[Fault] = []
        self._active: list[Fault] = []
        self._on_start: list[Callable[[Fault], None]] = []
        self.log: list[tuple[Ns, str, str]] = []

    def plan(self, faults: list[Fault], start_ns: Ns) -> None:
        """A script's moments count from `start_ns`."""
        for fault in faults:
            fault.at_ns += start_ns
            self._planned.append(fault)

    def on_start(self, act: Callable[[Fault], None]) -> None:
        """Somebody who acts at the moment when a fault begins."""
        self._on_start.append(act)

    def inject(self, fault_id: str, **options: object) -> Fault:
        """Begin a fault now. Options as in a script; `for` is given as `for_s`."""
        texts = {name.removesuffix("_s"): str(value) for name, value in options.items()}
        fault = _built(fault_id, self._clock(), texts)
        self._start(fault)
        return fault

    def heal(self, fault_id: str = "") -> None:
        """End a fault, or all of them; those planned for later stay planned."""
        self._active = [f for f in self._active if fault_id and f.fault_id != fault_id]

    def advance(self, now_ns: Ns) -> None:
        """Begin what is due, end what is over."""
        due = [fault for fault in self._planned if fault.at_ns <= now_ns]
        self._planned = [fault for fault in self._planned if fault.at_ns > now_ns]
        for fault in due:
            self._start(fault)
        self._active = [f for f in self._active if not f.for_ns or now_ns < f.at_ns + f.for_ns]

    def is_on(self, fault_id: str, symbol: str = "") -> bool:
        return self._find(fault_id, symbol) is not None

    def strike(self, fault_id: str, symbol: str, what: str) -> Fault | None:
        """The fault that strikes here, counted and logged, or None."""
        fault = self._find(fault_id, symbol)
        return None if fault is None else self.struck(fault, what)

    def struck(self, fault: Fault, what: str) -> Fault:
        self.log.append((self._clock(), fault.fault_id, what))
        if fault.fault_id not in LASTING and fault.left > 0:
            fault.left -= 1
            if not fault.left:
                self._active.remove(fault)
        return fault

    def active(self, fault_id: str) -> list[Fault]:
        return [fault for fault in self._active if fault.fault_id == fault_id]

    def _find(self, fault_id: str, symbol: str) -> Fault | None:
        for fault in self._active:
            is_here = not fault.symbol or not symbol or fault.symbol == symbol
            if fault.fault_id == fault_id and is_here:
                return fault
        return None

    def _start(self, fault: Fault) -> None:
        self._active.append(fault)
        for act in self._on_start:
            act(fault)


def read_script(text: str) -> list[Fault]:
    """`F01@5s:count=2,symbol=BTTUSDT;O02@10s`: moments count from the start of the venue.

    Raises UserError that names the part which cannot be read.
    """
    return [_read_one(part.strip()) for part in text.split(";") if part.strip()]


def _read_one(part: str) -> Fault:
    head, _, tail = part.partition(":")
    fault_id, _, at = head.partition("@")
    options: dict[str, str] = {}
    for pair in filter(None, tail.split(",")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"--fault {part!r}: {pair!r} is not name=value")
        options[name.strip()] = value.strip()
    return _built(fault_id.strip(), _span_ns(at or "0s", part), options)


def _built(fault_id: str, at_ns: Ns, options: dict[str, str]) -> Fault:
    if fault_id not in OPTIONS:
        raise UserError(f"--fault: {fault_id!r} is none of {', '.join(OPTIONS)}")
    unknown = set(options) - set(_COMMON) - set(OPTIONS[fault_id])
    if unknown:
        raise UserError(f"--fault {fault_id}: unknown option {sorted(unknown)[0]!r}")
    count = options.pop("count", "1")
    if not count.isdigit():
        raise UserError(f"--fault {fault_id}: count={count!r} is not a whole number")
    for_text = options.pop("for", "0")
    return Fault(
        fault_id=fault_id,
        at_ns=at_ns,
        for_ns=_span_ns(for_text, fault_id),
        symbol=options.pop("symbol", ""),
        left=int(count) or -1,
        options=options,
    )


def _span_ns(text: str, where: str) -> Ns:
    number = text.removesuffix("ms") if text.endswith("ms") else text.removesuffix("s")
    unit_ns = NS_PER_S // 1000 if text.endswith("ms") else NS_PER_S
    try:
        return int(float(number) * unit_ns)
    except (ValueError, OverflowError):
        raise UserError(f"--fault {where!r}: {text!r} is not a time like 5s or 200ms") from None
