"""Interrupts a decision that does not end: a strategy in an endless loop must not hold the loop.

A thread looks at what the loop is doing; when one fact has been worked on for too long, a signal
raises `Hang` in the main thread, where the engine treats it like anything else a plugin raises.
Time is counted by the thread's own looks: on a host that stood still nobody decided too slowly.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from engine.values.units import Ns

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
        seen_ns, looks, is_struck = 0, 0, False
        while not self._over.wait(LOOK_S):
            since_ns = self._since_ns()
            if since_ns != seen_ns:
                seen_ns, looks, is_struck = since_ns, 0, False
            looks += 1
            if since_ns and not is_struck and looks * LOOK_S >= self._hang_s:
                is_struck = True
                signal.pthread_kill(self._main, SIGNAL)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        """Runs between two bytecodes of the main thread. A fact that has ended is left alone."""
        if self._since_ns():
            raise Hang(f"a decision did not end within {self._hang_s:g} s")
