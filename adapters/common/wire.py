"""Where the raw public frames of a feed can be heard as they come, before anything reads them."""

from collections.abc import Callable
from typing import TypeAlias

from engine.values.units import Ns

Wire: TypeAlias = Callable[[Ns, str, bytes], None]
"""Takes the moment of receipt, a stream's name and the bytes; must not raise.

In the order in which the codec is given them. Streams are `public:VENUE` (a frame of the public
socket), `depth:MARKET` (the body of a REST snapshot, which names no market itself) and `lost:VENUE`
(the connection is gone; the bytes say why).
"""

PUBLIC, DEPTH, LOST = "public", "depth", "lost"


def stream(kind: str, whose: str) -> str:
    return f"{kind}:{whose}"
