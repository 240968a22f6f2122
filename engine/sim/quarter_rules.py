"""What the people and the engine of the quarter do each day, by the policy: no forecast is read."""

from engine.sim.quarter_buffer import missing_buffer
from engine.sim.quarter_ground import Ground
from engine.sim.quarter_setup import (
    ALPHA,
    BETA,
    BTT,
    CUSTODY,
    ONE,
    USDD,
    USDT,
    WALLET,
)
from engine.sim.quarter_staff import Staff
from engine.sim.quarter_world import WHO
from engine.treasury.dates import NS_PER_DAY, NS_PER_H, day_of
from engine.treasury.facts import Facts
from engine.treasury.ladder import solve
from engine.treasury.ladder_plan import actions_of
from engine.treasury.ladder_sources import ladder_of
from engine.values.action_words import (
    Coins,
    Convert,
    EmergencySale,
    Override,
    Scope,
    Stake,
    StopActions,
    Transfer,
    Trigger,
    WidenLimit,
)
from engine.values.ledger_words import Paid
from engine.values.treasury_words import Lock, LockKind, Measure, ObligationPaid
from engine.values.units import PPM, Atoms, Ns

PART: Atoms = 60_000_000 * ONE
CONVERT_MIN: Atoms = 4_000_000 * ONE
STAKE: Atoms = 200_000_000 * ONE
NOTICE_H = 168
WORST_PPM = 80_000
PEG_ALARM_PPM = 980_000
KEEP: Atoms = 45 * ONE
"""More money than this at a venue goes to the custodian, who pays."""
LEAST_MOVED: Atoms = 5 * ONE
LADDER_DAYS = 3
LADDER_EVERY_DAYS, REHEARSED = 7, 60 * ONE
"""Once a week the ladder is asked how it would raise so much by tomorrow; nothing is done."""
UNKNOWN_LOCK = "beta does not answer"
ANNA, FAY, OTTO = "anna", "fay", "otto"


class Rules:
    def __init__(self, world: Ground, staff: Staff) -> None:
        self._world = world
        self._staff = staff
        self._is_peg_told = False
        self.paid: dict[str, Ns] = {}
        self.ladders: list[str] = []

    # --- at the beginning of a day --------------------------------------------------------------

    def pay(self) -> None:
        """Everything that is due, in order of date; what cannot be paid yet stays owed."""
        world = self._world
        due = [row for row in world.owed.values()
               if row.due <= day_of(world.now_ns) and row.name not in self.paid]  # fmt: skip
        for row in sorted(due, key=lambda row: (row.due, row.name)):
            places = self._places(row.asset, row.atoms)
            if not places:
                continue
            for number, (place, atoms) in enumerate(places, start=1):
                world.move(place, row.asset, -atoms)
                ref = row.name if len(places) == 1 else f"{row.name} ({number})"
                world.keep(
                    Paid(venue=place, at_ns=world.now_ns, ref=ref, asset=row.asset, atoms=atoms,
                         fee_atoms=0, counterparty=row.name.split()[0], function=row.function)
                )  # fmt: skip
                world.tell_balances(place)
            self.paid[row.name] = world.now_ns
            fact = ObligationPaid(at_ns=world.now_ns, who=WHO, name=row.name, reason="due")
            world.tell(fact, f"payment of {row.name}")

    def _places(self, asset: str, atoms: Atoms) -> list[tuple[str, Atoms]]:
        """Where it is paid from: the wallet and the custodian first; nothing if it is not there."""
        world, left, found = self._world, atoms, []
        for place in (WALLET, CUSTODY, ALPHA, BETA):
            if world.is_down(place):
                continue
            part = min(left, world.held.get((place, asset), 0))
            if part > 0:
                found.append((place, part))
                left -= part
        return [] if left else found

    # --- once a day -----------------------------------------------------------------------------

    def daily(self) -> None:
        """In this order, each on the facts as they are then; the engine's own look came first."""
        self._review()
        self._collect()
        self._stake()
        if self._world.day % LADDER_EVERY_DAYS == 0:
            self._rehearse()
        self._staff.hand_in()

    def fill(self, venue: str, atoms: Atoms) -> None:
        """A float that is under its band gets what it lacks from the wallet."""
        if self._world.is_down(venue) or self._staff.is_waiting("shortfall"):
            return
        atoms = min(atoms, self._world.held[WALLET, BTT]) // ONE * ONE
        self._transfer((WALLET, venue), BTT, atoms, ("reserve", "shortfall", "under the band"))

    def _review(self) -> None:
        """A price that doubled: two people look at the limits that were made at the old one."""
        for review in self._world.treasury.limits.reviews.values():
            if not self._staff.is_waiting("policy"):
                was, now = (f"{p.money_atoms}/{p.base_atoms}" for p in (review.was, review.now))
                action = WidenLimit(limit=f"price of {review.asset}", was=was, becomes=now)
                terms = ("reserve", "policy", "the price doubled")
                self._staff.asks(ANNA, action, terms, 48)

    def _buffer(self) -> None:
        """Before the stable buffer is passed: sell what lies idle at a venue, or bring some."""
        facts = self._world.treasury.holdings.facts()
        missing, price = missing_buffer(facts, self._world.setup.rows), facts.price(BTT)
        if missing <= 0 or price is None or self._staff.is_waiting("buffer", "stock"):
            return
        wanted = min(PART, missing * price.base_atoms // price.money_atoms)
        wanted = max(CONVERT_MIN, wanted // ONE * ONE)
        idle = {
            venue: self._idle(facts, venue)
            for venue in (ALPHA, BETA)
            if venue not in self._world.stopped and not self._world.is_down(venue)
        }
        best = max(idle, key=lambda venue: idle[venue])
        if idle[best] < CONVERT_MIN:
            terms = ("reserve", "stock", "to be converted for the buffer")
            self._transfer((WALLET, best), BTT, PART, terms)
            return
        atoms = min(wanted, idle[best])
        least = price.worth_atoms(atoms) * (PPM - WORST_PPM) // PPM
        action = Convert(
            sell=_coins(BTT, atoms), least=_coins(USDT, least), venues=[best],
            until_ns=self._world.now_ns + NS_PER_DAY,
        )  # fmt: skip
        self._staff.asks(ANNA, action, ("reserve", "buffer", "the stable buffer gets low"), 48)

    def _idle(self, facts: Facts, venue: str) -> Atoms:
        """What lies there and is not the market maker's."""
        return facts.held.get((venue, BTT), 0) - facts.working.get((venue, BTT), 0)

    def _collect(self) -> None:
        """Money that venues brought goes to where bills are paid."""
        world = self._world
        for venue in (ALPHA, BETA):
            spare = (world.held[venue, USDT] - KEEP) // ONE * ONE
            is_up, code = not world.is_down(venue), f"collect {venue}"
            if spare >= LEAST_MOVED and is_up and not self._staff.is_waiting(code):
                terms = ("reserve", code, "bills are paid from the custodian")
                self._transfer((venue, CUSTODY), USDT, spare, terms)

    def _stake(self) -> None:
        """Once, from what exceeds the needs of 45 days."""
        world = self._world
        rooms = [one.room.atoms or 0 for one in world.treasury.limits.findings
                 if one.measure is Measure.STAKED]  # fmt: skip
        if world.day == world.setup.stake_day and min(rooms, default=0) >= STAKE:
            action = Stake(
                coins=_coins(BTT, STAKE), platform=WALLET, address="stake", notice_ns=NOTICE_H
                * NS_PER_H,
            )  # fmt: skip
            self._staff.asks(FAY, action, ("reserve", "yield", "surplus of 45 days"), 48)

    def _transfer(
        self, way: tuple[str, str], asset: str, atoms: Atoms, terms: tuple[str, str, str]
    ) -> None:
        if atoms <= 0:
            return
        action = Transfer(
            coins=_coins(asset, atoms), from_place=way[0], to_place=way[1], network="tron",
            address=way[1].replace(" ", "-"), memo="",
        )  # fmt: skip
        self._staff.asks(OTTO, action, terms, 48)

    # --- at every step --------------------------------------------------------------------------

    def watch(self) -> None:
        """What cannot wait for a day: a venue that is gone, a peg that breaks, the buffer."""
        self._outage()
        self._peg()
        self._buffer()

    def _outage(self) -> None:
        world = self._world
        is_known = any(lock.name == UNKNOWN_LOCK for lock in world.locks)
        if world.is_down(BETA) and not is_known:
            first, last = world.setup.outage
            unwind_ns = (last - first) * NS_PER_DAY
            halt = Lock(name=UNKNOWN_LOCK, kind=LockKind.HALTED, place=BETA, asset="", atoms=0,
                        unwind_ns=unwind_ns, until_ns=0)  # fmt: skip
            world.lock([*world.locks, halt])
            stop = StopActions(scope=Scope.VENUE, name=BETA)
            self._override(Trigger.EXCHANGE_OUTAGE, BETA, OTTO, stop)
            self._climb()
        elif is_known and not world.is_down(BETA):
            world.lock([lock for lock in world.locks if lock.name != UNKNOWN_LOCK])
            world.release(BETA)

    def _climb(self) -> None:
        """The ladder for what money is due soon and cannot be reached; most often nothing is."""
        world = self._world
        facts = world.treasury.holdings.facts()
        deadline_ns = world.now_ns + LADDER_DAYS * NS_PER_DAY
        due = sum(row.atoms for row in facts.obligations
                  if row.asset == USDT and row.due <= day_of(deadline_ns))  # fmt: skip
        there = sum(atoms for (place, asset), atoms in world.held.items()
                    if asset == USDT and not world.is_down(place))  # fmt: skip
        missing = max(0, due - there)
        ladder = ladder_of(facts, world.setup.emergency)
        plan = solve(ladder, missing, deadline_ns)
        self.ladders.append(f"{missing} missing, {plan.raised} raised, gap {plan.gap}")
        for action in actions_of(facts, plan, world.setup.emergency):
            if isinstance(action, EmergencySale):
                terms = ("reserve", "outage", "money is missing by a due date")
                self._staff.asks(OTTO, action, terms, 48)

    def _rehearse(self) -> None:
        facts = self._world.treasury.holdings.facts()
        ladder = ladder_of(facts, self._world.setup.emergency)
        plan = solve(ladder, REHEARSED, self._world.now_ns + NS_PER_DAY)
        self.ladders.append(f"{REHEARSED} rehearsed, {plan.raised} raised, gap {plan.gap}")

    def _peg(self) -> None:
        """Sell the other stable asset as soon as its peg is gone, whatever it is worth then."""
        world = self._world
        facts = world.treasury.holdings.facts()
        price, atoms = facts.price(USDD), world.held[ALPHA, USDD]
        if price is None or self._is_peg_told or not atoms:
            return
        if price.worth_atoms(ONE) * PPM < PEG_ALARM_PPM * ONE:
            self._is_peg_told = True
            least = price.worth_atoms(atoms) * (PPM - WORST_PPM) // PPM
            sale = Convert(sell=_coins(USDD, atoms), least=_coins(USDT, least), venues=[ALPHA],
                           until_ns=world.now_ns + NS_PER_DAY)  # fmt: skip
            self._override(Trigger.DEPEG, USDD, ANNA, sale)

    def _override(
        self, trigger: Trigger, target: str, who: str, does: StopActions | Convert
    ) -> None:
        action = Override(trigger=trigger, seen_ns=self._world.now_ns, target=target, does=does)
        self._staff.asks(who, action, ("reserve", "outage", f"{trigger} of {target}"), 1)


def _coins(asset: str, atoms: Atoms) -> Coins:
    return Coins(asset=asset, atoms=atoms, exponent=8)
