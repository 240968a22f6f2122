"""Each fault by its id on the whole live engine, against the loopback venue over real sockets.

Bounds in seconds are those of the promise: a feed that is silent is noticed within 3 s and the
quotes are gone within 3.5 s, on the monotonic clock of a bystander who counts no time in which the
machine let nobody run. What a test measured is in `record_property`, so that a report shows it.
"""

import asyncio
import time

import pytest

from adapters.loopback.shaping import KINDS
from engine.trading.standing import MarketState
from engine.values.commands import Cancel, CancelAll, Place, QueryOrder, Reconcile
from engine.values.errors import Failure
from engine.values.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    CancelFailed,
    Disconnected,
    Fill,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    Quarantined,
    QueryFailed,
    Stream,
    VenueState,
)
from tests.live_world import ACCOUNT, MARKET, SYMBOL, is_no_quoting, live_world

NOTICED_S_MAX = 3.0
GONE_S_MAX = 3.5
HARMLESS = ("unknown_field",)
"""A venue may add fields: such a frame is read."""


def struck(world, fault_id):
    return [what for _, name, what in world.truth().faults if name == fault_id]


def first(world, kind, since_s, is_it=lambda event: True):
    found = (a for a in world.acted if a.at_s >= since_s and isinstance(a.event, kind))
    return next((a for a in found if is_it(a.event)), None)


def pulls_at_once(world, acted, since_s):
    """The very fact pulls, where nothing had pulled before: as a machine that stood still does."""
    with world.bystander.undisturbed(since_s):
        assert [type(command) for command in acted.step.commands] == [CancelAll]


def at_strike(world, fault_id, act):
    """Do something at the very moment at which a fault strikes, before its frames leave."""
    struck = world.venue.faults.struck

    def noted(fault, what):
        if fault.fault_id == fault_id:
            act()
        return struck(fault, what)

    world.venue.faults.struck = noted


def unknown(world, since_s):
    """Orders of which nobody knew what became of them, by name, with the failure that said so."""
    return {each.event.client_id: each for each in world.failures(Failure.UNKNOWN, since_s)}


async def gone_in_time(world, began_s, noticed, record_property):
    """The promise: noticed, and nothing left at the venue, so many seconds after it began."""
    gone = await world.pulled(began_s)
    noticed_s = world.bystander.ran_s(began_s, noticed.at_s)
    gone_s = world.bystander.ran_s(began_s, gone.at_s)
    record_property("noticed_s", noticed_s)
    record_property("gone_s", gone_s)
    assert noticed_s < NOTICED_S_MAX
    assert gone_s < GONE_S_MAX
    return gone


def books_agree(world):
    """The engine's book is the venue's, level by level, if both stand at the same update."""
    market, quoter = world.venue.exchange.markets[SYMBOL], world.maker.quoter
    return quoter.sequence == market.update_id and quoter.book.is_valid


# --- market data


async def test_F01_the_message_after_a_lost_delta_pulls_and_the_book_is_built_anew(tmp_path):
    async with live_world(tmp_path) as world:
        await world.calm()
        began_s = time.monotonic()
        world.venue.faults.inject("F01")
        lost = await world.until(lambda: first(world, BookLost, began_s), "the loss")
        pulls_at_once(world, lost, began_s)
        assert "gap" in lost.event.reason
        await world.pulled(began_s)
        await world.quoting()
        after = [a.event for a in world.acted if a.at_s > lost.at_s]
        books = [fact for fact in after if isinstance(fact, BookDelta | BookSnapshot)]
        assert isinstance(books[0], BookSnapshot), "something was applied past the gap"
        second = world.maker.quoter.second_stream
        compared = second.compared
        await world.stir_until(lambda: second.compared > compared + 3, "comparisons")
        assert second.matched == second.compared


async def test_F09_a_depth_stream_that_falls_silent_alone_is_pulled_by_the_second(
    tmp_path, record_property
):
    async with live_world(tmp_path) as world:
        await world.calm()
        began_s = time.monotonic()
        world.venue.faults.inject("F09")
        noticed = await world.moment(began_s, lambda m: m.is_blind, "the doubt")
        gone = await gone_in_time(world, began_s, noticed, record_property)
        with world.bystander.undisturbed(began_s):
            assert noticed.reason.startswith("stalled")
            assert not world.facts(Disconnected, began_s)
        await asyncio.sleep(0.5)
        assert not world.facts(BookDelta, noticed.at_s)
        assert not world.commands(Place, gone.at_s), "quoted without a depth stream"
        world.venue.faults.heal("F09")
        await world.quoting()


async def test_F10_a_venue_that_freezes_is_noticed_and_reconciled_before_a_quote(
    tmp_path, record_property
):
    async with live_world(tmp_path) as world:
        await world.calm()
        began_s = time.monotonic()
        world.venue.faults.inject("F10")
        canceled = world.truth().counters["canceled"]
        noticed = await world.moment(began_s, lambda m: m.is_blind, "the doubt")
        noticed_s = world.bystander.ran_s(began_s, noticed.at_s)
        record_property("noticed_s", noticed_s)
        assert noticed_s < NOTICED_S_MAX
        assert [c for c in world.commands(CancelAll, began_s) if c.at_ns], "no cancel was asked"
        pulled_s = time.monotonic()
        await asyncio.sleep(1.5)
        assert world.truth().counters["canceled"] == canceled, "a frozen venue cannot have canceled"
        world.venue.faults.heal("F10")
        await world.quoting()
        places = [a.at_s for a in world.acted if a.at_s > pulled_s
                  and any(isinstance(c, Place) for c in a.step.commands)]  # fmt: skip
        proofs = [a.at_s for a in world.acted if a.at_s > pulled_s
                  and isinstance(a.event, VenueState)]  # fmt: skip
        assert proofs[0] <= places[0], "quoted before it was reconciled"


@pytest.mark.parametrize("url", ["ws.spot", "ws.ws-api.spot"])
async def test_F10_a_half_open_stream_is_noticed_and_the_quotes_are_gone_in_time(
    tmp_path, record_property, url
):
    async with live_world(tmp_path, proxied=(url,)) as world:
        await world.calm()
        proxy, began_s = world.proxies[url], time.monotonic()
        proxy.black_hole()
        noticed = await world.moment(began_s, lambda m: m.is_blind, "the doubt")
        gone = await gone_in_time(world, began_s, noticed, record_property)
        await asyncio.sleep(0.5)
        assert not world.commands(Place, gone.at_s), "quoted without a stream"
        assert not world.truth().open_orders
        proxy.cut()
        proxy.let_through()
        await world.quoting()


@pytest.mark.parametrize("stream", ["depth", "trade", "bookTicker"])
async def test_F13_every_kind_of_malformed_frame_is_counted_and_survived(tmp_path, stream):
    async with live_world(tmp_path) as world:
        await world.calm()
        began_s = time.monotonic()
        bad = [kind for kind in KINDS if kind not in HARMLESS]
        if stream != "depth":
            bad = ["truncated", "not_json", "utf8", "wrong_type", "huge"]
        for kind in bad:
            world.venue.faults.inject("F13", kind=kind, stream=stream)
        await world.stir_until(lambda: len(struck(world, "F13")) == len(bad), "the strikes")
        lost = await world.until(lambda: first(world, BookLost, began_s), "the loss")
        pulls_at_once(world, lost, began_s)
        await world.quoting()
        found = world.facts(Quarantined, began_s)
        assert 0 < len(found) <= len(bad)
        assert world.live.engine.disturbances.quarantined == len(found)
        assert all(len(fact.digest) == 64 and fact.excerpt.isprintable() for fact in found)


async def test_F13_an_unknown_field_is_no_fault(tmp_path):
    async with live_world(tmp_path) as world:
        await world.calm()
        world.venue.faults.inject("F13", kind="unknown_field", count=3)
        await world.stir_until(lambda: len(struck(world, "F13")) == 3, "the strikes")
        await world.calm()
        assert not world.facts(Quarantined)


async def test_F13_a_flood_of_malformed_frames_freezes_until_a_person_resumes(tmp_path):
    async with live_world(tmp_path) as world:
        await world.calm()
        began_s = time.monotonic()
        world.venue.faults.inject("F13", kind="not_json", count=0)
        await world.stir_until(lambda: world.state is MarketState.CANCEL_ONLY, "the freeze")
        assert "unreadable" in world.reason
        assert any(alert.level == "critical" for alert in world.alerts)
        await world.pulled(began_s)
        world.venue.faults.heal("F13")
        frozen_s = time.monotonic()
        await asyncio.sleep(1.0)
        assert world.state is MarketState.CANCEL_ONLY
        assert not world.commands(Place, frozen_s)
        await world.resume()
        await world.quoting()


# --- order entry


async def test_O02_an_order_whose_answer_is_lost_is_known_by_the_private_stream(tmp_path):
    async with live_world(tmp_path) as world:
        began_s = time.monotonic()
        world.venue.faults.inject("O02", count=2)
        await world.stir_until(lambda: len(struck(world, "O02")) == 2, "the strikes")
        lost = struck(world, "O02")
        await world.until(lambda: set(lost) <= unknown(world, began_s).keys(), "time-outs")
        await world.until(
            lambda: set(lost) <= {fact.client_id for fact in world.facts(OrderReport, began_s)},
            "the private stream's word",
        )
        await world.calm()
        sent = [command.client_id for command in world.commands(Place)]
        assert all(sent.count(client_id) == 1 for client_id in lost)


async def test_O02_without_a_private_stream_it_is_unknown_counted_and_found_by_query(tmp_path):
    proxied = ("ws.ws-api.spot",)
    async with live_world(tmp_path, proxied=proxied, reconcile_s=60.0) as world:
        await world.calm()
        began_s = time.monotonic()
        at_strike(world, "O02", world.proxies["ws.ws-api.spot"].black_hole)
        world.venue.faults.inject("O02")
        await world.stir_until(lambda: struck(world, "O02"), "the strike")
        (lost,) = struck(world, "O02")
        await world.until(lambda: lost in unknown(world, began_s), "the time-out")
        failed = unknown(world, began_s)[lost]
        assert failed.counted[lost] in ("unknown", "cancel_sent"), failed.counted
        await world.until(
            lambda: any(r.client_id == lost for r in world.facts(OrderReport, began_s)),
            "the answer to the query",
        )
        assert any(
            isinstance(c, QueryOrder) and c.client_id == lost
            for c in world.commands(since_s=began_s)
        )
        world.proxies["ws.ws-api.spot"].cut()
        world.proxies["ws.ws-api.spot"].let_through()
        await world.quoting()


@pytest.mark.parametrize("executed", ["true", "false"])
async def test_O04_a_server_error_is_unknown_counted_and_never_sent_again(tmp_path, executed):
    answers = ["-1006", "-1007", "500", "502", "503", "504"]
    async with live_world(tmp_path) as world:
        began_s = time.monotonic()
        for answer in answers:
            world.venue.faults.inject("O04", answer=answer, execute=executed)
        await world.stir_until(lambda: len(struck(world, "O04")) == len(answers), "the strikes")
        lost = struck(world, "O04")
        await world.until(lambda: set(lost) <= unknown(world, began_s).keys(), "the answers")
        for failed in world.failures(Failure.UNKNOWN, began_s):
            is_over = executed == "true" and failed.event.client_id not in failed.counted
            assert is_over or failed.counted[failed.event.client_id]
        if executed == "false":
            await world.until(
                lambda: set(lost) <= {f.client_id for f in world.facts(OrderAbsent, began_s)},
                "the proofs",
            )
        await world.until(lambda: not world.maker.keeper.orders.unknown(MARKET), "every answer")
        await world.calm()
        names = [order.client_id for order in world.truth().orders]
        assert [names.count(c) for c in lost] == [int(executed == "true")] * len(lost)
        sent = [command.client_id for command in world.commands(Place)]
        assert all(sent.count(client_id) == 1 for client_id in lost)


async def test_O08_a_cancel_of_an_order_that_was_just_filled_books_the_fill(tmp_path):
    async with live_world(tmp_path) as world:
        began_s = time.monotonic()
        world.venue.faults.inject("O08")
        await world.stir_until(lambda: struck(world, "O08"), "the strike")
        (filled,) = struck(world, "O08")
        await world.until(
            lambda: any(f.client_id == filled for f in world.facts(CancelFailed, began_s)),
            "the refusal of the cancel",
        )
        await world.until(
            lambda: any(f.client_id == filled for f in world.facts(Fill, began_s)), "the fill"
        )
        order = world.maker.keeper.orders.get(filled)
        await world.until(lambda: str(order.status) == "filled", "the end of the order")
        assert order.booked_lots == order.lots
        await world.calm()


async def test_O08_without_a_private_stream_the_order_counts_until_a_query_tells(tmp_path):
    proxied = ("ws.ws-api.spot",)
    async with live_world(tmp_path, proxied=proxied, reconcile_s=60.0) as world:
        await world.calm()
        began_s = time.monotonic()
        at_strike(world, "O08", world.proxies["ws.ws-api.spot"].black_hole)
        world.venue.faults.inject("O08")
        await world.stir_until(lambda: struck(world, "O08"), "the strike")
        (filled,) = struck(world, "O08")
        refused = await world.until(
            lambda: first(world, CancelFailed, began_s, lambda f: f.client_id == filled),
            "the refusal",
        )
        assert refused.event.code == "-2011"
        assert filled in refused.counted, "canceled was taken for granted"
        world.proxies["ws.ws-api.spot"].cut()
        world.proxies["ws.ws-api.spot"].let_through()
        await world.until(
            lambda: any(f.client_id == filled for s in world.facts(VenueState, began_s)
                        for f in s.fills),
            "the fill in a reading",
        )  # fmt: skip
        await world.quoting()
        order = world.maker.keeper.orders.get(filled)
        assert order is None or order.booked_lots == order.lots


async def test_O15_after_a_429_nothing_but_cancels_until_the_venue_lets_us(tmp_path):
    async with live_world(tmp_path) as world:
        await world.calm()
        began_s = time.monotonic()
        world.venue.faults.inject("O15", retry=2, before_ban=100)
        refused = await stirred_until_refused(world, began_s)
        await world.moment(refused.at_s, lambda m: "rate limit" in m.reason, "the pull")
        asked = await world.until(
            lambda: next(iter(world.commands(Reconcile, refused.at_s)), None), "the next question"
        )
        waited_ns = asked.at_ns - refused.event.at_ns
        assert waited_ns >= refused.event.retry_after_ns > 0, "asked before Retry-After was over"
        since = world.commands(since_s=refused.at_s)
        before = since[: since.index(asked)]
        assert {type(command) for command in before} <= {Cancel, CancelAll}
        await world.quoting()
        assert world.truth().counters["418"] == 0


async def test_O15_while_banned_nothing_reaches_the_venue_and_then_it_goes_on(tmp_path):
    async with live_world(tmp_path, reconcile_s=60.0) as world:
        await world.calm()
        began_s = time.monotonic()
        heard = requests_heard(world)
        world.venue.faults.inject("O15", retry=1, before_ban=0, ban=3)
        banned = await stirred_until_refused(world, began_s)
        await world.moment(banned.at_s, is_no_quoting, "the pull")
        await asyncio.sleep(2.5)
        # What had left before the ban was known may arrive a little after it.
        late = [each for each in heard if 0.3 < each[0] - banned.at_s < 2.5]
        with world.bystander.undisturbed(began_s):
            assert late == [], "something was sent while banned"
        assert any(alert.level == "critical" for alert in world.alerts), "nobody was called"
        await world.quoting()


async def stirred_until_refused(world, since_s):
    """The first answer by which the venue forbids more for a while."""

    def refused():
        kinds = (OrderFailed, CancelFailed, QueryFailed)
        return first(world, kinds, since_s, lambda f: f.code in ("429", "418", "-1003"))

    await world.stir_until(refused, "the refusal")
    return refused()


def requests_heard(world):
    """(monotonic moment, call) of each request that the venue takes from now on."""
    heard, answer = [], world.venue.api.answer

    def noted(request, now_ns):
        heard.append((time.monotonic(), request.call))
        return answer(request, now_ns)

    world.venue.api.answer = noted
    return heard


# --- private stream


async def test_P01_fills_missed_while_the_private_stream_was_away_are_booked_before_a_quote(
    tmp_path,
):
    async with live_world(tmp_path) as world:
        await world.calm()
        before, began_s = len(world.truth().fills), time.monotonic()
        world.venue.faults.inject("P01", fills=2, for_s=1)
        missed = {fill.trade_id for fill in world.truth().fills[before:]}
        assert len(missed) >= 2
        lost = await world.until(
            lambda: first(world, Disconnected, began_s, lambda f: f.stream is Stream.PRIVATE),
            "the loss",
        )
        pulls_at_once(world, lost, began_s)
        await world.pulled(began_s)
        await world.quoting()
        found = [a for a in world.acted if a.at_s >= began_s and isinstance(a.event, VenueState)
                 and missed <= {fill.trade_id for fill in a.event.fills}]  # fmt: skip
        places = [a.at_s for a in world.acted if a.at_s >= lost.at_s
                  and any(isinstance(c, Place) for c in a.step.commands)]  # fmt: skip
        assert found[0].at_s <= places[0], "quoted before the missed fills were known"


async def test_P02_a_fill_that_is_told_again_and_again_is_booked_once(tmp_path):
    async with live_world(tmp_path) as world:
        await world.calm()
        began_s = time.monotonic()
        world.venue.faults.inject("P02", times=3, count=0)
        taken = set(world.take(2))
        await world.until(
            lambda: len([f for f in world.facts(Fill, began_s) if f.client_id in taken]) >= 6,
            "three tellings of two fills",
        )
        results = world.maker.keeper.portfolio.results(MARKET)
        told = {fill.trade_id for fill in world.facts(Fill)}
        assert results.fill_count == len(told)
        asked = len(world.commands(Reconcile))
        await world.until(lambda: len(world.commands(Reconcile)) >= asked + 2, "readings")
        await world.calm()
        assert world.state is MarketState.QUOTING
        assert ACCOUNT in world.truth().balances
