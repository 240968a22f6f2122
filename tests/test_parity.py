"""A live session beside simulations of it: the same trades, the same queue, and why they differ."""

import json

import msgspec
import pytest
from typer.testing import CliRunner

from engine.cli.verbs import app_of
from engine.runtime.recorder import Recorder, RecorderParams
from engine.sim.account import Account
from engine.sim.matching.queue import Power, RiskAverse
from engine.sim.parity import CROSSED_ID, SameOrders
from engine.sim.parity_free import Stance, lots_by_trade, stance_of
from engine.sim.parity_live import arrivals, has_venue_clock, lived
from engine.sim.parity_why import Parity, Why, pairs
from engine.sim.recorded import PublicHalf, own_reports
from engine.sim.replay import Made, outcome_of
from engine.values.commands import Cancel, Place
from engine.values.errors import Failure, UserError
from engine.values.events import (
    BookDelta,
    BookSnapshot,
    Fill,
    OrderFailed,
    OrderReport,
    OrderSent,
    OrderState,
    Trade,
)
from engine.values.step import Step
from engine.values.units import NS_PER_MS, Side
from tests import recording_builders
from tests.recorded_live import recorded_session, venue_and_config
from tests.sim.venue import BTT, MARKET
from tests.sim.world import World
from tests.tearsheet_builders import Page, fill, trail

MS = NS_PER_MS
AMPLE = {"BTT": 10**30, "USDT": 10**30}


# --- a session made by hand ---------------------------------------------------------------------


class Scene:
    """Facts in order. Our bids are at 62, where strangers show 5; moments are in ms.

    The venue's word is 1 ms on its way, and its clock is ours.
    """

    def __init__(self, stamped=True, shown=5):
        self.stamped, self.entries, self.trades = stamped, [], 0
        self.add(BookSnapshot(market=MARKET, at_ns=2 * MS, venue_ns=self.venue(1), sequence=1,
                              bids=[(62, shown), (60, 50)], asks=[(64, 50)]))  # fmt: skip

    def add(self, entry):
        self.entries.append(entry)
        return self

    def venue(self, ms):
        return ms * MS if self.stamped else 0

    def made(self, command):
        return self.add(Made(outcome_of(Step(records=[], commands=[command], alerts=[]))))

    def placed(self, name, ms, lots=4, tick=62):
        """Sent 1 ms before it arrives at `ms`, answered 1 ms after."""
        self.made(Place(market=MARKET, client_id=name, side=Side.BUY, tick=tick, lots=lots,
                        post_only=True, at_ns=(ms - 1) * MS))  # fmt: skip
        self.add(OrderSent(market=MARKET, client_id=name, at_ns=(ms - 1) * MS))
        return self.told(name, ms, OrderState.OPEN, lots=lots, tick=tick)

    def told(self, name, ms, state, filled=0, lots=4, tick=62):
        return self.add(OrderReport(
            market=MARKET, client_id=name, venue_id=name, at_ns=(ms + 1) * MS,
            update_ns=self.venue(ms), state=state, side=Side.BUY, tick=tick, lots=lots,
            filled_lots=filled,
        ))  # fmt: skip

    def cancelled(self, name, ms):
        self.made(Cancel(market=MARKET, client_id=name, at_ns=(ms - 1) * MS))
        return self.told(name, ms, OrderState.CANCELED)

    def shown(self, ms, *bids, asks=()):
        return self.add(BookDelta(market=MARKET, at_ns=(ms + 1) * MS, venue_ns=self.venue(ms),
                                  sequence=ms, bids=list(bids), asks=list(asks)))  # fmt: skip

    def traded(self, ms, lots, ours="", number=0, tick=62):
        """A sale at our price; `ours` is the order that it filled, told just before."""
        self.trades += 1
        if ours:
            self.add(Fill(
                market=MARKET, client_id=ours, venue_id=ours, trade_id=number or self.trades,
                at_ns=(ms + 1) * MS, venue_ns=self.venue(ms), side=Side.BUY, tick=tick, lots=lots,
                fee_atoms=0, fee_asset="BTT", is_maker=True,
            ))  # fmt: skip
        return self.add(Trade(market=MARKET, at_ns=(ms + 1) * MS, venue_ns=self.venue(ms),
                              trade_id=self.trades, tick=tick, lots=lots,
                              aggressor=Side.SELL))  # fmt: skip

    def simulated(self, model=None):
        real, facts = lived(self.entries), [e for e in self.entries if not isinstance(e, Made)]
        public = PublicHalf({MARKET: True}, list(own_reports(facts))).facts(facts)
        feed_ns = None if has_venue_clock(real) else MS
        run = SameOrders(Account([BIG], AMPLE, model or Power(1.0)), feed_ns)
        return real, run.run(public, arrivals(real), {MARKET})

    def rows(self, model=None):
        """(trade, lots in reality, lots in the simulation, why), in order."""
        return [
            (row.key[1], row.real_lots, row.simulated_lots, row.why)
            for row in Parity(*self.simulated(model)).rows()
        ]


BIG = msgspec.structs.replace(BTT, notional_min=0)


def test_an_order_fills_by_the_trade_that_filled_it_live():
    scene = Scene().placed("a", 10).traded(20, 5).traded(30, 3, "a")
    assert scene.rows() == [(2, 3, 3, Why.SAME)]


def test_strangers_who_cancel_in_front_and_come_back_behind_leave_no_trace():
    scene = Scene().placed("a", 10).traded(20, 3, "a")
    assert scene.rows() == [(1, 3, 0, Why.QUEUE_LONG)]
    real, simulated = scene.simulated()
    assert Parity(real, simulated).rows()[0].front_lots == 5


def test_a_cancel_behind_us_that_a_model_takes_for_one_in_front():
    """Of 20 strangers 10 are ahead. 10 cancel: half of them in front, says the model."""
    scene = Scene(shown=10).placed("a", 10).shown(20, (62, 24)).shown(30, (62, 14)).traded(40, 8)
    assert scene.rows() == [(1, 0, 3, Why.QUEUE_SHORT)]
    assert scene.rows(RiskAverse()) == []


def test_an_order_that_filled_sooner_in_simulation_is_not_there_for_a_later_trade():
    scene = Scene(shown=10).placed("a", 10, lots=3).shown(20, (62, 23)).shown(30, (62, 13))
    scene.traded(40, 8).traded(50, 2).traded(60, 3, "a")
    assert [(n, why) for n, _, _, why in scene.rows()] == [(1, Why.QUEUE_SHORT), (3, Why.FILLED)]


def test_and_one_that_filled_sooner_in_reality_is_not_there_for_a_later_trade_either():
    scene = Scene().placed("a", 10).traded(20, 4, "a").told("a", 20, OrderState.FILLED, 4)
    scene.traded(20, 9)
    assert scene.rows() == [(1, 4, 0, Why.QUEUE_LONG), (2, 0, 4, Why.REAL_FILLED)]


def test_a_cancel_and_a_trade_in_one_moment_are_a_race():
    scene = Scene(shown=0).placed("a", 10).cancelled("a", 20).traded(20, 2)
    assert scene.rows() == [(1, 0, 2, Why.REAL_CANCELLED)]


def test_an_order_that_is_not_there_yet_fills_by_no_trade():
    late = Scene(stamped=False, shown=0).placed("a", 10)
    late.entries[-1] = msgspec.structs.replace(late.entries[-1], at_ns=40 * MS)
    assert late.traded(15, 2, "a").rows() == [(1, 2, 0, Why.NOT_YET)]


def test_an_order_that_the_recorded_book_would_have_crossed_is_refused():
    scene = Scene().shown(5, asks=[(62, 9)]).placed("a", 10).traded(20, 2, "a")
    assert scene.rows() == [(1, 2, 0, Why.REFUSED)]


def test_a_book_that_reaches_our_price_before_its_trade_is_told():
    scene = Scene().placed("a", 10).shown(20, (62, 0), asks=[(62, 4)])
    assert scene.rows() == [(CROSSED_ID, 0, 4, Why.CROSSED)]


def test_what_reality_refused_does_not_count_as_a_fill():
    scene = Scene(shown=0)
    scene.made(Place(market=MARKET, client_id="a", side=Side.BUY, tick=62, lots=4, post_only=True,
                     at_ns=9 * MS))  # fmt: skip
    scene.add(OrderSent(market=MARKET, client_id="a", at_ns=9 * MS))
    scene.add(OrderFailed(market=MARKET, client_id="a", at_ns=11 * MS, failure=Failure.REJECTED,
                          code="-2010", text="would cross"))  # fmt: skip
    assert scene.traded(20, 3).rows() == [(1, 0, 3, Why.REAL_REFUSED)]


def test_fills_of_which_the_recording_knows_too_little_say_so():
    scene = Scene(shown=0).placed("a", 10).traded(20, 2, "a", number=77).traded(30, 1, "before")
    why = {row[0]: row[3] for row in scene.rows()}
    assert why[77] is Why.NO_TRADE
    assert why[2] is Why.OLD_ORDER


def test_one_trade_fills_one_of_two_orders_in_the_simulation_and_the_other_in_reality():
    """In reality the elder one had gone to the end of the queue, which no message says."""
    scene = Scene(shown=0).placed("a", 10).placed("b", 12).traded(20, 4, "b")
    assert scene.rows() == [(1, 0, 4, Why.QUEUE_SHORT), (1, 4, 0, Why.SHARED)]


@pytest.mark.parametrize("stamped", [True, False])
def test_an_order_is_at_the_venue_when_its_stamp_says_or_half_way_to_its_answer(stamped):
    real = lived(Scene(stamped).placed("a", 10).cancelled("a", 30).entries)
    assert has_venue_clock(real) is stamped
    assert [(act.at_ns, act.ends) for act in arrivals(real)] == [(10 * MS, False), (30 * MS, True)]


def test_order_by_order_the_first_fills_are_told_on_one_clock():
    real, simulated = Scene().placed("a", 10).traded(20, 2, "a").traded(30, 6).simulated()
    [told] = pairs(real, simulated, None)
    assert (told.joined_lots, told.answer_ns) == (5, 2 * MS)
    assert (told.real_lots, told.simulated_lots) == (2, 3)
    assert (told.real_first_ns, told.simulated_first_ns) == (20 * MS, 30 * MS)


# --- a back-test of its own ---------------------------------------------------------------------


def trade(at_ns, number=1, lots=5, tick=62):
    return Trade(market=MARKET, at_ns=at_ns, trade_id=number, tick=tick, lots=lots,
                 aggressor=Side.SELL)  # fmt: skip


def test_a_back_test_s_fills_are_told_by_the_trades_of_their_moments():
    fills = [fill(BTT, 7, Side.BUY, 62, 4), fill(BTT, 7, Side.BUY, 62, 3), fill(BTT, 9, lots=2)]
    found = lots_by_trade(fills, [trade(10, 1), trade(10, 2), trade(14, 3)], 3)
    assert found == {(MARKET, 1): 5, (MARKET, 2): 2, (MARKET, CROSSED_ID): 2}


@pytest.mark.parametrize(
    ("bid", "lots", "stance"),
    [(62, (4, 4), Stance.SAME), (62, (4, 0), Stance.QUEUED), (61, (4, 0), Stance.ELSEWHERE),
     (62, (0, 4), Stance.MORE)],
)  # fmt: skip
def test_a_back_test_had_another_order_or_another_place(bid, lots, stance):
    report = OrderReport(
        market=MARKET, client_id="a", venue_id="1", at_ns=3, update_ns=3, state=OrderState.OPEN,
        side=Side.BUY, tick=bid, lots=9, filled_lots=0,
    )  # fmt: skip
    assert stance_of(trade(10), trail([], [report]), lots, 3) is stance


# --- whole sessions -----------------------------------------------------------------------------


def strangers(venue, place):
    total = dict(venue.book.levels(place.side)).get(place.tick, 0)
    mine = (
        r for r in venue.open_rows() if (r.order.side, r.order.tick) == (place.side, place.tick)
    )
    return total - sum(row.left for row in mine)


def session_with_truth(seed, seconds=30):
    """(entries of a session, by client id the strangers that were in front as it joined)."""
    world, entries, truth = World(seed), [], {}
    process, place = world.engine.process, world.venue.place

    def told(event):
        entries.append(event)
        step = process(event)
        if step.records or step.commands:
            entries.append(Made(outcome_of(step)))
        return step

    def placed(wish, *rest):
        refusal = place(wish, *rest)
        if not refusal:
            truth[wish.client_id] = strangers(world.venue, wish)
        return refusal

    world.engine.process, world.venue.place = told, placed
    world.run(seconds)
    return entries, truth


@pytest.mark.parametrize("seed", [1, 2])
def test_where_the_feed_tells_everything_the_queue_joined_is_the_true_one(seed):
    entries, truth = session_with_truth(seed)
    scene = Scene()
    scene.entries = entries
    _, simulated = scene.simulated()
    orders = {name: order for name, order in simulated.orders.items() if not order.refusal}
    assert len(orders) > 40
    assert {name: order.joined_lots for name, order in orders.items()} == {
        name: truth[name] for name in orders
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_the_careful_model_never_fills_an_order_for_more_than_reality_did(seed):
    scene = Scene()
    scene.entries, _ = session_with_truth(seed)
    real, simulated = scene.simulated(RiskAverse())
    found = list(pairs(real, simulated, None))
    assert sum(each.simulated_lots for each in found) > 0
    assert all(each.simulated_lots <= each.real_lots for each in found)
    assert Why.OTHER not in {row.why for row in Parity(real, simulated).rows()}


# --- the verb -----------------------------------------------------------------------------------


def ballast(*words):
    done = CliRunner().invoke(app_of(["parity"]), ["parity", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return done.exception, ""
    return done.exit_code, done.stdout


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    home = tmp_path_factory.mktemp("session")
    recorder = Recorder(home, recording_builders.header(), RecorderParams(free_bytes_min=0))
    recorder.start()
    recording_builders.lived(recorder, seconds=25)
    recorder.close()
    return home


def test_the_verb_tells_totals_reasons_latency_and_every_fill(session, tmp_path):
    page, tables = tmp_path / "p.html", tmp_path / "tables"
    code, printed = ballast(session, "--json", "--report", page, "--tables", tables)
    assert code == 0
    answer = json.loads(printed.splitlines()[-1])
    assert answer["unexplained"] == 0
    totals = {row["what"]: row for row in answer["totals"]}
    assert totals["orders"]["real"] == totals["orders"]["same_orders"] > 10
    assert totals["fills"]["real"] == sum(row["real"] != "0" for row in answer["parity_fills"]) > 3
    assert answer["latency"][0]["count"] > 10
    assert answer["latency"][0]["median_ms"] > 0
    told = json.loads((tables / "parity_fills.json").read_text())["rows"]
    assert told == answer["parity_fills"]
    drawn = Page(page.read_text())
    assert (drawn.scripts, drawn.outside, drawn.pictures) == (0, [], 1)
    assert len(drawn.ids) == len(set(drawn.ids))
    assert ballast(session, "--json") == (0, printed)


def test_the_text_names_what_differs(session):
    code, printed = ballast(session, "--queue", "risk-averse")
    assert code == 0
    assert "queue model risk-averse" in printed
    assert "What explains each difference" in printed


@pytest.mark.parametrize(
    ("words", "said"), [(("--epoch", 9), "no session 9"), (("--queue", "x"), "--queue")]
)
def test_what_cannot_be_compared_is_one_line(session, words, said):
    error, _ = ballast(session, *words)
    assert isinstance(error, UserError)
    assert said in str(error)


def test_a_session_without_an_order_has_nothing_to_compare(tmp_path):
    recording_builders.write_session(tmp_path, recording_builders.header(), [])
    error, _ = ballast(tmp_path)
    assert isinstance(error, UserError)
    assert "no order of this session was answered" in str(error)


async def test_a_live_session_on_the_loopback_venue_is_explained_to_the_last_fill(tmp_path):
    async with venue_and_config(tmp_path) as (_, config):
        await recorded_session(config, 4.0)
    code, printed = ballast(config.data_path, "--json")
    assert code == 0
    answer = json.loads(printed.splitlines()[-1])
    totals = {row["what"]: row for row in answer["totals"]}
    assert totals["orders"]["real"] == totals["orders"]["same_orders"] > 0
    assert answer["unexplained"] == 0
