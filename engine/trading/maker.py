"""One market's loop: look at every fact, pull on doubt, ask the strategy when woken, reconcile."""

from collections.abc import Callable

import msgspec

from engine.trading.client_ids import ClientIds
from engine.trading.hedger import Hedger
from engine.trading.keeper import CANCELED, Keeper
from engine.trading.quoter import Quoter
from engine.trading.readings import reading_of
from engine.trading.reconcile import ReconcileParams, needs_nothing, reconcile
from engine.trading.risk import Action, Approved, Reading
from engine.trading.standing import MarketState, Standing
from engine.trading.strategy import View
from engine.trading.turns import next_turn_ns
from engine.values.commands import Cancel, CancelAll, Command, Place
from engine.values.instrument import Instrument
from engine.values.intents import Ladder
from engine.values.records import Decision, OrderIntent, StateChanged
from engine.values.step import Step
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

OBSERVE_EVERY_NS = 200 * NS_PER_MS
PULL_AGAIN_NS = NS_PER_S
NO_WISH = Ladder()
NONSENSE_MAX = 5
"""So many wishes that were no ladder, or exceptions, and the strategy waits for a person."""


class MakerParams(msgspec.Struct, frozen=True, kw_only=True):
    config_hash: str
    reconcile: ReconcileParams


class Maker:
    """Joins one market's perception, gate and orders. Emits commands and says why."""

    def __init__(self, quoter: Quoter, keeper: Keeper, ids: ClientIds, params: MakerParams) -> None:
        self.quoter = quoter
        self.keeper = keeper
        self.market = quoter.market
        self.state = (MarketState.INIT, "starting")
        self.view: View | None = None
        self.reading: Reading | None = None
        self.hedger: Hedger | None = None
        self.makes_way: Callable[[str, Ladder], Ladder] | None = None
        self.reconcile_params = _within(params.reconcile, quoter.setup.instrument)
        self._ids = ids
        self._params = params
        self._pulled_ns: Ns = 0
        self._is_barred = True
        self._approved: Approved | None = None
        self._observe_due_ns: Ns = 0
        self._heard = ("not connected", "not connected")

    @property
    def standing(self) -> Standing:
        return self.quoter.standing

    def see(self, now_ns: Ns, step: Step) -> None:
        """After a fact of the market alone: where we could quote and still can, no state moves."""
        if self._is_barred or not self.quoter.standing.may_quote:
            self.look(now_ns, step)
            return
        cause = self.quoter.wake_cause(now_ns)
        if cause:
            self._decide(cause, now_ns, step)
            self._note_state(now_ns, step)

    def look(self, now_ns: Ns, step: Step, cause: str = "") -> None:
        """After any fact about this market: quote, pull, or leave everything as it is."""
        if not self.standing.may_quote:
            self._is_barred = True
            self.pull(now_ns, step)
        else:
            again = "may quote again" if self._is_barred else ""
            self._is_barred = False
            if cause is CANCELED and not self._is_waiting():
                cause = ""
            cause = cause or again or self.quoter.wake_cause(now_ns)
            if cause:
                self._decide(cause, now_ns, step)
        self._note_state(now_ns, step)

    def on_timer(self, now_ns: Ns, step: Step) -> bool:
        """What only time brings; True where more was to do than to see that nothing is."""
        before_ns = self._observe_due_ns
        self.quoter.watch(now_ns)
        self.keeper.ask(self.market, self.standing, now_ns, step)
        is_new = self.quoter.last is None  # a market that has yet to begin is looked at each time
        is_due = is_new or now_ns >= before_ns
        if is_due and self.standing.may_quote_but_for("risk"):
            self._observe(now_ns, step)
        self.look(now_ns, step)
        return before_ns != self._observe_due_ns

    def heed_links(self, public: str, private: str, now_ns: Ns, step: Step) -> bool:
        """Take in what the wires say; True where that changes whether we may quote."""
        if (public, private) == self._heard:
            return False
        self._heard = (public, private)
        standing = self.standing
        could = standing.may_quote
        if public:
            standing.doubt("public link", public)
        else:
            standing.settle("public link")
        if private and not standing.private_down:
            standing.lose_proof(now_ns)
        elif standing.private_down and not private:
            standing.lose_proof(now_ns)
            self.keeper.lost_sight(self.market, now_ns, step)
        standing.private_down = private
        return could != standing.may_quote

    def resume(self, now_ns: Ns) -> None:
        """A person lets go; the venue is asked for everything once more before a quote."""
        self.standing.resume()
        self.quoter.gate.resume(now_ns)
        self.standing.lose_proof(now_ns)
        self.keeper.ask_anew(self.market)

    def note_own(self) -> None:
        """What of the public book is ours now, so that we never answer ourselves (F18)."""
        self.quoter.note_own(self.keeper.orders.own_levels(self.market))

    def pull(self, now_ns: Ns, step: Step) -> None:
        """Cancel everything of ours, again each second until the venue has proved an end."""
        live = self.keeper.orders.live(self.market)
        asked = all(order.cancel_wanted for order in live)
        if not live or (asked and now_ns - self._pulled_ns < PULL_AGAIN_NS):
            return
        self._pulled_ns = now_ns
        for order in live:
            self.keeper.orders.cancel_sent(order.client_id, now_ns)
        step.commands.append(CancelAll(market=self.market, at_ns=now_ns))
        step.records.append(CancelAll(market=self.market, at_ns=now_ns))

    def _observe(self, now_ns: Ns, step: Step) -> tuple[View, Reading]:
        """Show the gate this moment; what it trips is a doubt, a freeze or a halt of the market."""
        keeper, quoter = self.keeper, self.quoter
        self._observe_due_ns = next_turn_ns(now_ns, OBSERVE_EVERY_NS, quoter.phase_ppm)
        self.note_own()
        view = quoter.view(now_ns, keeper.position_lots(self.market))
        reading = reading_of(keeper, quoter, view)
        self.view, self.reading = view, reading
        if quoter.guidance.advice is not None:
            quoter.guidance.advice.observe(view)
            step.records += quoter.guidance.advice.records(now_ns)
        step.records += quoter.gate.observe(reading)
        for wish in quoter.gate.hedges(reading):
            step.records.append(wish)
            if self.hedger is not None:
                self.hedger.demand(wish)
        self._heed(quoter.gate.posture())
        return view, reading

    def _heed(self, posture: Action | None) -> None:
        """REFUSE, PULL_SIDE and HEDGE act within the gate; the graver ones are the market's."""
        gate = self.quoter.gate
        if posture is None or posture not in (Action.PULL_MARKET, Action.CANCEL_ONLY, Action.HALT):
            self.standing.settle("risk")
            return
        why = "; ".join(reason for _, reason in gate.tripped()[:1])
        if posture is Action.HALT:
            self.standing.halt(why)
        self.standing.doubt("risk", why)

    def _decide(self, cause: str, now_ns: Ns, step: Step) -> None:
        view, reading = self._observe(now_ns, step)
        wish = self._wish(view, step) if self.standing.may_quote else NO_WISH
        if not self.standing.may_quote:
            self.pull(now_ns, step)
            return
        if self.hedger is not None:
            wish = self.hedger.hold_back(wish, now_ns)
        if self.makes_way is not None:
            wish = self.makes_way(self.market, wish)
        self._note_state(now_ns, step)  # that we may quote is journaled before what we quote (I20)
        gate, orders = self.quoter.gate, self.keeper.orders
        approved = self._approved = gate.approve(wish, reading)
        if gate.nonsense_count >= NONSENSE_MAX:
            self.standing.halt(f"strategy: {approved.refused[0]}")
        sums = orders.sums(self.market)
        commands = reconcile(approved, sums, self._ids, now_ns, self.reconcile_params)
        changed = self._explain(cause, view, approved, bool(commands), step)
        step.decided = self.market
        for command in commands:
            # What of the public book is ours is the same after it: an order shows when the venue
            # has said so, and until it has said otherwise.
            self._act(command, now_ns, changed, step)

    def _is_waiting(self) -> bool:
        """Whether something may be quoted now that could not while orders were leaving.

        Orders leave together: the last of them asks. The timer does for one that never answers.
        """
        approved = self._approved
        if approved is None or self.hedger is not None:
            return True
        orders, market = self.keeper.orders, self.market
        if self.quoter.setup.strategy.wake.timer_ns and orders.has_leaving(market):
            return False
        return not needs_nothing(approved, orders.sums(market), self.reconcile_params)

    def _wish(self, view: View, step: Step) -> Ladder:
        """What the plugin wishes. Whatever it raises costs it the market, never the engine."""
        try:
            return self.quoter.wish(view)
        except Exception as error:  # noqa: BLE001 a plugin is a stranger: law 8
            reason = f"{type(error).__name__}: {error}"
            self.standing.halt(f"strategy {self.quoter.setup.strategy_name} raised {reason}")
            step.alert(self.market, view.now_ns, "critical", f"strategy raised {reason}")
            return NO_WISH

    def _act(self, command: Command, now_ns: Ns, decision: int, step: Step) -> None:
        """Count an order before its bytes leave, and journal what is asked."""
        orders, gate = self.keeper.orders, self.quoter.gate
        if isinstance(command, Place):
            orders.intend(command)
            gate.note("message", command.side, now_ns)
            step.records.append(
                OrderIntent(
                    order=command,
                    decision=decision,
                    strategy=self.quoter.setup.strategy_name,
                    config_hash=self._params.config_hash,
                )
            )
        elif isinstance(command, Cancel):
            order = orders.cancel_sent(command.client_id, now_ns)
            gate.note("message", order.side, now_ns)
            step.records.append(command)
        step.commands.append(command)

    def _explain(
        self, cause: str, view: View, approved: Approved, is_acting: bool, step: Step
    ) -> int:
        """Journal a decision that does something or reads differently; else only remember it."""
        last = self.quoter.last
        is_new = last is None or is_acting or _silence(last.ladder) != _silence(approved.ladder)
        decision = Decision(
            market=self.market,
            at_ns=view.now_ns,
            decision=(last.decision if last else 0) + is_new,
            cause=cause,
            inputs=_inputs(view, self.quoter.sequence),
            ladder=approved.ladder,
            refused=list(approved.refused),
        )
        if is_new:
            step.records.append(decision)
        self.quoter.last = decision
        return decision.decision

    def _note_state(self, now_ns: Ns, step: Step) -> None:
        before = self.state
        self.state = self.standing.state(self.keeper.orders.has_live(self.market))
        if self.state == before:
            return
        if self.state[0] is not before[0] or self.state[0] is not MarketState.QUOTING:
            step.records.append(
                StateChanged(
                    market=self.market,
                    at_ns=now_ns,
                    before=before[0],
                    after=self.state[0],
                    reason=self.state[1],
                )
            )
        if self.standing.halted or self.standing.frozen:
            step.alert(self.market, now_ns, "critical", f"{self.state[0]}: {self.state[1]}")


def _within(params: ReconcileParams, item: Instrument) -> ReconcileParams:
    """No order is filled up by less than the venue takes for a new one."""
    value_min = -(-item.notional_min // item.tick_lot_atoms)
    lots_min = max(params.lots_min, item.lots_min)
    return msgspec.structs.replace(params, lots_min=lots_min, value_min=value_min)


def _silence(ladder: Ladder) -> tuple[bool, str, bool, str]:
    return bool(ladder.bids), ladder.bids_absent, bool(ladder.asks), ladder.asks_absent


def _inputs(view: View, sequence: int) -> dict[str, float | int | str]:
    """What was looked at: enough to see, without the feed, why the ladder is what it is."""
    return {
        "sequence": sequence,
        "bid_tick": view.bid_tick,
        "ask_tick": view.ask_tick,
        "microprice": view.microprice,
        "imbalance": view.imbalance,
        "volatility": -1.0 if view.volatility is None else view.volatility,
        "position_lots": view.position_lots,
        "zone": view.zone,
        "stance": view.stance.label,
    }
