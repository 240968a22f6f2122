"""The world of the quarter: what every place really holds, what is journaled, what was told."""

from collections.abc import Iterable, Iterator
from typing import cast

from engine.sim.quarter_setup import (
    ALPHA,
    BEGIN_NS,
    BETA,
    BTT,
    CUSTODY,
    USDD,
    USDT,
    WALLET,
    QuarterSetup,
    instrument,
    obligations,
    peg,
    prices,
    start_balances,
)
from engine.sim.quarter_venue import CrowdMarket, Done, PegMarket, SimMarket
from engine.treasury.action_desk import ActionDesk
from engine.treasury.books import KINDS, Books, BooksSetup, Fact
from engine.treasury.chart import Entry, Source
from engine.treasury.dates import NS_PER_DAY
from engine.treasury.desk_step import Begin, DeskStep, SignedWord
from engine.treasury.facts import Volume
from engine.treasury.lots import LotMethod
from engine.treasury.measures import Measures
from engine.treasury.pricing import PriceHistory
from engine.treasury.proposals import Proposal
from engine.treasury.treasury import Treasury
from engine.values.action_records import ActionRecord, RosterSet
from engine.values.action_words import Scope
from engine.values.events import Balance, Fill
from engine.values.execution_records import Switched
from engine.values.ledger_words import Held, HoldingsRead
from engine.values.records import Listed, Opening, Record
from engine.values.treasury_words import (
    Holding,
    HoldingsSeen,
    LimitMoved,
    LimitsSet,
    Lock,
    LockSet,
    ObligationSet,
    TreasuryFact,
)
from engine.values.units import Atoms, Ns, Side

WHO = "quarter"
MARKETS = ((BTT, ALPHA), (BTT, BETA), (USDD, ALPHA))


class World:
    """Everything that is, and everything that was written down. Others decide."""

    def __init__(self, setup: QuarterSetup) -> None:
        self.setup = setup
        self.now_ns: Ns = BEGIN_NS
        self.held = start_balances()
        self.locks: list[Lock] = []
        self.owed = {row.name: row for row in obligations(setup.days)}
        self.prices = prices(setup)
        self.markets: dict[str, SimMarket] = {}
        self.records: list[Record] = []
        self.entries: list[Entry] = []
        self.alerts: list[str] = []
        self.begins: list[Begin] = []
        self.stopped: set[str] = set()
        self.treasury = Treasury(setup.scheme, setup.liquid, list(setup.scores))
        self.desk = ActionDesk(setup.authority, setup.verify)
        scheme = setup.scheme
        measures = Measures([scheme.asset(name) for name in scheme.names()], USDT)
        history = PriceHistory(USDT, 10**18)
        self.books = Books(
            BooksSetup(measures=measures, prices=history, method=LotMethod.FIFO, lots={})
        )
        for base, venue in MARKETS:
            item = instrument(base, venue)
            self.markets[item.market] = PegMarket(item) if base == USDD else CrowdMarket(item)

    # --- writing down ---------------------------------------------------------------------------

    def keep(self, *records: Record) -> None:
        """Journal them; what moves money goes to the books as well."""
        for record in records:
            self.records.append(record)
            if type(record).__name__ in KINDS:
                source = Source(len(self.records), "")
                told = self.books.remember(cast(Fact, record), source)
                self.entries += told.entries
                self.alerts += told.alerts

    def tell(self, fact: TreasuryFact, name: str) -> None:
        self.keep(*self.treasury.learn(fact, name))

    def take(self, step: DeskStep) -> None:
        """What the desk decided: its records, and what may begin."""
        self.keep(*step.records)
        self.begins += step.begins

    def hear(self, word: SignedWord) -> list[ActionRecord]:
        step = self.desk.take(word)
        self.take(step)
        return step.records

    def proposals(self) -> list[Proposal]:
        return self.desk.proposals.all()

    def proposal(self, name: str) -> Proposal:
        return self.desk.proposals[name]

    def release(self, venue: str) -> None:
        """It answers again: somebody turns the switch off."""
        self.stopped.discard(venue)
        self.keep(
            Switched(at_ns=self.now_ns, scope=Scope.VENUE, name=venue, is_on=False,
                     who="otto", reason="it answers again")
        )  # fmt: skip

    @property
    def passed(self) -> list[LimitMoved]:
        return [row for row in self.records if isinstance(row, LimitMoved) and row.breached]

    # --- the beginning --------------------------------------------------------------------------

    def begin(self) -> None:
        """Policy, people, limits, what is owed; markets as they were found; every balance."""
        setup, at_ns = self.setup, BEGIN_NS
        self.take(self.desk.load(setup.policy))
        people = list(setup.people)
        self.take(self.desk.load(
            RosterSet(at_ns=at_ns, who=WHO, name="roster", digest="", people=people)
        ))  # fmt: skip
        rows = list(setup.rows)
        limits = LimitsSet(at_ns=at_ns, who=WHO, name="limits", digest="", rows=rows)
        self.tell(limits, "limits")
        owed = list(self.owed.values())
        self.tell(ObligationSet(at_ns=at_ns, who=WHO, name="owed", digest="", rows=owed), "owed")
        for market, each in self.markets.items():
            self.keep(Listed(market=market, at_ns=at_ns, instrument=each.item))
        for base, venue in MARKETS:
            names = [USDD] if base == USDD else [BTT, USDT]
            balances = [
                Balance(asset=name, free_atoms=self.held[venue, name], locked_atoms=0)
                for name in names
            ]
            market = instrument(base, venue).market
            self.keep(
                Opening(venue=venue, market=market, at_ns=at_ns, balances=balances, trade_id=0)
            )
        for place in (WALLET, CUSTODY):
            for name in self.assets_at(place):
                atoms = self.held[place, name]
                self.keep(Held(venue=place, at_ns=at_ns, asset=name, atoms=atoms, who=WHO))
        self.open_markets(0)
        for place in reversed(list(setup.scheme.places)):
            self.tell_balances(place)  # venues last: limits look once every float was seen

    def assets_at(self, place: str) -> list[str]:
        return sorted({name for where, name in self.held if where == place})

    # --- markets --------------------------------------------------------------------------------

    def open_markets(self, step: int) -> None:
        """Each market as it stands at this step; a venue that is down has none."""
        for market, each in self.markets.items():
            price = peg(self.setup, self.now_ns) if each.item.base == USDD else self.prices[step]
            each.open(self.now_ns, price, f"{self.setup.seed} {self.setup.path} {market} {step}")
        self.see()

    def see(self) -> None:
        """Show the treasury every book that has two sides, and the desk the prices.

        Of a book with an empty side it keeps the last whole one, for as long as a price may age.
        """
        scheme = self.setup.scheme
        for each in self.markets.values():
            venue, base = each.item.venue, each.item.base
            if self.is_down(venue):
                self.treasury.holdings.lose_book(venue, base)
                continue
            volume = Volume(atoms=each.item.base_atoms(each.day_volume()), at_ns=self.now_ns)
            self.treasury.holdings.volume(venue, base, volume)
            book = each.depth(scheme.asset(base), scheme.money)
            if book.is_sane():
                self.keep(*self.treasury.see(book))
        facts = self.treasury.holdings.facts()
        for name in scheme.assets:
            price = facts.price(name)
            if price is not None:
                self.desk.price(price)

    def run_to(self, until_ns: Ns) -> None:
        """Time passes on every market that is up."""
        self.now_ns = until_ns
        for each in self.markets.values():
            each.run_to(until_ns)

    def is_down(self, venue: str) -> bool:
        first, last = (BEGIN_NS + day * NS_PER_DAY for day in self.setup.outage)
        return venue == BETA and first <= self.now_ns < last

    # --- what moves -----------------------------------------------------------------------------

    def tell_balances(self, place: str) -> None:
        holdings = [
            Holding(asset=name, atoms=self.held[place, name]) for name in self.assets_at(place)
        ]
        fact = HoldingsSeen(at_ns=self.now_ns, who=WHO, place=place, holdings=holdings)
        self.tell(fact, f"balance at {place}")

    def move(self, place: str, asset: str, atoms: Atoms) -> None:
        """Nothing is ever spent that is not there."""
        self.held[place, asset] = self.held.get((place, asset), 0) + atoms
        assert self.held[place, asset] >= 0, f"{place} has not so much {asset}"

    def fill(self, market: str, side: Side, done: Done, order: tuple[str, bool]) -> Fill:
        """A trade of ours: the account moves, and the journal has it. `order` is (id, maker)."""
        item = self.markets[market].item
        base, quote = item.flows(side, done.tick, done.lots)
        self.move(item.venue, item.base, base)
        self.move(item.venue, item.quote, quote - done.fee_atoms)
        fill = Fill(
            market=market, client_id=order[0], venue_id=str(done.trade_id), trade_id=done.trade_id,
            at_ns=self.now_ns, venue_ns=self.now_ns, side=side, tick=done.tick, lots=done.lots,
            fee_atoms=done.fee_atoms, fee_asset=item.quote, is_maker=order[1],
        )  # fmt: skip
        self.keep(fill)
        return fill

    def lock(self, locks: Iterable[Lock]) -> None:
        self.locks = list(locks)
        self.tell(
            LockSet(at_ns=self.now_ns, who=WHO, name="locks", digest="", rows=self.locks), "locks"
        )

    def read_all(self) -> Iterator[str]:
        """Ask every place what it holds and hold the books against it; what does not agree."""
        for place in self.setup.scheme.places:
            atoms = {name: self.held[place, name] for name in self.assets_at(place)}
            self.keep(
                HoldingsRead(venue=place, asked_ns=self.now_ns, at_ns=self.now_ns, atoms=atoms,
                             who=WHO)
            )  # fmt: skip
            for name in atoms:
                if self.books.ledger.suspended(place, name):
                    yield f"{place} {name}"

    @property
    def day(self) -> int:
        """Of the quarter, from 0 on."""
        return (self.now_ns - BEGIN_NS) // NS_PER_DAY
