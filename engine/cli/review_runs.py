"""A recorded session lived again: as it was, without a signal, neutral, and with a full hedge."""

from collections.abc import Iterable

import msgspec

from engine.cli.backtest_data import Data
from engine.cli.backtest_flags import latency_of
from engine.cli.backtest_run import OpeningWords, Wanted, accounts_of, engine_over
from engine.cli.progress import shown
from engine.cli.rebuild import config_of
from engine.cli.review_data import WORDS, Found, data_for, events_of, playbook_of_then
from engine.runtime.recording import Session
from engine.signals.ratings import SOURCE
from engine.sim.backtest import NOT_MODELLED, Backtest, Params, Result, merged
from engine.sim.counterfactual import Run, Score, Way, scores, words_for
from engine.sim.hedge_profit import Leg, with_hedges
from engine.sim.outcomes import Reviewed
from engine.values.events import Event, Halt, PlaybookSet, RatingSet, Resume, Stop
from engine.values.instrument import Instrument
from engine.values.records import Decision, HedgeMoved, HedgeSent, Ruled
from engine.values.step import Step
from engine.values.units import NS_PER_MS, Lot, Ns

SAMPLE_NS = 100 * NS_PER_MS
NO_HEDGE = (
    "{}: its config names no market to hedge it in, so a full hedge would be as it was, and "
    "nothing is held against it"
)


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One session's runs by market and way, the scores of its decisions, and what is not so."""

    epoch: int
    runs: dict[str, dict[Way, Run]]
    scores: list[Score]
    notes: list[str]


class Noted:
    """A back-test's watch: rulings, hedges, and how far each ladder could carry the position."""

    def __init__(self, markets: Iterable[str]) -> None:
        self.rows: dict[str, list[tuple[Ns, str]]] = {market: [] for market in markets}
        self.worst: dict[str, list[tuple[Ns, Lot]]] = {market: [] for market in self.rows}
        self.hedges: dict[str, str] = {}
        self._covered: dict[str, Lot] = {}

    def __call__(self, event: Event, step: Step) -> None:
        del event
        for record in step.records:
            match record:
                case Ruled():
                    self.rows[record.market].append((record.at_ns, record.row))
                case HedgeSent():
                    self.hedges[record.client_id] = record.market
                case HedgeMoved():
                    self._covered[record.market] = record.covered_lots
                case Decision():
                    held = int(record.inputs["position_lots"])
                    held -= self._covered.get(record.market, 0)
                    bids = sum(bid.lots for bid in record.ladder.bids)
                    self.worst[record.market].append((record.at_ns, held + bids))
                case _:
                    pass


def replayed(found: Found, reviewed: Reviewed, session: Session) -> Replayed:
    """Live one session again in every way. Raises UserError where its recording is damaged."""
    epoch, data = session.header.epoch, data_for(session)
    openings, notes = _openings(found, reviewed, session)
    if not openings:
        return Replayed(epoch=epoch, runs={}, scores=[], notes=notes)
    words = [event for event in events_of(session) if isinstance(event, (*WORDS, Stop))]
    span = _span(reviewed, epoch)
    before = _before(found, session, span[0])
    runs: dict[str, dict[Way, Run]] = {market: {} for market in data.instruments}
    hedged = _hedged(session)
    for way in Way:
        if way is Way.FULL_HEDGE and not hedged:
            continue
        told = [list(_said(way, [*before, *words], opening, span)) for opening in openings]
        for market, run in _run(session, data, told, way).items():
            if way is not Way.FULL_HEDGE or market in hedged:
                runs[market][way] = run
    kept = {opening.market: runs[opening.market] for opening in openings}
    found_scores = [
        score
        for market, mine in kept.items()
        for score in scores(
            [e for e in reviewed.epochs if (e.market, e.session) == (market, epoch)],
            mine,
            data.instruments[market].tick_lot_atoms,
            (span[0], span[1]),
        )
    ]
    notes += [NO_HEDGE.format(market) for market in kept if market not in hedged]
    return Replayed(epoch=epoch, runs=kept, scores=found_scores, notes=[*notes, NOT_MODELLED])


def _hedged(session: Session) -> list[str]:
    """Markets that may be covered somewhere. In others a full hedge would be as it was."""
    return [market.market for market in config_of(session.header).markets if market.hedge]


def _openings(
    found: Found, reviewed: Reviewed, session: Session
) -> tuple[list[PlaybookSet], list[str]]:
    openings, notes = [], []
    for market in config_of(session.header).markets:
        word, note = playbook_of_then(found, reviewed, session.header.epoch, market.market)
        openings += [word] if word else []
        notes += [note] if note else []
    return openings, notes


def _span(reviewed: Reviewed, epoch: int) -> tuple[Ns, Ns]:
    span = next(each for each in reviewed.sessions if each.epoch == epoch)
    return span.began_ns, span.ended_ns


def _before(found: Found, session: Session, at_ns: Ns) -> list[Event]:
    """What somebody had said of each market and still held when the session began.

    Said anew at that moment, so a rating of before is a little younger than it was.
    """
    last: dict[tuple[str, str], RatingSet | Halt | Resume] = {}
    for row in found.words:
        word = row.record
        if row.seq > session.header.past_seq:
            break
        if isinstance(word, Halt | Resume):
            last["halt", word.market] = word
        elif isinstance(word, RatingSet) and word.source != SOURCE and word.expires_ns > at_ns:
            last["rating", word.market] = word
    return [
        msgspec.structs.replace(word, at_ns=at_ns)
        for word in last.values()
        if not isinstance(word, Resume)
    ]


def _said(
    way: Way, words: list[Event], opening: PlaybookSet, span: tuple[Ns, Ns]
) -> Iterable[Event]:
    mine = [word for word in words if getattr(word, "market", "") in (opening.market, "")]
    return words_for(way, mine, opening, span)


def _run(session: Session, data: Data, told: list[list[Event]], way: Way) -> dict[str, Run]:
    """One life. Everything but the words is as in `ballast backtest` with its usual flags."""
    config, wanted = config_of(session.header), Wanted()
    name = f"the recorded config of session {session.header.epoch}"
    accounts, _ = accounts_of(config, data, wanted)
    engine, noted = engine_over(config, name, data), Noted(data.instruments)
    latency = latency_of(wanted.latency, wanted.feed)
    params = Params(seed=wanted.seed, latency=latency, sample_ns=SAMPLE_NS)
    facts = merged([*told, data.facts()])
    result = Backtest(engine, accounts, params, noted).run(
        shown(facts, f"facts, {way}"), OpeningWords(config, data)
    )
    lives: dict[str, Run] = {}
    for market, item in data.instruments.items():
        if market in result.markets:
            legs = _legs(market, data, result, noted)
            lives[market] = _told(way, item, result, (noted, legs))
    return lives


def _legs(market: str, data: Data, result: Result, noted: Noted) -> list[Leg]:
    """Where else than in itself the market was hedged."""
    legs = []
    for name, tally in result.markets.items():
        fills = [fill for fill in tally.fills if noted.hedges.get(fill.client_id) == market]
        if fills and name != market:
            legs.append(Leg(data.instruments[name], fills, tally.curve))
    return legs


def _told(way: Way, item: Instrument, result: Result, seen: tuple[Noted, list[Leg]]) -> Run:
    noted, legs = seen
    tally = result.markets[item.market]
    bought = sum(fill.lots for fill in tally.fills if fill.side.sign > 0)
    curve = with_hedges(tally.curve, item, legs)
    return Run(
        way=way,
        curve=curve,
        worst=noted.worst[item.market],
        rows=noted.rows[item.market],
        fills=len(tally.fills),
        bought_lots=bought,
        sold_lots=bought - tally.net_lots,
        spread_atoms=tally.spread_atoms,
        profit_atoms=curve[-1].profit_atoms if curve else 0,
    )
