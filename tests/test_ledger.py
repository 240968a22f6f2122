"""The books: what each fact comes to, and what happens when the venue disagrees."""

import msgspec
import pytest

from engine.treasury.action_bytes import digest_of, encoded
from engine.treasury.adjusting import OpeningLot
from engine.treasury.chart import Account, AccountKind, Draft, Posting, Reason, TaxTag, unbalanced
from engine.treasury.ledger import follows
from engine.treasury.tax import Period, gain_totals, income_totals
from engine.values.action_records import Endorsed, Proposed, Ruling, Tier
from engine.values.action_words import Role
from engine.values.execution_records import ParentPlan, ParentStarted
from engine.values.ledger_words import (
    Converted,
    Corrected,
    Funded,
    LockMoved,
    Paid,
    People,
    Received,
    Rewarded,
    RewardKind,
    TransferArrived,
    TransferSent,
)
from engine.values.records import Adjusted, Listed
from engine.values.units import Side
from tests.action_builders import request
from tests.ledger_builders import (
    BTT,
    ETH,
    ONE,
    SOURCE,
    VENUE,
    books,
    buy,
    child_of,
    held,
    opening,
    read,
    sell,
    state,
    tell,
)

ALWAYS = Period(0, 10**20)


def holdings(made, asset, venue=VENUE):
    return made.ledger.holdings(venue, asset)


def account(made, kind, place, asset):
    return made.ledger.balance(Account(kind, place), asset)


def gains(made):
    return {(row.key, row.asset): row.gain_atoms for row in made.lots.disposals()}


# --- trades and fees ----------------------------------------------------------------------------


def test_a_fill_moves_both_assets_and_its_fee():
    made = books()
    told = tell(made, buy(1, 1_000, 62, fee_atoms=5))
    assert holdings(made, "BTT") == 1_000 * ONE
    assert holdings(made, "USDT") == -62_000 - 5
    assert account(made, AccountKind.FEES, BTT.market, "USDT") == 5
    entry = told.entries[0]
    assert (entry.reason, entry.tag, entry.counterparty) == (Reason.FILL, TaxTag.TRADE, VENUE)
    assert not unbalanced(entry.postings)


def test_a_fee_in_quote_is_part_of_cost_and_of_proceeds():
    made = books()
    tell(made, buy(1, 1_000, 60, fee_atoms=40), sell(2, 1_000, 70, fee_atoms=30))
    assert gains(made) == {(f"fill {BTT.market} 2", "BTT"): 70_000 - 30 - 60_000 - 40}


def test_a_fee_in_base_makes_what_was_bought_dearer():
    made = books()
    tell(made, buy(1, 1_000, 60, fee_atoms=ONE, fee_asset="BTT"))
    (lot,) = made.lots.lots("BTT")
    assert (lot.atoms, lot.cost_atoms) == (999 * ONE, 60_000)


def test_a_fee_in_a_third_asset_is_spent_at_its_price_and_borne_by_the_trade():
    made = books(prices=[("BNB", 600, 1, 0)], lots={(VENUE, "BNB"): (lot_of(100, 50_000),)})
    tell(made, held("BNB", 100))
    tell(made, buy(1, 1_000, 60, fee_atoms=10, fee_asset="BNB"))
    assert holdings(made, "BNB") == 90
    assert gains(made) == {(f"fill {BTT.market} 1", "BNB"): 6_000 - 5_000}
    assert made.lots.lots("BTT")[0].cost_atoms == 66_000


def test_a_fee_without_a_price_leaves_the_cost_unknown_and_says_so():
    made = books()
    told = tell(made, buy(1, 1_000, 60, fee_atoms=10, fee_asset="BNB"))
    assert made.lots.lots("BTT")[0].cost_atoms is None
    assert told.entries[0].notes == ("no price in USDT for the fee in BNB",)


def test_a_rebate_in_a_third_asset_is_income_and_makes_nothing_cheaper():
    made = books(prices=[("BNB", 600, 1, 0)])
    tell(made, buy(1, 1_000, 60, fee_atoms=-10, fee_asset="BNB"))
    assert made.lots.lots("BTT")[0].cost_atoms == 60_000
    (row,) = income_totals(made.incomes, ALWAYS)
    assert (row.asset, row.atoms, row.worth_atoms) == ("BNB", 10, 6_000)


def test_a_market_without_money_is_valued_by_what_was_given():
    made = books(prices=[("BTC", 3, 1, 0)])
    tell(made, buy(1, 2, 5_000, item=ETH))
    (lot,) = made.lots.lots("ETH")
    assert holdings(made, "BTC") == -2 * 5_000
    assert lot.cost_atoms == 3 * 10_000


def test_a_market_without_money_or_price_says_that_its_cost_is_unknown():
    made = books()
    told = tell(made, buy(1, 2, 5_000, item=ETH))
    assert made.lots.lots("ETH")[0].cost_atoms is None
    assert told.entries[0].notes == ("no price in USDT for either asset",)


def test_a_fill_told_twice_is_booked_once_whenever_it_was_heard():
    made = books()
    tell(made, buy(1, 10, 62))
    told = tell(made, buy(1, 10, 62, at_ns=999))
    assert (told.entries, made.repeated, made.ledger.count) == ([], 1, 1)


def test_a_fill_told_twice_with_other_numbers_alarms_and_the_first_stands():
    made = books()
    tell(made, buy(1, 10, 62))
    told = tell(made, buy(1, 11, 62))
    assert "told twice" in told.alerts[0]
    assert holdings(made, "BTT") == 10 * ONE


def test_a_fill_of_a_market_that_nobody_described_waits_for_it():
    made = books()
    stranger = msgspec.structs.replace(BTT, symbol="DENT/USDT", base="DENT")
    tell(made, buy(1, 10, 62, item=stranger))
    assert (made.waiting, made.ledger.count) == (1, 0)
    tell(made, Listed(market=stranger.market, at_ns=0, instrument=stranger))
    assert (made.waiting, holdings(made, "DENT")) == (0, 10 * ONE)


def test_a_market_finer_than_the_books_is_refused_and_said():
    made = books()
    fine = msgspec.structs.replace(BTT, symbol="X/USDT", base="X", price_exponent=12)
    told = tell(made, Listed(market=fine.market, at_ns=0, instrument=fine))
    assert "too coarsely" in told.alerts[0]


def test_a_fill_of_a_staged_order_is_a_conversion_and_names_who_asked_and_who_signed():
    made = books()
    asked = encoded(request("r1", who="ann", code="excess", why="over its band"))
    plan = ParentPlan(
        parent="p1", proposal=digest_of(asked), asset="BTT", side=Side.SELL, atoms=9,
        markets=(BTT.market,), begin_ns=0, end_ns=1, children=1, child_atoms_max=9, mid=(1, 1),
        limit=(1, 1), estimate_ppm=0, at_once_ppm=None, ceiling_ppm=0, because=(),
    )  # fmt: skip
    ruling = Ruling(
        tier=Tier.TWO_PEOPLE, row="r", why="", slots=[], duties=[], duties_ns=0, money_atoms=None
    )
    signed = [
        Endorsed(
            at_ns=2, name="r1", who=who, role=Role.FINANCE, key="", expires_ns=9, body=b"",
            signature=b"",
        )
        for who in ("bob", "cy")
    ]  # fmt: skip
    proposed = Proposed(at_ns=1, name="r1", body=asked, signature=b"", ruling=ruling)
    started = ParentStarted(at_ns=3, plan=plan)
    told = tell(made, proposed, *signed, started, child_of("c4"), sell(4, 10, 62))
    (entry,) = told.entries
    assert entry.reason is Reason.CONVERSION
    assert entry.people == People(
        requester="ann", approvers=("bob", "cy"), proposal=digest_of(asked)
    )
    assert "excess: over its band" in entry.text
    assert made.lots.disposals()[0].tag is TaxTag.CONVERSION


# --- the other ways in which money moves --------------------------------------------------------


def lot_of(atoms, cost, acquired_ns=None):
    return OpeningLot(atoms=atoms, cost_atoms=cost, acquired_ns=acquired_ns)


def test_a_conversion_realises_and_names_who_asked_and_who_agreed():
    made = books(lots={(VENUE, "BTT"): (lot_of(100, 500),)})
    people = People(requester="ann", approvers=("bob", "cy"), proposal="ab" * 32)
    tell(made, held("BTT", 100))
    told = tell(
        made,
        Converted(
            venue=VENUE, at_ns=5, ref="r1", gave="BTT", gave_atoms=40, got="USDT", got_atoms=300,
            fee_asset="USDT", fee_atoms=20, counterparty="otc desk", people=people,
        ),
    )  # fmt: skip
    assert gains(made) == {("conversion v r1", "BTT"): 280 - 200}
    assert (told.entries[0].people, told.entries[0].counterparty) == (people, "otc desk")


def test_a_reward_is_income_at_the_price_of_then_and_a_lot_at_that_cost():
    made = books(prices=[("BTT", 2, 1, 0), ("BTT", 9, 1, 100)])
    word = Rewarded(
        venue=VENUE, place="", at_ns=50, ref="1", kind=RewardKind.STAKING, asset="BTT", atoms=7,
        counterparty="validator",
    )  # fmt: skip
    tell(made, word, word)
    (row,) = income_totals(made.incomes, ALWAYS)
    assert (row.tag, row.count, row.worth_atoms) == (TaxTag.STAKING_REWARD, 1, 14)
    assert made.lots.lots("BTT")[0].cost_atoms == 14


def test_a_reward_without_a_price_counts_as_unknown():
    made = books()
    tell(
        made,
        Rewarded(
            venue=VENUE, place="pool", at_ns=50, ref="1", kind=RewardKind.POOL, asset="BTT",
            atoms=7, counterparty="pool",
        ),
    )  # fmt: skip
    (row,) = income_totals(made.incomes, ALWAYS)
    assert (row.unknown, row.worth_atoms) == (1, 0)
    assert account(made, AccountKind.LOCKED, "v pool", "BTT") == 7


def test_funding_in_money_is_income_and_moves_no_lot():
    made = books()
    word = Funded(venue=VENUE, market="P@v", at_ns=5, ref="8h", asset="USDT", atoms=-12)
    tell(made, word)
    assert holdings(made, "USDT") == -12
    assert income_totals(made.incomes, ALWAYS)[0].worth_atoms == -12
    assert made.lots.assets == []


def test_a_stake_is_still_ours_and_moves_no_lot():
    made = books()
    tell(made, held("BTT", 100))
    tell(made, LockMoved(venue=VENUE, place="stake", at_ns=3, ref="1", asset="BTT", atoms=60))
    assert (holdings(made, "BTT"), made.lots.atoms("BTT")) == (40, 100)
    tell(made, LockMoved(venue=VENUE, place="stake", at_ns=4, ref="2", asset="BTT", atoms=-60))
    assert account(made, AccountKind.LOCKED, "v stake", "BTT") == 0


def sent(atoms, fee, at_ns=5):
    return TransferSent(
        venue=VENUE, to_venue="w", at_ns=at_ns, ref="t", asset="BTT", atoms=atoms, fee_atoms=fee
    )


def arrived(atoms, part=0, at_ns=9):
    return TransferArrived(venue="w", at_ns=at_ns, ref="t", part=part, asset="BTT", atoms=atoms)


def test_what_is_under_way_between_our_places_is_in_transit():
    made = books(lots={(VENUE, "BTT"): (lot_of(100, 500),)})
    tell(made, held("BTT", 100), sent(60, 5))
    assert account(made, AccountKind.TRANSIT, "t", "BTT") == 60
    assert (holdings(made, "BTT"), made.lots.atoms("BTT")) == (35, 95)
    tell(made, arrived(20), arrived(20), arrived(40, part=1))
    assert account(made, AccountKind.TRANSIT, "t", "BTT") == 0
    assert holdings(made, "BTT", "w") == 60
    assert gains(made) == {("transfer t", "BTT"): None}


def test_an_arrival_may_be_heard_of_before_its_departure():
    made = books()
    tell(made, arrived(60), sent(60, 0))
    assert account(made, AccountKind.TRANSIT, "t", "BTT") == 0


def test_an_obligation_paid_in_tokens_disposes_of_them_at_their_worth():
    made = books(prices=[("BTT", 10, 1, 0)], lots={(VENUE, "BTT"): (lot_of(100, 500),)})
    tell(made, held("BTT", 100))
    told = tell(
        made,
        Paid(
            venue=VENUE, at_ns=7, ref="p", asset="BTT", atoms=50, fee_atoms=1,
            counterparty="creator", function="creator rewards", people=People(requester="ann"),
        ),
    )  # fmt: skip
    assert [row.gain_atoms for row in made.lots.disposals()] == [500 - 250, 10 - 5]
    assert {row.tag for row in gain_totals(made.lots.disposals(), ALWAYS)} == {
        TaxTag.PAYMENT,
        TaxTag.FEE,
    }
    assert told.entries[0].text == "creator rewards"


def test_what_others_send_has_the_cost_that_we_are_told_or_none():
    made = books()
    word = Received(
        venue=VENUE, at_ns=7, ref="a", asset="BTT", atoms=5, cost_atoms=None, counterparty="grant"
    )
    money = msgspec.structs.replace(word, ref="b", asset="USDT", cost_atoms=5)
    tell(made, word, money)
    assert made.lots.lots("BTT")[0].cost_atoms is None
    assert (made.lots.assets, holdings(made, "USDT")) == (["BTT"], 5)


# --- openings -----------------------------------------------------------------------------------


def test_an_opening_has_the_cost_that_a_person_knows_and_the_rest_is_unknown():
    made = books(lots={(VENUE, "BTT"): (lot_of(30, 90, acquired_ns=77),)})
    told = tell(made, opening(-1, BTT=100, USDT=7))
    lots = [(lot.atoms, lot.cost_atoms, lot.acquired_ns) for lot in made.lots.lots("BTT")]
    assert lots == [(70, None, None), (30, 90, 77)]
    assert told.entries[0].notes == ("cost of BTT is not known",)
    assert told.entries[1].notes == ()


def test_lots_of_more_than_was_held_are_left_out_and_said():
    made = books(lots={(VENUE, "BTT"): (lot_of(30, 90), lot_of(80, 90))})
    told = tell(made, opening(-1, BTT=100))
    assert "more than was held" in told.alerts[0]
    assert made.lots.lots("BTT")[0].atoms == 30
    assert made.lots.lots("BTT")[1].cost_atoms is None


def test_fills_that_the_opening_holds_are_not_booked_again():
    made = books()
    tell(made, opening(5, BTT=100 * ONE, USDT=0), buy(5, 10, 62), buy(6, 10, 62))
    assert holdings(made, "BTT") == 110 * ONE


def test_a_fill_that_the_opening_holds_is_taken_back_if_it_came_first():
    made = books()
    tell(made, buy(5, 10, 62), buy(6, 10, 62))
    told = tell(made, opening(5, BTT=100 * ONE, USDT=0))
    assert [entry.reason for entry in told.entries].count(Reason.REVERSAL) == 1
    assert (holdings(made, "BTT"), made.lots.atoms("BTT")) == (110 * ONE, 110 * ONE)


# --- against the venue --------------------------------------------------------------------------


def test_a_reading_that_agrees_makes_no_entry():
    made = books()
    told = tell(made, opening(0, BTT=100, USDT=7), state(50, BTT=100, USDT=7))
    assert (told.entries, told.alerts, made.readings, made.differences) == ([], [], 1, 0)
    assert made.compared[VENUE, "BTT"].theirs_atoms == 100


def test_a_difference_is_an_alarm_and_a_suspense_posting():
    made = books()
    told = tell(made, opening(0, BTT=100, USDT=7), state(50, BTT=130, USDT=7))
    assert told.entries[0].reason is Reason.SUSPENSE
    assert "0.0000003 BTT that the books cannot explain" in told.alerts[0]
    assert (holdings(made, "BTT"), made.ledger.suspended(VENUE, "BTT")) == (130, 30)
    assert made.lots.atoms("BTT") == 100


def test_a_persons_word_takes_a_difference_out_of_suspense():
    made = books()
    tell(made, opening(0, BTT=100), state(50, BTT=70))
    word = Adjusted(venue=VENUE, at_ns=60, asset="BTT", atoms=-30, who="ann", reason="withdrew")
    told = tell(made, word, word)
    assert made.ledger.suspended(VENUE, "BTT") == 0
    assert (holdings(made, "BTT"), made.lots.atoms("BTT")) == (70, 70)
    assert told.entries == []
    assert made.ledger.drafts()[-1].people == People(requester="ann")


def test_a_correction_without_a_reading_before_it_moves_the_holdings():
    made = books()
    tell(made, opening(0, BTT=100))
    tell(
        made,
        Corrected(venue=VENUE, at_ns=9, ref="1", asset="BTT", atoms=5, who="ann", reason="found"),
    )
    assert (holdings(made, "BTT"), made.lots.atoms("BTT")) == (105, 105)


def test_a_correction_the_other_way_takes_nothing_out_of_suspense():
    made = books()
    tell(made, opening(0, BTT=100), state(50, BTT=130))
    tell(made, Adjusted(venue=VENUE, at_ns=60, asset="BTT", atoms=-5, who="ann", reason="paid"))
    assert (made.ledger.suspended(VENUE, "BTT"), holdings(made, "BTT")) == (30, 125)
    tell(made, state(70, BTT=125))
    assert made.ledger.suspended(VENUE, "BTT") == 30


def test_a_late_fill_that_explains_a_difference_clears_it():
    made = books()
    tell(made, opening(0, BTT=100 * ONE, USDT=0), state(50, BTT=110 * ONE, USDT=-620))
    assert made.ledger.suspended(VENUE, "BTT") == 10 * ONE
    tell(made, buy(3, 10, 62))
    assert made.ledger.suspended(VENUE, "BTT") == made.ledger.suspended(VENUE, "USDT") == 0
    assert holdings(made, "BTT") == 110 * ONE


def test_a_reading_asked_for_before_the_newest_fill_proves_no_difference():
    made = books()
    tell(made, opening(0, BTT=100 * ONE), buy(6, 10, 62))
    told = tell(made, state(50, BTT=100 * ONE))
    assert (told.entries, made.differences) == ([], 0)


def test_a_reading_brings_the_fills_that_no_stream_told():
    made = books()
    tell(made, opening(0, BTT=100 * ONE, USDT=700))
    fills = [buy(3, 10, 62, at_ns=51), buy(3, 10, 62, at_ns=51)]
    tell(made, state(50, fills, BTT=110 * ONE, USDT=80))
    assert (made.differences, made.ledger.suspended(VENUE, "BTT")) == (0, 0)
    assert made.compared[VENUE, "BTT"].difference_atoms == 0


def test_late_facts_of_which_one_hid_the_other_are_not_taken_for_agreement():
    made = books()
    tell(made, opening(0, BTT=100 * ONE, USDT=0), state(50, BTT=100 * ONE, USDT=0))
    assert made.differences == 0
    tell(made, buy(3, 10, 62))  # the sale at the same price, which the reading had too, is missing
    made.check()
    assert made.ledger.suspended(VENUE, "BTT") == -10 * ONE
    tell(made, sell(4, 10, 62))
    made.check()
    assert made.ledger.suspended(VENUE, "BTT") == made.ledger.suspended(VENUE, "USDT") == 0


def test_an_older_reading_changes_nothing():
    made = books()
    tell(made, held("BTT", 100), read(90, BTT=100))
    assert tell(made, read(80, BTT=5)).entries == []


# --- the chain ----------------------------------------------------------------------------------


def test_an_entry_that_does_not_balance_cannot_be_made():
    with pytest.raises(AssertionError, match="does not balance"):
        Draft(
            key="k", at_ns=1, when_ns=1, reason=Reason.FILL, tag=TaxTag.NONE, counterparty="",
            postings=(Posting(Account(AccountKind.HOLDINGS, "v"), "BTT", 1),),
        )  # fmt: skip


def test_a_changed_entry_breaks_the_chain_from_there_on():
    made, entries = books(), []
    for fact in (held("BTT", 100), buy(1, 10, 62), sell(2, 10, 62)):
        entries += made.remember(fact, SOURCE).entries
    assert follows(entries) == 0
    entries[1] = msgspec.structs.replace(entries[1], text="something else")
    assert follows(entries) == 2


def test_the_same_facts_give_the_same_hash_and_others_another():
    first, second, third = books(), books(), books()
    for made in (first, second):
        tell(made, held("BTT", 100), buy(1, 10, 62))
    tell(third, held("BTT", 100), buy(1, 10, 63))
    assert first.ledger.hash == second.ledger.hash != third.ledger.hash
