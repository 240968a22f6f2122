"""Interrupts a decision that does not end: a strategy in an endless loop must not hold the loop.

A thread looks at what the loop is doing; when one fact has been worked on for too long, a signal
raises `Hang` in the main thread, where the engine treats it like anything else a plugin raises.
"""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType

from engine.values.units import NS_PER_S, Ns

SIGNAL = signal.SIGUSR1
LOOK_S = 0.05


class Hang(Exception):
    """Deciding took longer than any decision may."""


class HangGuard:
    """Watches `since_ns`, the monotonic moment at which the present fact was taken, 0 for none.

    A context manager, to be entered on the main thread only: signals are delivered there. C code
    that never returns to the interpreter is beyond its reach; the watchdog is for that.
    """

    def __init__(self, since_ns: Callable[[], Ns], hang_s: float) -> None:
        self._since_ns = since_ns
        self._hang_ns = int(hang_s * NS_PER_S)
        self._hang_s = hang_s
        self._over = threading.Event()
        self._main = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="hang guard", daemon=True)

    def __enter__(self) -> "HangGuard":
        signal.signal(SIGNAL, self._raise)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        signal.signal(SIGNAL, signal.SIG_IGN)

    def _watch(self) -> None:
        struck_ns = 0
        while not self._over.wait(LOOK_S):
            since_ns = self._since_ns()
            is_hanging = since_ns and time.perf_counter_ns() - since_ns > self._hang_ns
            if is_hanging and since_ns != struck_ns:
                struck_ns = since_ns
                signal.pthread_kill(self._main, SIGNAL)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        """Runs between two bytecodes of the main thread. A fact that has ended is left alone."""
        if self._since_ns():
            raise Hang(f"a decision did not end within {self._hang_s:g} s")
