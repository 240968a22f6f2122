"""Staged orders of the quarter: planned, sent in children to the simulated markets, reviewed."""

from engine.sim.quarter_world import World
from engine.treasury.action_bytes import digest_of
from engine.treasury.estimate import Venue
from engine.treasury.execution import Parent
from engine.treasury.execution_life import OVER
from engine.treasury.execution_sight import MarketSight, Sight, Wish
from engine.treasury.facts import Spent
from engine.treasury.planning import NoPlan, Order, plan
from engine.treasury.post_trade import Lessons, review
from engine.treasury.report_input import Worked
from engine.values.action_words import Convert, EmergencySale, Rebalance
from engine.values.execution_records import ChildSent, ParentStarted
from engine.values.treasury_words import FloatSet, Measure
from engine.values.units import NS_PER_S, SELL, Atoms

VOLATILITY = 400
"""ppm per square root of a second."""
SEE_EVERY = 20
LEAST: Atoms = 10**12
"""Ten thousand tokens: less is no child."""
LEAST_STABLE: Atoms = 10**8
FAR: Atoms = 2**62

Sale = Convert | Rebalance | EmergencySale


class Orders:
    """Works one parent after the other."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lessons = Lessons(world.setup.execution.estimate)
        self._count = 0
        self.worked: list[Worked] = []

    def sell(self, action: Sale, name: str) -> tuple[bool, str, bool]:
        """(whether it is done, what is to be said of it, whether anything moved)."""
        world = self._world
        markets = [
            f"{action.sell.asset}/{action.least.asset}@{venue}"
            for venue in action.venues
            if venue not in world.stopped and not world.is_down(venue)
        ]
        proposal = world.desk.proposals[name]
        self._count += 1
        order = Order(
            parent=f"p{self._count:04d}", proposal=digest_of(proposal.body),
            asset=action.sell.asset, side=SELL, atoms=action.sell.atoms, begin_ns=world.now_ns,
            until_ns=action.until_ns, least=(action.least.atoms, action.sell.atoms),
            score_ns=self._score_ns(action.sell.asset), volatility=VOLATILITY,
        )  # fmt: skip
        try:
            made = plan(order, [self._venue(each) for each in markets], world.setup.execution)
        except NoPlan as why:
            return False, str(why)[:200], False
        world.keep(ParentStarted(at_ns=world.now_ns, plan=made))
        parent = Parent(made, world.setup.execution)
        self._work(parent, isinstance(action, Rebalance))
        said = review(parent, self._lessons, world.now_ns)
        self._lessons.remember(said)
        world.keep(said)
        self.worked.append(Worked(plan=made, said=said))
        is_all = parent.done_atoms == made.atoms or parent.why.endswith("too small to trade")
        return is_all, parent.why[:200] or "over", bool(parent.done_atoms)

    def _score_ns(self, asset: str) -> int | None:
        """The scored asset needs one; the other stable asset has a book and no score."""
        world = self._world
        scored = {params.asset for params in world.setup.scores}
        if asset not in scored:
            return 0
        found = world.treasury.score(asset)
        return None if found is None else found.age_ns

    def _venue(self, market: str) -> Venue:
        world = self._world
        each = world.markets[market]
        scheme = world.setup.scheme
        return Venue(
            market=market,
            book=each.depth(scheme.asset(each.item.base), scheme.money),
            volume_atoms=each.item.base_atoms(each.day_volume()),
            lesson_ppm=self._lessons.ppm(market),
        )

    # --- at work --------------------------------------------------------------------------------

    def _work(self, parent: Parent, is_of_float: bool) -> None:
        """Look once a second until it is over; each wish is an immediate order."""
        world, seconds = self._world, 0
        while parent.state not in OVER:
            seconds += 1
            world.run_to(world.now_ns + NS_PER_S)
            if seconds % SEE_EVERY == 0:
                world.see()
            look = parent.look(self._sight(parent))
            world.keep(*look.moves)
            for wish in look.wishes:
                self._send(parent, wish, is_of_float)
            parent.check()
        world.see()

    def _sight(self, parent: Parent) -> Sight:
        markets = tuple(self._seen(market) for market in parent.plan.markets)
        left = self._turnover_left(parent.plan.asset)
        return Sight(
            now_ns=self._world.now_ns, markets=markets, turnover_left_atoms=left, killed=""
        )

    def _turnover_left(self, asset: str) -> Atoms:
        findings = self._world.treasury.limits.findings
        rooms = [one.room.atoms or 0 for one in findings
                 if one.measure is Measure.TURNOVER and one.asset == asset]  # fmt: skip
        return min(rooms, default=FAR)

    def _seen(self, market: str) -> MarketSight:
        world, params = self._world, self._world.setup.execution
        each = world.markets[market]
        scheme = world.setup.scheme
        book = each.depth(scheme.asset(each.item.base), scheme.money)
        is_up = book.is_sane()
        since_ns = world.now_ns - params.volume_window_s * NS_PER_S
        is_scored = each.item.size_exponent == 0
        return MarketSight(
            market=market,
            book=book if is_up else None,
            levels=book.bids,
            is_own_in_way=False,
            why="" if is_up else "a side of the book is empty",
            is_killed=each.item.venue in world.stopped,
            volume_atoms=each.item.base_atoms(each.volume_since(since_ns)),
            doubt="",
            is_busy=False,
            lot_atoms=each.item.lot_base_atoms,
            least_atoms=LEAST if is_scored else LEAST_STABLE,
            lesson_ppm=self._lessons.ppm(market),
        )

    def _send(self, parent: Parent, wish: Wish, is_of_float: bool) -> None:
        world = self._world
        each = world.markets[wish.market]
        lots = wish.atoms // each.item.lot_base_atoms
        unit = each.item.lot_base_atoms * wish.limit.money_atoms
        tick = -(-unit // (wish.limit.atoms * each.item.tick_lot_atoms))
        client_id = f"{parent.plan.parent}-{len(parent.children) + 1}"
        sent = ChildSent(
            at_ns=world.now_ns, parent=parent.plan.parent, client_id=client_id, market=wish.market,
            side=SELL, lots=lots, tick_limit=tick, atoms=lots * each.item.lot_base_atoms,
            mid=(wish.mid.money_atoms, wish.mid.base_atoms), estimate_ppm=wish.estimate_ppm,
        )  # fmt: skip
        world.keep(sent)
        parent.remember(sent)
        atoms = money = 0
        for done in each.take(SELL, lots, tick):
            world.fill(wish.market, SELL, done, (client_id, False))
            atoms += done.lots * each.item.lot_base_atoms
            money += each.item.quote_atoms(done.tick, done.lots)
        if atoms:
            parent.filled(client_id, (atoms, money), world.now_ns)
            self._moved(wish.market, (atoms, money), is_of_float)
        parent.ended(client_id)

    def _moved(self, market: str, done: tuple[Atoms, Atoms], is_of_float: bool) -> None:
        """Turnover counts; and what came out of the float is no longer the market maker's."""
        world = self._world
        item = world.markets[market].item
        spent = Spent(atoms=done[0], money_atoms=done[1])
        world.treasury.holdings.turn(item.base, spent, world.now_ns)
        world.tell_balances(item.venue)
        if is_of_float:
            working = world.treasury.holdings.facts().working[item.venue, item.base]
            fact = FloatSet(
                at_ns=world.now_ns, who="engine", venue=item.venue, asset=item.base,
                atoms=max(0, working - done[0]), reason="rebalanced",
            )  # fmt: skip
            world.tell(fact, f"float of {item.base} at {item.venue}")
