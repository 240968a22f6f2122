"""Random streams of money facts, repeated and shuffled, beside a venue that only adds up."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.treasury.lots import LotMethod
from engine.values.ledger_words import (
    Converted,
    Corrected,
    Funded,
    LockMoved,
    Paid,
    Received,
    Rewarded,
    RewardKind,
    TransferArrived,
    TransferSent,
)
from engine.values.units import Side
from tests.ledger_builders import ASSETS, BTT, ETH, SOURCE, VENUE, books, fill, held, read

VENUES = (VENUE, "w", "cold")
NAMES = tuple(asset.name for asset in ASSETS)
UNITS = {"BTT": 10**8, "USDT": 1, "ETH": 10**4, "BTC": 1}
"""Atoms of the books that one lot (or one tick times one lot) of the two markets moves."""


class Twin:
    """The venues' own arithmetic: adds and subtracts, knows no accounts, shares no code."""

    def __init__(self):
        self.has = Counter()
        self.facts = []
        self.readings = []

    def move(self, venue, asset, atoms):
        self.has[venue, asset] += atoms

    def read(self, venue, at_ns):
        atoms = {asset: self.has[venue, asset] for asset in NAMES}
        self.readings.append(read(at_ns, venue, **atoms))


def trade(twin, at, item, draw):
    side = Side.BUY if draw(st.booleans()) else Side.SELL
    lots, tick = draw(st.integers(1, 50)), draw(st.integers(1, 90))
    fee_asset, fee = draw(st.sampled_from(["BTT", "USDT", "BNB", "BTC"])), draw(st.integers(-9, 9))
    sign = 1 if side is Side.BUY else -1
    twin.move(VENUE, item.base, sign * lots * item.lot_base_atoms)
    twin.move(VENUE, item.quote, -sign * lots * tick * UNITS[item.quote])
    own = fee_asset in (item.base, item.quote)
    twin.move(VENUE, fee_asset, -fee * (100 if fee_asset == "BTC" and not own else 1))
    twin.facts.append(
        fill(at, side, lots, tick, item, fee_atoms=fee, fee_asset=fee_asset, at_ns=at, venue_ns=at)
    )


def transfer(twin, at, draw):
    here, there = draw(st.permutations(VENUES))[:2]
    asset, atoms = draw(st.sampled_from(NAMES)), draw(st.integers(1, 99))
    fee, first = draw(st.integers(0, 9)), draw(st.integers(0, atoms))
    twin.facts.append(
        TransferSent(
            venue=here, to_venue=there, at_ns=at, ref=str(at), asset=asset, atoms=atoms,
            fee_atoms=fee,
        )
    )  # fmt: skip
    for part, some in enumerate((first, atoms - first)):
        if some:
            twin.facts.append(
                TransferArrived(
                    venue=there, at_ns=at, ref=str(at), part=part, asset=asset, atoms=some
                )
            )
            twin.move(there, asset, some)
    twin.move(here, asset, -atoms - fee)


def other(twin, at, draw):
    venue, asset = draw(st.sampled_from(VENUES)), draw(st.sampled_from(NAMES))
    atoms, fee, ref = draw(st.integers(1, 99)), draw(st.integers(0, 9)), str(at)
    common = {"venue": venue, "at_ns": at, "ref": ref, "asset": asset}
    kind = draw(st.integers(0, 6))
    if kind == 0:
        got = draw(st.sampled_from([name for name in NAMES if name != asset]))
        twin.facts.append(
            Converted(
                venue=venue, at_ns=at, ref=ref, gave=asset, gave_atoms=atoms, got=got,
                got_atoms=2 * atoms, fee_asset="BNB", fee_atoms=fee, counterparty="otc",
            )
        )  # fmt: skip
        twin.move(venue, asset, -atoms)
        twin.move(venue, got, 2 * atoms)
        twin.move(venue, "BNB", -fee)
    elif kind == 1:
        twin.facts.append(Funded(market="P", atoms=fee - 4, **common))
        twin.move(venue, asset, fee - 4)
    elif kind == 2:
        reward = RewardKind.STAKING if fee % 2 else RewardKind.POOL
        twin.facts.append(Rewarded(place="", kind=reward, atoms=atoms, counterparty="", **common))
        twin.move(venue, asset, atoms)
    elif kind == 3:
        twin.facts.append(LockMoved(place="stake", atoms=atoms - 50, **common))
        twin.move(venue, asset, 50 - atoms)
    elif kind == 4:
        twin.facts.append(
            Paid(atoms=atoms, fee_atoms=fee, counterparty="x", function="rewards", **common)
        )
        twin.move(venue, asset, -atoms - fee)
    elif kind == 5:
        cost = None if fee % 2 else atoms
        twin.facts.append(Received(atoms=atoms, cost_atoms=cost, counterparty="y", **common))
        twin.move(venue, asset, atoms)
    else:
        twin.facts.append(Corrected(atoms=atoms - 50, who="ann", reason="found", **common))
        twin.move(venue, asset, atoms - 50)


@st.composite
def stories(draw):
    """A twin that lived through random acts, and the facts of them in order."""
    twin = Twin()
    for venue in VENUES:
        for asset in NAMES:
            atoms = draw(st.integers(0, 500))
            twin.facts.append(held(asset, atoms, venue, at_ns=0))
            twin.move(venue, asset, atoms)
    for at in range(1, 1 + draw(st.integers(1, 25))):
        choice = draw(st.integers(0, 3))
        if choice < 2:
            trade(twin, at, (BTT, ETH)[choice], draw)
        elif choice == 2:
            transfer(twin, at, draw)
        else:
            other(twin, at, draw)
        if draw(st.integers(0, 4)) == 0:
            twin.read(draw(st.sampled_from(VENUES)), at)
    return twin


PRICES = (("BTT", 3, 10**8, 0), ("BTC", 7, 2, 0), ("ETH", 5, 9, 0), ("BNB", 2, 1, 10))


def lived(facts, method):
    made = books(method, PRICES)
    for fact in facts:
        made.remember(fact, SOURCE)
    made.check()
    return made


def agrees(made, twin):
    return all(
        made.ledger.holdings(venue, asset) == twin.has[venue, asset]
        for venue in VENUES
        for asset in NAMES
    )


def suspended(made):
    return [made.ledger.suspended(venue, asset) for venue in VENUES for asset in NAMES]


@settings(max_examples=120, deadline=None)
@given(stories(), st.sampled_from(LotMethod), st.data())
def test_shuffled_and_repeated_facts_give_the_same_balances_lots_and_gains(twin, method, data):
    ordered = lived(twin.facts, method)
    repeats = data.draw(st.lists(st.sampled_from(twin.facts), max_size=20))
    mixed = data.draw(st.permutations(twin.facts + repeats))
    made = lived(mixed, method)
    assert made.repeated == len(repeats)
    assert agrees(ordered, twin)
    assert agrees(made, twin)
    assert made.ledger.balances() == ordered.ledger.balances()
    assert made.lots.disposals() == ordered.lots.disposals()
    assert made.incomes == ordered.incomes
    for asset in NAMES:
        assert made.lots.lots(asset) == ordered.lots.lots(asset)


@settings(max_examples=120, deadline=None)
@given(stories(), st.data())
def test_readings_anywhere_in_the_stream_leave_the_books_equal_to_the_venue(twin, data):
    mixed = data.draw(st.permutations(twin.facts + twin.readings))
    made = books(LotMethod.FIFO, PRICES)
    for fact in mixed:
        told = made.remember(fact, SOURCE)
        made.check()
        assert all(sum(p.atoms for p in e.postings) == 0 for e in told.entries if one_asset(e))
    for venue in VENUES:
        twin.read(venue, 1_000)
        made.remember(twin.readings[-1], SOURCE)
    made.check()
    assert agrees(made, twin)
    assert not any(suspended(made))


def one_asset(entry):
    return len({posting.asset for posting in entry.postings}) == 1


@settings(max_examples=80, deadline=None)
@given(stories(), st.data())
def test_a_fact_that_nobody_told_stands_in_suspense_until_it_is_told(twin, data):
    missing = data.draw(st.sampled_from(twin.facts))
    made = lived([fact for fact in twin.facts if fact is not missing], LotMethod.FIFO)
    alerts = []
    for venue in VENUES:
        twin.read(venue, 1_000)
        alerts += made.remember(twin.readings[-1], SOURCE).alerts
    made.check()
    assert agrees(made, twin)
    assert bool(alerts) == any(suspended(made))
    made.remember(missing, SOURCE)
    made.check()
    if not isinstance(missing, Corrected):
        assert agrees(made, twin)
        assert not any(suspended(made))
