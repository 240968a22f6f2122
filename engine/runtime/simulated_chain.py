"""The simulated chain behind the port that a real one fulfils, with a clock and a line that fails.

`is_silent` makes the node answer nothing: an order may or may not have arrived then, and says
Unknown. Nothing of it is random but what the chain's own seed decides.
"""

from collections.abc import Callable

from engine.sim.chain import SimulatedChain
from engine.values.action_words import Coins
from engine.values.chain_words import ChainOrder, ChainReceipt, ChainReward, Position
from engine.values.errors import Unknown
from engine.values.units import Ns

SILENT = "the node does not answer"


class SimulatedNode:
    """Fulfils `ports.Chain`. `arrives_in_silence`: whether what is sent then gets there."""

    def __init__(self, chain: SimulatedChain, now_ns: Callable[[], Ns]) -> None:
        self.chain = chain
        self.is_silent = False
        self.arrives_in_silence = True
        self._now_ns = now_ns

    def __repr__(self) -> str:
        return f"<node {'silent ' if self.is_silent else ''}{self.chain}>"

    async def send(self, order: ChainOrder) -> None:
        if not self.is_silent or self.arrives_in_silence:
            self.chain.send(order, self._now_ns())
        self._answer()

    async def found(self, reference: str) -> ChainReceipt | None:
        self._answer()
        return self.chain.receipt(reference, self._now_ns())

    async def positions(self) -> list[Position]:
        self._answer()
        return self.chain.positions(self._now_ns())

    async def balances(self) -> list[Coins]:
        self._answer()
        return self.chain.balances(self._now_ns())

    async def rewards(self) -> list[ChainReward]:
        self._answer()
        return self.chain.rewards(self._now_ns())

    def _answer(self) -> None:
        if self.is_silent:
            raise Unknown(SILENT, code="silent")
