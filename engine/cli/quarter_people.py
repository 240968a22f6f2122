"""The people of a live quarter: rules of the pure one, and what only a running engine needs."""

from typing import Any

from engine.cli.quarter_ground import LiveGround
from engine.runtime.operating import Operating
from engine.sim.quarter_rules import OTTO, Rules
from engine.sim.quarter_setup import BTT
from engine.sim.quarter_staff import Staff
from engine.treasury.execution import Parent
from engine.treasury.execution_life import HANDED_OVER
from engine.treasury.proposals import Status
from engine.treasury.rebalance import bands
from engine.values.action_words import Scope, StopActions, WidenLimit
from engine.values.rebalance_records import BandZone

WHO = "otto"
HOURS = 24
ROUNDS_MAX = 8
"""A signature a round: more than that is nobody's doing."""
TURNOVER_SPENT = "the daily turnover cap is spent"
AT_WORK = frozenset({Status.APPROVED, Status.EXECUTING, Status.UNKNOWN})


class People:
    """Ask, sign, see to what the engine hands over, and let go of what froze."""

    def __init__(self, ground: LiveGround) -> None:
        self.ground = ground
        self.staff = Staff(ground)
        self.rules = Rules(ground, self.staff)
        self.frozen: list[str] = []
        self._given_back: set[str] = set()

    async def speak(self) -> None:
        """Bring words until nobody has another, then carry out what people carry out."""
        for _ in range(ROUNDS_MAX):
            self.staff.sign_all()
            if not await self.ground.said():
                break
        await self.carry_out()

    async def carry_out(self) -> None:
        facts, driver = self.ground.treasury.holdings.facts(), self.ground.driver
        for asset in facts.scheme.assets:
            price = facts.price(asset)
            if price is not None:
                driver.desk.price(price)
        await driver.carry_out()

    def fill_floats(self) -> None:
        """What the engine only warns of: a float under its band is filled from the wallet."""
        for band in bands(self.ground.treasury.holdings.facts()):
            if band.zone is BandZone.UNDER and band.asset == BTT:
                self.rules.fill(band.venue, band.target_atoms - band.held_atoms)

    def let_go(self) -> None:
        """Switches of venues that are back go off; what was handed over is given back once."""
        ground = self.ground
        for venue in ground.released:
            if venue in ground.stopped:
                self._widen(f"switch venue {venue}", ("on", "off"), "it answers again")
        ground.released.clear()
        for parent in self.handed_over():
            self._see_to(parent)

    def handed_over(self) -> list[Parent]:
        desk = self.ground.engine.conversions.desk
        return [one for one in desk.parents.values() if one.state is HANDED_OVER]

    def _see_to(self, parent: Parent) -> None:
        name = parent.plan.parent
        if self.staff.is_waiting("policy"):
            return
        if name not in self._given_back:
            self._given_back.add(name)
            self._widen(f"conversion {name}", ("handed over", "working"), parent.why[:100])
        else:
            stop = StopActions(scope=Scope.ACTION, name=name)
            self.staff.asks(OTTO, stop, ("reserve", "policy", "twice handed over"), HOURS)

    def _widen(self, limit: str, way: tuple[str, str], why: str) -> None:
        action = WidenLimit(limit=limit, was=way[0], becomes=way[1])
        self.staff.asks(OTTO, action, ("reserve", "policy", why), HOURS)

    async def thaw(self) -> None:
        """A market that waits for a person gets one, who writes down why it waited."""
        engine = self.ground.engine
        operating = Operating(engine.live, "quarter", "demo")
        for market, maker in engine.makers.items():
            why = maker.standing.frozen or maker.standing.halted
            if why:
                self.frozen.append(f"{market}: {why}")
                args: dict[str, Any] = {
                    "symbol": market, "who": WHO, "reason": f"looked at: {why}"[:200]
                }  # fmt: skip
                await operating.handle("resume", args)

    async def halt(self, reason: str) -> None:
        """The word of a person for every market."""
        operating = Operating(self.ground.engine.live, "quarter", "demo")
        await operating.handle("halt", {"who": WHO, "reason": reason})

    # --- is anything left to do? ----------------------------------------------------------------

    def is_calm(self) -> bool:
        """Nothing is at work in the engine but what it handed over, or must leave for a day."""
        work, desk = self.ground.engine.work, self.ground.engine.conversions.desk
        waiting = {
            name
            for name, one in desk.parents.items()
            if one.state is HANDED_OVER or one.why == TURNOVER_SPENT
        }
        busy = [
            one
            for one in work.actions.desk.proposals.all()
            if one.status in AT_WORK and one.digest[:16] not in waiting
        ]
        return not busy and not self.ground.engine.live.inbox
