"""Facts come in, one pure function decides, wishes go out. The one place where the rooms meet."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, assert_never, get_args

import msgspec

from engine.trading.client_ids import ClientIds
from engine.trading.disturbances import DisturbanceParams, Disturbances
from engine.trading.keeper import Keeper, KeeperParams
from engine.trading.links import LinkParams, VenueLinks
from engine.trading.maker import Maker, MakerParams
from engine.trading.neighbours import Neighbours
from engine.trading.quoter import MarketSetup, Quoter
from engine.trading.standing import Standing
from engine.trading.treasurer import Treasurer
from engine.trading.turns import Turns
from engine.values import events as ev
from engine.values.instrument import Instrument
from engine.values.records import Record, StateChanged
from engine.values.step import Step
from engine.values.units import NS_PER_MS, PPM, Ns


class EngineParams(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for all markets of one process. `epoch` was durable before it came here."""

    epoch: int
    id_prefix: str
    maker: MakerParams
    keeper: KeeperParams
    links: LinkParams = LinkParams()
    disturbances: DisturbanceParams = DisturbanceParams()
    timer_ns: Ns = 50 * NS_PER_MS


class Engine:
    """The whole engine without an edge: synchronous, total, and the same in every driver.

    `past` is the journal so far: starting is recovering. `watched` are never traded.
    """

    def __init__(
        self,
        setups: list[MarketSetup],
        params: EngineParams,
        past: Iterable[Record] = (),
        watched: Sequence[Instrument] = (),
        treasurer: Treasurer | None = None,
    ) -> None:
        self.params = params
        self.now_ns = self.stopped_ns = 0
        self.ids = ClientIds(params.id_prefix, params.epoch)
        self.links: dict[str, VenueLinks] = {}
        self.keepers: dict[str, Keeper] = {}
        self.makers: dict[str, Maker] = {}
        self.clock_offset_ns: dict[str, Ns] = {}
        self.disturbances = Disturbances(params.disturbances)
        self._turns, self._joins = Turns(), self._doors()
        self._open(setups)
        self.neighbours = Neighbours(self.makers, watched, self.ids, params.maker, treasurer)
        for record in past:
            self._remember(record)

    # --- the one way in -------------------------------------------------------------------------

    def process(self, event: ev.Event) -> Step:
        """Join one fact and say what is to be done, kept and shown. Total: raises nothing."""
        step = Step(commands=[], records=[], alerts=[])
        if event.at_ns > self.now_ns:
            self.now_ns = event.at_ns
        self._joins[type(event)](event, step)
        if self.neighbours.act:
            self.neighbours.after(event, self.now_ns, step)
        return step

    def _doors(self) -> dict[type, Callable[[Any, Step], None]]:
        """Who joins which kind of fact. Found by its type at once: asking one by one is slow."""
        doors: dict[Any, Callable[[Any, Step], None]] = {
            ev.MarketFact: self._on_market,
            ev.BarFact: lambda fact, step: self.neighbours.on_bars(fact),
            ev.OrderFact: self._on_order,
            ev.AccountFact: self._on_account,
            ev.OperatorFact: self._on_operator,
            ev.LinkFact: self._on_link,
            ev.TreasuryWord: lambda word, step: self.neighbours.on_treasury(word, step),
        }
        return {kind: join for facts, join in doors.items() for kind in get_args(facts)}

    def _on_market(self, fact: ev.MarketFact, step: Step) -> None:
        maker = self.makers.get(fact.market)
        if maker is None:
            if isinstance(fact, ev.TopOfBook):
                self.neighbours.on_top(fact)
            return
        quoter = maker.quoter
        quoter.link.alive(fact.at_ns)
        match fact:
            case ev.BookDelta():
                quoter.on_delta(fact)
            case ev.BookSnapshot():
                quoter.on_snapshot(fact)
            case ev.BookLost():
                quoter.on_lost(fact)
            case ev.TopOfBook():
                quoter.on_top(fact)
                return
            case ev.Trade():
                quoter.on_trade(fact)
                return
            case _:
                assert_never(fact)
        maker.see(self.now_ns, step)

    def _on_order(self, fact: ev.OrderFact, step: Step) -> None:
        if (maker := self.makers.get(fact.market)) is not None:
            cause = maker.keeper.on_order(fact, maker.quoter, step)
            maker.note_own()
            self.neighbours.count(maker, self.now_ns, step)
            maker.look(self.now_ns, step, cause)

    def _on_account(self, fact: ev.AccountFact, step: Step) -> None:
        match fact:
            case ev.Balances():
                return  # pushed balances prove nothing: each reconciliation compares them all
            case ev.VenueState():
                if (maker := self.makers.get(fact.market)) is not None:
                    maker.keeper.on_state(fact, maker.quoter, step)
                    self.neighbours.count(maker, self.now_ns, step)
                    maker.look(self.now_ns, step, "reconciled")
            case ev.AllCanceled():
                step.records.append(fact)
            case _:
                assert_never(fact)

    def _on_operator(self, fact: ev.OperatorFact, step: Step) -> None:
        step.records.append(fact)
        if isinstance(fact, ev.Resume):
            for keeper in dict.fromkeys(maker.keeper for maker in self._makers_of(fact.market)):
                keeper.claim(fact, step)
        self._heed(fact)
        if isinstance(fact, ev.PlaybookSet):
            self.neighbours.on_playbook(fact, self._makers_of(fact.market), step)
        wanted = "" if isinstance(fact, ev.Stop) else fact.market
        for maker in self._makers_of(wanted):
            maker.look(self.now_ns, step, type(fact).__name__)

    def _heed(self, word: ev.OperatorFact) -> None:
        """What a person's word changes, live and when it is read back from the journal."""
        match word:
            case ev.RatingSet():
                for maker in self._makers_of(word.market):
                    maker.quoter.guidance.on_rating(word)
            case ev.PlaybookSet():
                pass  # one of an earlier session: what the config names now is in force
            case ev.Halt():
                for maker in self._makers_of(word.market):
                    maker.standing.halt(f"{word.who}: {word.reason}")
            case ev.Resume():
                for maker in self._makers_of(word.market):
                    maker.resume(word.at_ns)
            case ev.Stop():
                self.stopped_ns = self.stopped_ns or word.at_ns
                for maker in self.makers.values():
                    maker.standing.stop(word.who)
            case _:
                assert_never(word)

    def _on_link(self, fact: ev.LinkFact, step: Step) -> None:
        match fact:
            case ev.Timer():
                self._on_timer(step)
            case ev.Alive() | ev.Connected() | ev.Disconnected():
                self._on_wire(fact, step)
            case ev.ClockOffset():
                self.clock_offset_ns[fact.venue] = fact.offset_ns
            case ev.ClockStep() | ev.LoopLag() | ev.JournalLag():
                source, reason = self.disturbances.judge(fact)
                if isinstance(fact, ev.JournalLag) and fact.failure:
                    failed = f"the journal failed: {fact.failure}"
                    self._all(lambda standing: standing.halt(failed), step)
                elif source:
                    self._all(lambda standing: standing.doubt(source, reason), step)
            case ev.Overrun():
                for maker in self._makers_of(fact.market):
                    if self.disturbances.is_too_slow(fact):
                        maker.standing.halt("strategy: over its time budget again and again")
                    maker.look(self.now_ns, step)
            case ev.Quarantined():
                if self.disturbances.is_flood(fact):
                    flood = f"too many unreadable frames: {fact.reason}"
                    self._all(lambda standing: standing.freeze(flood), step, fact.venue)
            case _:
                assert_never(fact)

    def _on_wire(self, fact: ev.Alive | ev.Connected | ev.Disconnected, step: Step) -> None:
        links = self.links.get(fact.venue)
        if links is None:
            return
        link = links[fact.stream]
        match fact:
            case ev.Alive():
                link.alive(fact.at_ns)
            case ev.Connected():
                link.connected(fact.at_ns)
                self._judge_links(step)
                self._ask(fact.venue, step)
            case ev.Disconnected():
                link.disconnected(fact.reason)
                if fact.stream is ev.Stream.PUBLIC:
                    self._lose_books(fact, step)
                self._judge_links(step)
            case _:
                assert_never(fact)

    def _ask(self, venue: str, step: Step) -> None:
        """A wire that came up may be the last that a reconciliation waited for: ask at once."""
        for maker in self.makers.values():
            if maker.quoter.setup.instrument.venue == venue:
                maker.keeper.ask(maker.market, maker.standing, self.now_ns, step)
                maker.look(self.now_ns, step)

    def _lose_books(self, fact: ev.Disconnected, step: Step) -> None:
        """What a book's wire may have missed is unknown: only a snapshot starts the book again."""
        for maker in self.makers.values():
            if maker.quoter.setup.instrument.venue == fact.venue:
                why, at_ns = f"disconnected: {fact.reason}", fact.at_ns
                maker.quoter.on_lost(ev.BookLost(market=maker.market, at_ns=at_ns, reason=why))
                maker.look(self.now_ns, step)

    # --- time -----------------------------------------------------------------------------------

    def _on_timer(self, step: Step) -> None:
        for source in self.disturbances.settled(self.now_ns):
            for maker in self.makers.values():
                maker.standing.settle(source)
        self._judge_links(step)
        for market in self._turns.begin(self.makers):
            self._turns.took(self.makers[market].on_timer(self.now_ns, step))
        step.wake_ns = self.now_ns + (0 if self._turns.is_left else self.params.timer_ns)

    def _judge_links(self, step: Step) -> None:
        """A wire down or silent is a doubt; a private one also undoes the reconciliation."""
        silence_ns_max = self.params.links.silence_ns_max
        for maker in self.makers.values():
            links = self.links[maker.quoter.setup.instrument.venue]
            public = links[ev.Stream.PUBLIC].doubt(self.now_ns, silence_ns_max)
            private = links[ev.Stream.PRIVATE].doubt(self.now_ns, silence_ns_max)
            maker.quoter.vouched_ns = links[ev.Stream.PUBLIC].last_ns
            if maker.heed_links(public, private, self.now_ns, step):
                maker.look(self.now_ns, step)

    def _all(self, act: Callable[[Standing], None], step: Step, venue: str = "") -> None:
        """Every market of a venue, "" for all of them."""
        for maker in self.makers.values():
            if venue in ("", maker.quoter.setup.instrument.venue):
                act(maker.standing)
                maker.look(self.now_ns, step)

    # --- start and end --------------------------------------------------------------------------

    def _open(self, setups: list[MarketSetup]) -> None:
        for venue in dict.fromkeys(setup.instrument.venue for setup in setups):
            mine = [setup for setup in setups if setup.instrument.venue == venue]
            keeper = Keeper([one.instrument for one in mine], self.params.keeper, self.ids.is_ours)
            self.keepers[venue] = keeper
            self.links[venue] = VenueLinks()
            for setup in mine:
                maker = Maker(Quoter(setup), keeper, self.ids, self.params.maker)
                maker.quoter.phase_ppm = PPM * len(self.makers) // len(setups)
                self.makers[maker.market] = maker
                maker.quoter.link = self.links[venue][ev.Stream.PUBLIC]

    def _remember(self, record: Record) -> None:
        """Starting is recovering: what the journal holds goes through the same joins."""
        if isinstance(record, ev.RatingSet | ev.Halt | ev.Resume):
            self._heed(record)
        elif isinstance(record, StateChanged):
            for maker in self._makers_of(record.market):
                maker.standing.remember(record.after, record.reason)
        else:
            for keeper in self.keepers.values():
                keeper.remember(record)
        self.neighbours.remember(record)

    def _makers_of(self, market: str) -> list[Maker]:
        """The named market, or all of them for ""; a market that is not run here is nobody."""
        return [maker for name, maker in self.makers.items() if market in ("", name)]

    @property
    def is_finished(self) -> bool:
        """Stopped by a person, and the venues have shown that nothing of ours is open."""
        return bool(self.stopped_ns) and self.open_orders_at_stop == 0

    @property
    def open_orders_at_stop(self) -> int:
        """The venues' own count after the stop; -1 while one has not answered."""
        sums = [m.keeper.open_orders_after(m.market, self.stopped_ns) for m in self.makers.values()]
        return -1 if not self.stopped_ns or -1 in sums else sum(sums)
