"""Two connections with the same streams: is the new one as good as the old, and what is left over?

While both are up only the old one is heard; frames of the new one are held. Ids tell where they
join: the new one's depth is proved for a symbol as soon as a message of it follows on, or repeats,
what the old one has brought. Then the old one may go, and what is held and newer is heard.
"""

from collections import deque

import msgspec

HELD_MAX = 20_000


class Key(msgspec.Struct, frozen=True):
    """What a market frame is about, whatever else is in it."""

    symbol: str = msgspec.field(name="s", default="")
    first_id: int = msgspec.field(name="U", default=-1)
    last_id: int = msgspec.field(name="u", default=-1)
    trade_id: int = msgspec.field(name="t", default=-1)

    @property
    def stream(self) -> tuple[str, str]:
        if self.first_id >= 0:
            return "depth", self.symbol
        return ("trade" if self.trade_id >= 0 else "ticker"), self.symbol

    @property
    def id(self) -> int:
        return max(self.last_id, self.trade_id)


class Handover:
    """`passed` is, by symbol, up to which update the books to be handed over are proved."""

    def __init__(self, passed: dict[str, int]) -> None:
        self._passed = {("depth", symbol): number for symbol, number in passed.items()}
        self._wanted = set(passed)
        self._active: set[str] = set()
        self._joined: set[str] = set()
        self._first: dict[str, int] = {}
        """The first update of each symbol on the new connection; from there on it is dense."""
        self._held: deque[tuple[Key, bytes]] = deque()
        self._decoder = msgspec.json.Decoder(Key)

    @property
    def is_proved(self) -> bool:
        """Every book has been seen to go on."""
        return self._wanted <= self._joined

    @property
    def is_proved_where_anything_moved(self) -> bool:
        return self._active <= self._joined

    @property
    def is_too_much(self) -> bool:
        return len(self._held) > HELD_MAX

    def saw_old(self, frame: bytes) -> None:
        """A frame of the old connection, which has been heard."""
        key = self._key(frame)
        if key is None:
            return
        self._passed[key.stream] = max(self._up_to(key), key.id)
        self._join(key)
        while self._held and self._held[0][0].id <= self._up_to(self._held[0][0]):
            self._held.popleft()

    def saw_new(self, frame: bytes) -> None:
        """A frame of the new connection, to be held."""
        key = self._key(frame)
        if key is None:
            return
        self._held.append((key, frame))
        if key.first_id >= 0:
            self._first.setdefault(key.symbol, key.first_id)
        self._join(key)

    def rest(self) -> list[bytes]:
        """What the new connection brought and the old one did not, in order."""
        return [frame for key, frame in self._held if key.id > self._up_to(key)]

    def _up_to(self, key: Key) -> int:
        return self._passed.get(key.stream, -1)

    def _join(self, key: Key) -> None:
        """New depth that repeats or follows on what has passed proves its symbol."""
        if key.first_id < 0:
            return
        self._active.add(key.symbol)
        passed = self._passed.get(key.stream)
        first_id = self._first.get(key.symbol)
        if passed is not None and first_id is not None and first_id <= passed + 1:
            self._joined.add(key.symbol)

    def _key(self, frame: bytes) -> Key | None:
        try:
            key = self._decoder.decode(frame)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return key if key.symbol and key.id >= 0 else None
