"""Actions of the treasury through the whole engine: bands, signatures, conversions, crashes."""

import msgspec

from engine.runtime.authority_file import authority_word
from engine.trading.strategy import View, Wake
from engine.treasury.locks import total_atoms
from engine.treasury.proposals import Status
from engine.treasury.treasury import Treasury
from engine.values.action_records import AuthoritySet, Proposed, RosterSet, WordRefused
from engine.values.action_words import Scope, StopActions, WidenLimit
from engine.values.events import Timer
from engine.values.execution_records import ChildSent, ParentState, Switched
from engine.values.intents import Ladder, Level, Reason
from engine.values.ledger_words import Received
from engine.values.rebalance_records import BandMoved, BandsChecked, BandZone
from engine.values.treasury_words import (
    FloatSet,
    LimitRow,
    LimitsSet,
    LimitWidened,
    Measure,
    Obligation,
    ObligationSet,
)
from tests.action_builders import (
    ANNA,
    FAY,
    OTTO,
    ROSTER,
    roster_set,
    transfer,
)
from tests.hedge_world import TOKEN, S
from tests.treasury_world import (
    POLICY,
    TARGET,
    UNIT,
    M,
    TreasuryWorld,
    only,
    over,
    sale,
    signed_by_two,
    status,
    word,
)


def test_a_float_over_its_band_is_proposed_allowed_sold_in_stages_and_done():
    world = over()
    world.run(200)
    assert only(world).status is Status.DONE
    assert world.gone == 0, "all that was above the target"
    assert len(world.of(ChildSent)) >= 3
    assert all(place.is_ioc for place in world.places)
    assert [type(record) for record in world.of(BandMoved)] == [BandMoved, BandMoved]


def test_what_was_converted_is_no_longer_the_market_makers_and_is_not_sold_again():
    world = over()
    world.run(200)
    last = world.of(FloatSet)[-1]
    assert last.atoms == TARGET * UNIT
    assert "rebalanced at loopback" in last.reason
    world.now += 24 * 3_600 * S
    world.run(30)
    assert len(world.of(BandsChecked)) == 2
    assert len(world.of(Proposed)) == 1


def test_the_day_is_not_spent_before_the_market_is_measured():
    world = TreasuryWorld(begin=[ROSTER])
    world.now += 3_600 * S
    world.feed(Timer(at_ns=world.now))
    assert world.of(BandsChecked) == []
    world.run(4)
    assert len(world.of(BandsChecked)) == 1


def test_a_breach_after_the_daily_check_is_an_alert_at_once_and_a_trade_the_day_after():
    world = TreasuryWorld(begin=[ROSTER])
    world.depth[TOKEN] = 4 * M
    world.now += 3_600 * S
    world.run(4)
    assert len(world.of(BandsChecked)) == 1
    world.move(6 * M)
    world.run(30)
    assert [one.after for one in world.of(BandMoved)] == [BandZone.OVER]
    assert [text for text in world.alerts if "BTT at loopback is" in text] == [
        "BTT at loopback is over its upper band: 130.0 % of its target"
    ]
    assert (world.of(Proposed), world.places) == ([], [])
    world.now += 24 * 3_600 * S
    world.run(30)
    assert len(world.of(Proposed)) == 1
    assert world.places


def test_a_larger_action_waits_for_two_people_and_begins_with_the_second():
    world = TreasuryWorld(begin=[ROSTER])
    world.depth[TOKEN] = 10 * M
    world.run(4)
    asked = word(world, "p1", sale(world, 8 * M))
    world.feed(asked)
    world.feed(OTTO.answers(asked, world.now))
    world.run(5)
    assert (status(world, "p1"), world.begun) == (Status.PROPOSED, [])
    world.feed(FAY.answers(asked, world.now))
    world.run(200)
    assert (status(world, "p1"), world.gone) == (Status.DONE, 8 * M)
    assert world.begun == [world.desk.proposals["p1"].digest[:16]]


def test_a_word_that_is_not_theirs_is_refused_and_changes_nothing():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    asked = word(world, "p1", sale(world, 8 * M))
    forged = msgspec.structs.replace(asked, signature=bytes(64))
    world.feed(forged)
    assert world.desk.proposals.all() == []
    assert "not signed" in world.of(WordRefused)[-1].why


def test_what_is_reserved_is_never_converted_whatever_people_sign():
    world = TreasuryWorld(begin=[ROSTER])
    world.depth[TOKEN] = 10 * M
    due = world.now // (86_400 * S) + 3
    debt = Obligation(name="o", due=due, function="rebates", asset="BTT", atoms=15 * M * UNIT)
    world.feed(ObligationSet(at_ns=world.now, who="file", name="o.csv", digest="", rows=[debt]))
    world.run(4)
    signed_by_two(world, "p1", sale(world, 8 * M))
    world.run(200)
    assert 0 < world.gone <= 5 * M


def test_a_book_that_goes_away_leaves_the_rest_to_a_person():
    world = TreasuryWorld(begin=[ROSTER])
    world.depth[TOKEN] = 10 * M
    world.run(4)
    signed_by_two(world, "p1", sale(world, 8 * M))
    world.run(2)
    world.depth[TOKEN] = 0
    world.run(600)
    (parent,) = world.parents.values()
    assert parent.state is ParentState.HANDED_OVER
    assert status(world, "p1") is Status.EXECUTING


def test_a_kill_switch_ends_what_is_under_way():
    world = TreasuryWorld(begin=[ROSTER])
    world.depth[TOKEN] = 10 * M
    world.run(4)
    signed_by_two(world, "p1", sale(world, 16 * M))
    while len(world.of(ChildSent)) < 2:
        world.turn()
    world.feed(word(world, "p2", StopActions(scope=Scope.ALL, name="")))
    world.run(30)
    assert status(world, "p2") is Status.DONE
    assert len(world.of(Switched)) == 1
    ended = world.desk.proposals["p1"]
    assert (ended.status, ended.has_moved) == (Status.FAILED, True)
    assert 0 < world.gone < 16 * M


def test_a_switch_goes_off_again_by_two_people_alone():
    world = TreasuryWorld(begin=[ROSTER])
    world.depth[TOKEN] = 10 * M
    world.run(4)
    world.feed(word(world, "p1", StopActions(scope=Scope.VENUE, name="loopback")))
    world.run(2)
    signed_by_two(world, "p2", sale(world, 8 * M))
    world.run(30)
    assert (world.gone, status(world, "p2")) == (0, Status.FAILED)
    off = WidenLimit(limit="switch venue loopback", was="on", becomes="off")
    signed_by_two(world, "p3", off)
    world.run(2)
    assert status(world, "p3") is Status.DONE
    assert not world.work.conversions.desk.switches.on
    world.start()
    assert not world.work.conversions.desk.switches.on
    world.run(10)
    signed_by_two(world, "p4", sale(world, 8 * M))
    world.run(200)
    assert (world.gone, status(world, "p4")) == (8 * M, Status.DONE)


def test_what_was_handed_over_goes_on_when_two_people_give_it_back():
    world = TreasuryWorld(begin=[ROSTER])
    world.depth[TOKEN] = 10 * M
    world.run(4)
    signed_by_two(world, "p1", sale(world, 8 * M))
    world.run(2)
    world.books[TOKEN] = (6_150, 6_152)  # below the ceiling of its slippage
    world.run(600)
    (name,) = world.parents
    world.books[TOKEN] = (6_299, 6_301)
    world.run(30)
    assert world.parents[name].state is ParentState.HANDED_OVER
    signed_by_two(
        world, "p2", WidenLimit(limit=f"conversion {name}", was="handed over", becomes="working")
    )
    world.run(200)
    assert (world.gone, status(world, "p1"), status(world, "p2")) == (
        8 * M, Status.DONE, Status.DONE,
    )  # fmt: skip


class Bids:
    """Quotes one bid of ours at the touch."""

    wake = Wake()

    def quote(self, view: View) -> Ladder:
        reason = Reason(reference=6_299.0, skew=0.0, width=1.0, rounding=0.0, stance="test")
        bid = Level(tick=6_299, lots=1_000, reason=reason)
        return Ladder(bids=(bid,), asks_absent="only bids")


def test_our_own_bids_leave_for_a_conversion_and_come_back_when_it_is_over():
    world = TreasuryWorld(begin=[ROSTER], strategy=Bids())
    world.depth[TOKEN] = 10 * M
    world.run(4)
    orders = world.engine.keepers["loopback"].orders
    assert orders.sums(TOKEN).bid_tick == 6_299
    signed_by_two(world, "p1", sale(world, 8 * M))
    while not world.of(ChildSent):
        world.turn()
        assert world.now < world.begun_ns + 60 * S
    assert orders.sums(TOKEN).working_bid_lots == 0
    world.run(300)
    assert (world.gone, status(world, "p1")) == (8 * M, Status.DONE)
    assert orders.sums(TOKEN).bid_tick == 6_299


def test_a_start_with_the_same_files_says_nothing_new():
    policy = authority_word(POLICY, "treasury.toml", "file", 0)
    world = TreasuryWorld(begin=[policy, ROSTER])
    assert len(world.of(AuthoritySet)) == len(world.of(RosterSet)) == 1
    world.start()
    world.run(4)
    assert len(world.of(AuthoritySet)) == len(world.of(RosterSet)) == 1
    assert len(world.desk.roster.people) == 5


def test_what_nobody_here_can_carry_out_is_refused_when_it_is_asked_for():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    world.feed(word(world, "p1", transfer(8 * M)))
    assert world.desk.proposals.all() == []
    why = "no place can carry it out: transfer needs [chain] in the treasury file"
    assert world.of(WordRefused)[-1].why == why


def test_a_sale_without_a_plan_fails_with_the_reason():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    now = sale(world, 8 * M)
    signed_by_two(world, "p1", msgspec.structs.replace(now, until_ns=world.now + 5 * S))
    world.run(3)
    ended = world.desk.proposals["p1"]
    assert ended.status is Status.FAILED
    assert ended.why


# --- limits, files --------------------------------------------------------------------------------


def turnover(tokens: int) -> LimitRow:
    return LimitRow(
        name="turnover", measure=Measure.TURNOVER, asset="BTT", tokens=str(tokens), money="99999"
    )


def told(world: TreasuryWorld, row: LimitRow) -> None:
    limits = LimitsSet(at_ns=world.now, who="file", name="t.toml", digest="", rows=[row])
    world.feed(limits)


def treasury(world: TreasuryWorld) -> Treasury:
    return world.work.steward.treasury


def test_a_wider_limit_holds_once_two_people_signed_it():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    told(world, turnover(10 * M))
    told(world, turnover(30 * M))
    assert treasury(world).limits.rows == [turnover(10 * M)]
    was, becomes = (msgspec.json.encode(turnover(n * M)).decode() for n in (10, 30))
    signed_by_two(world, "p1", WidenLimit(limit="turnover", was=was, becomes=becomes))
    world.run(3)
    assert treasury(world).limits.rows == [turnover(30 * M)]
    assert status(world, "p1") is Status.DONE
    assert world.of(LimitWidened)[0].action == world.desk.proposals["p1"].digest
    world.start()
    assert treasury(world).limits.rows == [turnover(30 * M)]


def test_a_widening_that_nobody_waits_for_fails():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    told(world, turnover(10 * M))
    was, becomes = (msgspec.json.encode(turnover(n * M)).decode() for n in (10, 30))
    signed_by_two(world, "p1", WidenLimit(limit="turnover", was=was, becomes=becomes))
    world.run(3)
    assert status(world, "p1") is Status.FAILED
    assert treasury(world).limits.rows == [turnover(10 * M)]


def test_a_wider_roster_comes_into_force_when_two_people_agreed_to_it():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    smaller = roster_set(ANNA.person(), FAY.person(), OTTO.person())
    world.feed(msgspec.structs.replace(smaller, at_ns=world.now))
    world.feed(msgspec.structs.replace(ROSTER, at_ns=world.now))
    assert len(world.desk.roster.people) == 3
    world.run(2)
    wide = WidenLimit(limit="roster", was=smaller.digest, becomes=ROSTER.digest)
    signed_by_two(world, "p1", wide)
    world.run(3)
    assert status(world, "p1") is Status.DONE
    assert len(world.desk.roster.people) == 5


def test_the_turnover_cap_pauses_a_conversion():
    world = TreasuryWorld(begin=[ROSTER])
    world.depth[TOKEN] = 10 * M
    told(world, turnover(5 * M))
    world.run(4)
    signed_by_two(world, "p1", sale(world, 8 * M))
    world.run(60)
    (parent,) = world.parents.values()
    assert parent.state is ParentState.PAUSED
    assert "turnover" in parent.why
    assert 0 < world.gone <= 5 * M


def test_a_word_for_the_books_is_journaled():
    world = TreasuryWorld()
    paid = Received(
        venue="loopback", at_ns=world.now, ref="r1", asset="BTT", atoms=5, cost_atoms=None,
        counterparty="x",
    )  # fmt: skip
    world.feed(paid)
    assert world.records[-1] == paid


def test_a_sale_where_no_market_of_ours_is_is_refused_when_it_is_asked_for():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(4)
    elsewhere = msgspec.structs.replace(sale(world, 1 * M), venues=["binance"])
    world.feed(word(world, "p1", elsewhere))
    [refused] = world.of(WordRefused)
    assert refused.why == "venues: no market of ours at binance; there are: loopback"
    assert world.desk.proposals.get("p1") is None


def test_a_sale_that_ended_says_in_tokens_how_much_was_done():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(8)
    signed_by_two(world, "p1", sale(world, 4 * M))
    world.run(300)
    assert status(world, "p1") is Status.DONE
    assert world.desk.proposals["p1"].why == "4000000 of 4000000 BTT; all of it"


def test_a_sale_of_more_than_there_is_anywhere_is_refused_when_it_is_asked():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(8)
    facts = world.work.steward.treasury.holdings.facts()
    held = total_atoms(facts, "BTT") // 10**8
    world.feed(word(world, "p1", sale(world, held + 1)))
    why = f"{held + 1} BTT is more than all that is held: {held}"
    assert world.of(WordRefused)[-1].why == why
    world.feed(word(world, "p2", sale(world, held)))
    assert world.desk.proposals.get("p1") is None
    assert world.desk.proposals.get("p2") is not None


def test_a_sale_whose_time_passes_before_it_can_begin_says_so():
    world = TreasuryWorld(begin=[ROSTER])
    world.run(8)
    late = msgspec.structs.replace(sale(world, 4 * M), until_ns=world.now + 1)
    signed_by_two(world, "p1", late)
    world.run(5)
    assert status(world, "p1") is Status.FAILED
    assert world.desk.proposals["p1"].why.endswith(" s, the time for it has passed")
