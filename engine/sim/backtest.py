"""A recorded market, a simulated account and the very engine that trades live, on one clock.

Nothing here decides: public facts go into `Engine.process` at the moment at which this host learned
them, orders reach the venue later and its word comes back later still.
"""

import hashlib
from collections.abc import Callable, Iterable
from heapq import merge
from random import Random
from typing import Any

import msgspec

from engine.core import Engine
from engine.sim.account import Account
from engine.sim.clock import Clock
from engine.sim.kernel import Kernel
from engine.sim.kernel_block import Block, blocks_of
from engine.sim.kernel_lane import Lane
from engine.sim.kernel_run import KernelRun
from engine.sim.latency import Latency
from engine.sim.matching.terms import Match
from engine.sim.replay import outcome_of
from engine.sim.tally import MarketTally, Tally
from engine.sim.trail import Trail
from engine.values.commands import Command, Place
from engine.values.events import Alive, Connected, Disconnected, Event, OrderSent, Stream, Timer
from engine.values.step import Step
from engine.values.units import NS_PER_S, Ns

ALIVE_NS = NS_PER_S
HOLE_NS = 30 * NS_PER_S
"""A recording that is silent for so long has a hole: nobody vouches for the market then."""
BLOCK_ROWS = 20_000
NOT_MODELLED = (
    "Not modelled: what our own orders would have changed in the market, that is, other traders' "
    "answers to them; time-outs and lost messages."
)


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """`sample_ns` is the step of the equity curve. All chance comes from `seed`."""

    seed: int
    latency: Latency
    sample_ns: Ns = NS_PER_S


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What happened. `digest` hashes every decision: equal for equal runs."""

    began_ns: Ns
    ended_ns: Ns
    facts: int
    processed: int
    decided: int
    markets: dict[str, MarketTally]
    digest: str
    not_modelled: str = NOT_MODELLED


Watch = Callable[[Event, Step], None]


def merged(sources: Iterable[Iterable[Event]]) -> Iterable[Event]:
    """Several recordings on one clock, by the moment at which this host learned each fact."""
    return merge(*sources, key=lambda fact: fact.at_ns)


class Backtest:
    """`accounts` by venue; `watch` is told each fact and step. One object, one `run`."""

    def __init__(
        self,
        engine: Engine,
        accounts: dict[str, Account],
        params: Params,
        watch: Watch | None = None,
    ) -> None:
        self.engine = engine
        self.accounts = accounts
        self.clock = Clock()
        self._params = params
        self._watch = watch
        self._dice = Random(params.seed)
        self._facts = self._processed = self._decided = 0
        self._account_of = {m: each for each in accounts.values() for m in each.instruments}
        self._tallies = {
            market: Tally(
                account.instruments[market], account.books[market], account.base_atoms(market)
            )
            for market, account in self._account_of.items()
        }
        self._ways: dict[tuple[int, bool], Ns] = {}
        self._told_links: set[str] = set()
        self._told_ns = self._began_ns = 0
        self._opening: Iterable[Event] = ()
        self._kernel: Kernel | None = None
        self._digest = hashlib.blake2b(digest_size=8)

    def run(self, facts: Iterable[Event], opening: Iterable[Event] = ()) -> Result:
        """`facts` are public and in order of `at_ns`; `opening` is told first, at their start.

        Raises AssertionError where the parts disagree, which is always our own fault.
        """
        if self._watch is None:
            return self.run_blocks(blocks_of(facts, self.lanes, BLOCK_ROWS), opening)
        self._opening, ends_ns, feed_ns = opening, 0, self._params.latency.feed_ns
        for fact in facts:
            venue_ns = fact.at_ns - feed_ns
            if not ends_ns:
                self.begin(venue_ns)
            ends_ns = max(ends_ns, fact.at_ns)
            self.clock.pass_until(venue_ns)
            self.clock.pass_to(venue_ns)
            self.public(fact)
        self.clock.pass_until(ends_ns)
        return self._result()

    def run_blocks(self, blocks: Iterable[Block], opening: Iterable[Event] = ()) -> Result:
        """As `run`, over facts as columns, whose markets are `lanes`; tells no `watch`."""
        self._opening, self._kernel = opening, self.kernel_of()
        run = KernelRun(self._kernel, self.clock, self)
        for block in blocks:
            run.take(block)
        self.clock.pass_until(run.ends_ns)
        self._facts += self._kernel.facts
        self._processed += self._kernel.processed
        return self._result()

    def kernel_of(self) -> Kernel:
        """Joined to the parts of this run, at its start."""
        lanes = [
            Lane(market, self.engine, self._account_of[market], self._tallies[market])
            for market in self.lanes
        ]
        is_all = len(lanes) == len(self._tallies) == len(self.engine.makers)
        timer_ns = self.engine.params.timer_ns if is_all else 0
        return Kernel(lanes, self._params.latency.feed_ns, timer_ns)

    @property
    def lanes(self) -> list[str]:
        """The markets whose facts the kernel knows: those that are both traded and simulated."""
        return [market for market in self._tallies if market in self.engine.makers]

    @property
    def trails(self) -> dict[str, Trail]:
        """By market, for a tear sheet."""
        return {market: tally.trail for market, tally in self._tallies.items()}

    # --- the clock ------------------------------------------------------------------------------

    @property
    def now_ns(self) -> Ns:
        return self.clock.now_ns

    def begin(self, venue_ns: Ns) -> None:
        """The first fact is about to happen at the venue."""
        self._began_ns = venue_ns
        self.clock.pass_to(venue_ns)
        for fact in self._opening:
            self._hear(fact)
        for venue in self.accounts:
            for stream in Stream:
                self._hear(Connected(venue=venue, stream=stream, at_ns=self.now_ns))
        self.clock.tick_at(self.now_ns, self._tick)
        for act in (self._ping, self._sample):
            self.clock.at(self.now_ns, act, None)

    def _tick(self, _: Any) -> None:
        for tally in self._tallies.values():
            tally.on_time(self.now_ns)
        self.process(Timer(at_ns=self.now_ns))
        self.clock.tick_at(self.now_ns + self.engine.params.timer_ns, self._tick)

    def _ping(self, _: Any) -> None:
        """The wires live while the recording goes on; what it says of its own wires comes first."""
        told_ns = max(self._told_ns, self._kernel.told_ns if self._kernel else 0)
        for venue in self.accounts:
            self.process(Alive(venue=venue, stream=Stream.PRIVATE, at_ns=self.now_ns))
            if self.now_ns - told_ns < HOLE_NS and venue not in self._told_links:
                self.process(Alive(venue=venue, stream=Stream.PUBLIC, at_ns=self.now_ns))
        self.clock.at(self.now_ns + ALIVE_NS, self._ping, None)

    def _sample(self, _: Any) -> None:
        for tally in self._tallies.values():
            tally.sample(self.now_ns)
        self.clock.at(self.now_ns + self._params.sample_ns, self._sample, None)

    # --- the market -----------------------------------------------------------------------------

    def public(self, fact: Event) -> None:
        """It happens at the venue now; we hear of it when the recording says so."""
        self._facts += 1
        self._told_ns = self.now_ns
        if isinstance(fact, Connected | Disconnected | Alive):
            self._told_links.add(fact.venue)
        account = self._account_of.get(getattr(fact, "market", ""))
        if account is not None:
            told = account.public(fact, self.now_ns)
            self._tallies[fact.market].on_market(self.now_ns)  # type: ignore[union-attr]
            if told:
                self._respond(account, told)
        feed_ns = self._params.latency.feed_ns
        if feed_ns:
            self.clock.at(self.now_ns + feed_ns, self.process, fact)
        else:
            self.process(fact)

    def matched(self, market: str, matches: Iterable[Match]) -> None:
        """The market has just filled our orders."""
        account = self._account_of[market]
        self._respond(account, account.matched(market, matches, self.now_ns))

    # --- orders ---------------------------------------------------------------------------------

    def _send(self, command: Command) -> None:
        account = self._account_of[command.market]
        self._tallies[command.market].on_command(command)
        if isinstance(command, Place):
            sent = OrderSent(market=command.market, client_id=command.client_id, at_ns=self.now_ns)
            self.clock.at(self.now_ns, self._hear, sent)
        delay_ns = self._params.latency.up.ns(self.now_ns, self._dice)
        self.clock.at(self._in_turn(account, True, delay_ns), self._arrive, command)

    def _arrive(self, command: Command) -> None:
        account = self._account_of[command.market]
        self._respond(account, account.execute(command, self.now_ns))

    def _respond(self, account: Account, facts: list[Event]) -> None:
        """The venue's words keep their order on the way."""
        delay_ns = self._params.latency.down.ns(self.now_ns, self._dice)
        at_ns = self._in_turn(account, False, delay_ns)
        for fact in facts:
            self._tallies[fact.market].on_venue(fact)  # type: ignore[union-attr]
            self.clock.at(at_ns, self._hear, fact)

    def _in_turn(self, account: Account, is_up: bool, delay_ns: Ns) -> Ns:
        """One wire each way: what left later arrives no sooner."""
        way = id(account), is_up
        self._ways[way] = max(self.now_ns + delay_ns, self._ways.get(way, 0))
        return self._ways[way]

    # --- the engine -----------------------------------------------------------------------------

    def _hear(self, fact: Event) -> None:
        """A private fact, stamped with the moment at which this host learns it."""
        self.process(msgspec.structs.replace(fact, at_ns=self.now_ns))

    def process(self, fact: Event) -> None:
        self._processed += 1
        step = self.engine.process(fact)
        if self._watch is not None:
            self._watch(fact, step)
        if step.records or step.commands:
            self._heed(step)

    def _heed(self, step: Step) -> None:
        self._decided += bool(step.decided)
        self._digest.update(outcome_of(step))
        if step.decided in self._tallies:
            self._tallies[step.decided].on_step(step)
        for command in step.commands:
            self._send(command)

    def _result(self) -> Result:
        for tally in self._tallies.values():
            tally.sample(self.now_ns)
        return Result(
            began_ns=self._began_ns,
            ended_ns=self.now_ns,
            facts=self._facts,
            processed=self._processed,
            decided=self._decided,
            markets={market: tally.told for market, tally in self._tallies.items()},
            digest=self._digest.hexdigest(),
        )
