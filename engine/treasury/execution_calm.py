"""How long a trouble lasts, and for how long there has been none: what pauses a parent, and what
only delays its next child."""

from engine.values.units import NS_PER_S, Ns


class Patience:
    """Told at each look what is wrong. A doubt that settles within `stale_s` is none: on a busy
    host one of 100 ms comes every few seconds, and a pause that each began anew would never end."""

    def __init__(self, stale_s: int, pause_s: int) -> None:
        self._stale_ns = stale_s * NS_PER_S
        self._pause_s = pause_s
        self._why = ""
        self._since_ns: Ns = 0
        self._calm_ns: Ns = 0

    def begin(self, at_ns: Ns, *, is_working: bool) -> None:
        """A move of the parent: calm is counted from then on. One that works again is looked at
        anew, and what was wrong before a person had it is forgotten."""
        self._calm_ns = at_ns
        if is_working:
            self._why = ""

    def heed(self, why: str, now_ns: Ns, *, may_settle: bool) -> bool:
        """Whether this is a trouble that pauses; "" is none. What stands before the colon is its
        name, so that the numbers after it may change."""
        if why.partition(":")[0] != self._why.partition(":")[0]:
            self._since_ns = now_ns
        self._why = why
        is_long = now_ns - self._since_ns >= self._stale_ns
        is_serious = bool(why) and (is_long or not may_settle)
        if is_serious:
            self._calm_ns = now_ns
        return is_serious

    def is_over(self, now_ns: Ns) -> bool:
        """Whether it has been calm for long enough, and is now."""
        return not self._why and now_ns - self._calm_ns >= self._pause_s * NS_PER_S

    def told(self, now_ns: Ns, paused_for: str) -> str:
        """What is wrong now, and for how long; "" where nothing is and nothing is paused."""
        if self._why:
            return f"{self._why}, for {(now_ns - self._since_ns) // NS_PER_S} s"
        if not paused_for:
            return ""
        calm_s = (now_ns - self._calm_ns) // NS_PER_S
        return f"calm for {calm_s} of {self._pause_s} s, after: {paused_for}"
