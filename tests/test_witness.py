"""Readings of the venue that become records."""

from engine.trading.recovery import READ_AGAIN
from engine.trading.witness import Witness
from engine.values.events import Balance, VenueState
from engine.values.instrument import Instrument
from engine.values.records import Difference, Listed

ITEM = Instrument(
    symbol="BTT/USDT", venue="v", venue_symbol="BTTUSDT", base="BTT", quote="USDT",
    price_exponent=8, tick=1, size_exponent=0, lot=1, maker_fee_ppm=0, taker_fee_ppm=0,
)  # fmt: skip


def reading(at_ns, atoms):
    return VenueState(
        market=ITEM.market, asked_ns=at_ns - 1, at_ns=at_ns, open_orders=[], fills=[],
        balances=[Balance(asset="BTT", free_atoms=atoms, locked_atoms=0)],
    )  # fmt: skip


def difference(explained):
    return Difference(
        market=ITEM.market, at_ns=1, what="balance BTT", ours="1", theirs="2", explained=explained
    )


def test_a_market_is_listed_with_its_first_reading_only():
    witness = Witness({ITEM.market: ITEM})
    assert witness.listed(reading(5, 1)) == [Listed(market=ITEM.market, at_ns=5, instrument=ITEM)]
    assert witness.listed(reading(6, 1)) == []


def test_a_reading_is_kept_when_its_balances_are_news():
    witness = Witness({ITEM.market: ITEM})
    assert witness.kept(reading(1, 10), []) == [reading(1, 10)]
    assert witness.kept(reading(2, 10), []) == []
    assert witness.kept(reading(3, 11), []) == [reading(3, 11)]


def test_a_reading_that_races_a_fill_is_not_kept_and_its_repetition_is():
    witness = Witness({ITEM.market: ITEM})
    assert witness.kept(reading(1, 10), [difference(READ_AGAIN)]) == []
    assert witness.kept(reading(2, 10), []) == [reading(2, 10)]


def test_a_reading_that_nothing_explains_is_kept_so_that_it_is_never_hidden():
    witness = Witness({ITEM.market: ITEM})
    assert witness.kept(reading(1, 10), [difference("")]) == [reading(1, 10)]
