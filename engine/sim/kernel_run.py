"""Takes blocks of rows through the kernel, and whatever it stops at to those who answer it."""

from collections.abc import Iterable
from typing import Protocol

from engine.sim.clock import Clock
from engine.sim.kernel import DUE, ENDED, HEARD, MATCHED, Kernel
from engine.sim.kernel_block import Block
from engine.sim.matching.terms import Match
from engine.values.events import Event
from engine.values.units import Ns


class Answers(Protocol):
    """Who does in Python what the kernel leaves."""

    def begin(self, venue_ns: Ns) -> None:
        """The first row is about to happen."""
        ...

    def public(self, fact: Event) -> None:
        """A fact happens at the venue and is sent on its way."""
        ...

    def matched(self, market: str, matches: Iterable[Match]) -> None:
        """A row has filled our orders."""
        ...

    def process(self, fact: Event) -> None:
        """A fact reaches the engine."""
        ...


class KernelRun:
    """One run over blocks in order, on a clock that also holds all that is not in them."""

    def __init__(self, kernel: Kernel, clock: Clock, answers: Answers) -> None:
        self.kernel = kernel
        self.ends_ns: Ns = 0
        self._clock = clock
        self._answers = answers

    def take(self, block: Block) -> None:
        """All of a block happens; what of it is still on its way is planned like anything else."""
        kernel, clock = self.kernel, self._clock
        if not self.ends_ns:
            first_ns = block.columns.at_ns[0] - kernel.feed_ns
            clock.pass_to(first_ns)
            self._answers.begin(first_ns)
        self.ends_ns = block.columns.at_ns[len(block) - 1]
        kernel.load(block)
        stop = -1
        while stop != ENDED:
            kernel.count = clock.count
            kernel.tick_ns, kernel.tick_turn = clock.tick
            stop = kernel.advance(*clock.due)
            clock.count = kernel.count
            clock.tick = kernel.tick_ns, kernel.tick_turn
            self._answer(stop, block)
        for row in range(kernel.heard, len(block)):
            turn = block.turns[row]
            if turn:
                clock.at_turn(
                    block.columns.at_ns[row], turn, self._answers.process, block.fact(row)
                )

    def _answer(self, stop: int, block: Block) -> None:
        kernel, clock = self.kernel, self._clock
        if stop == DUE:
            clock.step()
            return
        clock.pass_to(kernel.now_ns)
        if stop == ENDED:
            return
        if stop == HEARD:
            self._answers.process(block.fact(kernel.row))
        elif stop == MATCHED:
            assert kernel.lane is not None
            self._answers.matched(kernel.lane.market, kernel.matches)
            kernel.count = clock.count
            kernel.send()
            clock.count = kernel.count
        else:
            self._answers.public(block.fact(kernel.row))
            kernel.skip()
