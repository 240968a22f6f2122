"""The treasury in the running engine: facts go to it, and its bands come back to the quotes.

Each market that it rules is quoted within what the buckets release, anew after a fill, after every
word about holdings, debts, locks and limits, and once a second. Where nothing may be released, or
is known to be, both sides are pulled. It decides by facts alone, so that a replay finds the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, assert_never

from engine.trading.maker import Maker
from engine.trading.treasury_alarms import Alarms
from engine.trading.treasury_told import (
    REMEMBERED,
    WORDS,
    account_told,
    name_of,
    released_told,
    why_nothing,
)
from engine.trading.turns import next_turn_ns
from engine.trading.wards import Purchases, Ward, balances_of, lose_books, tell_out, turn
from engine.treasury.bands import Bands
from engine.treasury.rebalance import Rebalancer
from engine.treasury.release import bands_of_release
from engine.treasury.treasury import Treasury, TreasuryRecord
from engine.values.events import (
    BookLost,
    Disconnected,
    Event,
    Fill,
    Stream,
    Timer,
    Trade,
    VenueState,
)
from engine.values.instrument import Instrument
from engine.values.ledger_words import Paid, Received, TransferArrived, TransferSent
from engine.values.records import Adjusted, HedgeMoved, Opening, OrderIntent, Record
from engine.values.step import Step
from engine.values.treasury_words import HoldingsSeen, LimitsSet, TreasuryFact
from engine.values.units import NS_PER_S, Ns

SOURCE = "treasury"
"""The doubt under which a market waits for the treasury."""
CAUSE = "the treasury's bands moved"


class Steward:
    """Fulfils `treasurer.Treasurer`. `awaited` are the names of facts (`name_of`) that a start
    tells: before all of them, and before every balance with a float, nothing is quoted."""

    def __init__(
        self, treasury: Treasury, awaited: Iterable[str], watcher: Rebalancer | None = None
    ) -> None:
        self.treasury, self.actor, self._alarms = treasury, None, Alarms(watcher)
        self.shown: set[str] = set()  # places of which better than a statement speaks
        self._awaited = set(awaited)
        self._wards: list[Ward] = []
        self._makers: dict[str, Maker] = {}
        self._counted: set[str] = set()
        self._due_ns, self._is_traded = 0, False
        self._purchases = Purchases({}, treasury.holdings.scheme)
        self._heed: Callable[[Maker, Bands], None] | None = None

    def __repr__(self) -> str:
        return f"<steward of {[ward.maker.market for ward in self._wards]} {self._unready()}>"

    def join(self, makers: dict[str, Maker], heed: Callable[[Maker, Bands], None]) -> None:
        scheme = self.treasury.holdings.scheme
        self._makers, self._heed = makers, heed
        items = {market: maker.quoter.setup.instrument for market, maker in makers.items()}
        self.know(items)
        for market, maker in makers.items():
            item = items[market]
            if item.base not in scheme.assets:
                continue
            if item.quote == scheme.money.name:
                self._wards.append(Ward(maker, scheme))
                maker.standing.doubt(SOURCE, self._unready())
            else:
                maker.standing.doubt(SOURCE, f"{market} is not paid in {scheme.money.name}")

    def know(self, items: Mapping[str, Instrument]) -> None:
        """The markets whose fills it counts: all that who only reads a journal has to tell it."""
        self._purchases = Purchases(items, self.treasury.holdings.scheme)

    # --- facts in -------------------------------------------------------------------------------

    def remember(self, record: Record) -> None:
        self._alarms.remember(record)
        match record:
            case Fill() if self._purchases.is_new(record):
                if self._purchases.is_conversion(record):
                    turn(self._purchases.traded(record), self.treasury.holdings)
                else:
                    self.treasury.holdings.remember(self._purchases.traded(record))
            case Opening() | OrderIntent() | HedgeMoved():
                self._join(record)
            case _ if isinstance(record, REMEMBERED):
                self.treasury.remember(record)
            case _:
                pass

    def learn(self, fact: TreasuryFact, step: Step) -> None:
        """Balances of our own venues are what their ledgers say, whoever says otherwise."""
        name = name_of(fact)
        self._awaited.discard(name)
        ours = self.shown.union(m.quoter.setup.instrument.venue for m in self._makers.values())
        if isinstance(fact, HoldingsSeen) and fact.place in ours:
            return
        self.learn_all([fact], name, step)
        if isinstance(fact, LimitsSet):
            for each in self.treasury.waiting:
                told = f"limit {each.name!r}: wider, or gone; waits for a second person"
                step.alert("", fact.at_ns, "notice", told)

    def learn_all(self, facts: Sequence[TreasuryFact], name: str, step: Step) -> None:
        """Facts of one moment, the first of which says when that is."""
        tell_out(self._wards, self.treasury.holdings)
        try:
            self._keep(self.treasury.learn_all(facts, name), step)
        except KeyError as error:
            step.alert("", facts[0].at_ns, "critical", f"treasury: {error.args[0]}")

    def count(self, maker: Maker, now_ns: Ns, step: Step) -> None:
        """A fill narrows the bands before the next quotes are decided on: what filled on one side
        must not make the other larger than what is left."""
        fresh = [r for r in step.records if isinstance(r, Fill) and self._purchases.is_new(r)]
        for fill in fresh:
            self._fill(fill, step)
        self._is_traded = self._is_traded or bool(fresh)
        for ward in self._wards if fresh else ():
            bands = self._released(ward, self._unready()) if ward.maker is maker else None
            if bands is not None and self._heed is not None:
                self._heed(maker, bands)

    def after(self, event: Event, now_ns: Ns, step: Step) -> None:
        kind = type(event)
        if kind in WORDS:
            self._settle(now_ns, step)
            return
        is_news = (bool(step.records) and self._hear(now_ns, step)) or self._is_traded
        self._is_traded = False
        match event:
            case Timer():
                is_news = self._on_time(now_ns, step) or is_news
            case VenueState() if event.market in self._makers:
                is_news = self._count(self._makers[event.market], now_ns, step) or is_news
            case BookLost():
                is_news = lose_books(self._wards, event.market, self.treasury) or is_news
            case Disconnected() if event.stream is Stream.PUBLIC:
                is_news = lose_books(self._wards, event.venue, self.treasury) or is_news
            case Trade():
                for ward in self._wards:
                    ward.count(event)
            case _:
                pass
        if is_news:
            self._settle(now_ns, step)

    # --- how ------------------------------------------------------------------------------------

    def _hear(self, now_ns: Ns, step: Step) -> bool:
        """What this fact made of orders, money and cover; whether any of it counts here.

        The desk of actions (proposals, conversions) has its word here, and in `_on_time`.
        """
        is_news = False
        for record in list(step.records):
            match record:
                case Fill() if self._purchases.is_new(record):
                    self._fill(record, step)
                    is_news = True
                case Adjusted() | TransferSent() | TransferArrived() | Paid() | Received():
                    is_news = self._count_at(record.venue, now_ns, step) or is_news
                case HedgeMoved():
                    is_news = self._join(record) or is_news
                case Opening() | OrderIntent():
                    self._join(record)
                case _:
                    pass
        return is_news

    def _join(self, record: Opening | OrderIntent | HedgeMoved) -> bool:
        """The same now as when it is read back from the journal; whether what is covered moved."""
        match record:
            case Opening():
                self._purchases.settle(record.market, record.trade_id)
            case OrderIntent():
                self._purchases.intend(record)
            case HedgeMoved():
                found = self._purchases.cover(record)
                if found is not None:
                    self.treasury.holdings.cover(*found)
                    return True
            case _:
                assert_never(record)
        return False

    def _fill(self, fill: Fill, step: Step) -> None:
        tell_out(self._wards, self.treasury.holdings)
        if self._purchases.is_conversion(fill):
            turn(self._purchases.traded(fill), self.treasury.holdings)
            self._count(self._makers[fill.market], fill.at_ns, step)
            return
        name = f"fill {fill.trade_id} on {fill.market}"
        self._keep(self.treasury.trade(self._purchases.traded(fill), name), step)

    def _count_at(self, venue: str, now_ns: Ns, step: Step) -> bool:
        """Money that moved without a trade is in the ledger of the account: a person said so."""
        makers = [m for m in self._makers.values() if m.quoter.setup.instrument.venue == venue]
        return venue in self._counted and self._count(makers[0], now_ns, step)

    def _count(self, maker: Maker, now_ns: Ns, step: Step) -> bool:
        """The venue has shown what it holds. Told where it is news, with the books beside it."""
        holdings = self.treasury.holdings
        seen = balances_of(maker, holdings.scheme, now_ns)
        same = all(holdings.held(seen.place, row.asset) == row.atoms for row in seen.holdings)
        if seen.place not in holdings.scheme.places or (same and seen.place in self._counted):
            return False
        self._counted.add(seen.place)
        tell_out(self._wards, self.treasury.holdings)
        for ward in self._wards:
            self._keep(ward.see(self.treasury, now_ns), step)
        self._keep(self.treasury.learn(seen, name_of(seen)), step)
        return True

    def _on_time(self, now_ns: Ns, step: Step) -> bool:
        """Once a second, and at once for a price that jumped."""
        is_due = now_ns >= self._due_ns
        wards = self._wards if is_due else [ward for ward in self._wards if ward.has_jumped]
        if not wards:
            return False
        tell_out(self._wards, self.treasury.holdings)
        for ward in wards:
            self._keep(ward.see(self.treasury, now_ns), step)
        if is_due:
            self._due_ns = next_turn_ns(now_ns, NS_PER_S, 0)
            for ward in wards:
                ward.pass_time(self.treasury, now_ns)
            self._keep(self.treasury.pass_time(now_ns), step)
            self._alarms.on_time(self.treasury, now_ns, step)
        return True

    def _keep(self, records: list[TreasuryRecord], step: Step) -> None:
        step.records += records
        self._alarms.hear(records, step)

    # --- bands out ------------------------------------------------------------------------------

    def _settle(self, now_ns: Ns, step: Step) -> None:
        unready = self._unready()
        for ward in self._wards:
            bands = self._released(ward, unready)
            if bands is None:
                ward.maker.look(now_ns, step)
            else:
                self._grant(ward.maker, bands, now_ns, step)

    def _released(self, ward: Ward, unready: str) -> Bands | None:
        """What it may use now. None, and a doubt, where that is nothing."""
        item = ward.item
        found = None if unready else self.treasury.release(item.venue, item.base)
        ward.released = found
        bands = None if found is None else bands_of_release(found, ward.lot_atoms, ward.wish)
        if bands is None:
            ward.maker.standing.doubt(SOURCE, unready if found is None else why_nothing(found))
        return bands

    def _grant(self, maker: Maker, bands: Bands, now_ns: Ns, step: Step) -> None:
        """Quotes are decided anew where they may be too large now, or where a side may begin."""
        assert self._heed is not None
        was_barred = SOURCE in maker.standing.doubts
        maker.standing.settle(SOURCE)
        before, position_lots = maker.quoter.bands, maker.keeper.position_lots(maker.market)
        if bands != before:
            self._heed(maker, bands)
        is_less = bands.floor_lots > before.floor_lots or bands.cap_lots < before.cap_lots
        is_other = bands.zone(position_lots) is not before.zone(position_lots)
        if was_barred or is_less or is_other:
            maker.look(now_ns, step, "" if was_barred else CAUSE)

    def _unready(self) -> str:
        """Why nothing is released yet, "" where all is known that must be."""
        if self._awaited:
            return f"not read yet: {min(self._awaited)}"
        unseen = self.treasury.holdings.unseen
        return f"not seen yet: {unseen[0][1]} at {unseen[0][0]}" if unseen else ""

    # --- for people -----------------------------------------------------------------------------

    def told(self, market: str) -> dict[str, Any]:
        for ward in self._wards:
            if ward.maker.market == market:
                return released_told(ward.released, self._unready(), self.treasury)
        return {}

    def account(self, picture: dict[str, Any], at: Callable[[Ns], str]) -> dict[str, Any]:
        return account_told(picture, self.treasury, at)
