"""The engine's own part in a pure quarter: each day's look at the floats, and what it asks for."""

from engine.sim.quarter_rules import Rules
from engine.sim.quarter_setup import BTT
from engine.sim.quarter_staff import Staff
from engine.sim.quarter_world import World
from engine.treasury.rebalance import Rebalancer
from engine.values.action_words import Action, Initiator
from engine.values.rebalance_records import BandZone

HOURS = 20


class Excess:
    def __init__(self, world: World, staff: Staff, rules: Rules) -> None:
        self._world, self._staff, self._rules = world, staff, rules
        self._rebalancer = Rebalancer(world.setup.rebalance)

    def daily(self) -> None:
        """What is over its band is to be sold, what is under it is filled by people."""
        world = self._world
        scores = {params.asset: world.treasury.score(params.asset) for params in world.setup.scores}
        look = self._rebalancer.look(world.treasury.holdings.facts(), scores)
        world.keep(*look.records)
        for draft in look.drafts:
            band = draft.band
            if draft.action is not None and not self._staff.is_waiting("excess"):
                self._ask(draft.action)
            elif band.zone is BandZone.UNDER and band.asset == BTT:
                self._rules.fill(band.venue, band.target_atoms - band.held_atoms)

    def _ask(self, action: Action) -> None:
        terms = ("reserve", "excess", "over the upper band")
        request = self._staff.request(("engine", Initiator.ENGINE), action, terms, HOURS)
        step = self._world.desk.ask(request)
        self._world.take(step)
        self._staff.note(request.name, step.records)
