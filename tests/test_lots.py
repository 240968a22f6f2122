"""Lots: which goes first, what a disposal realises, and what a late fact changes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.treasury.chart import Move, TaxTag
from engine.treasury.lot_book import LotBook
from engine.treasury.lots import LotMethod


def move(when, atoms, worth, key=None, *, is_dated=True):
    return Move(
        key=key or f"m{when}", part=0, when_ns=when, rank=0, asset="BTT", atoms=atoms,
        worth_atoms=worth, tag=TaxTag.TRADE, is_dated=is_dated,
    )  # fmt: skip


def book(method, *moves):
    made = LotBook(method)
    for each in moves:
        made.take([each])
        made.check()
    return made


def gains(made):
    return [row.gain_atoms for row in made.disposals()]


THREE = (move(1, 10, 100), move(2, 10, 300), move(3, 10, 200))


@pytest.mark.parametrize(
    ("method", "cost"),
    [
        (LotMethod.FIFO, 100 + 150),
        (LotMethod.LIFO, 200 + 150),
        (LotMethod.HIFO, 300 + 100),
        (LotMethod.SPECIFIC, 100 + 150),
    ],
)
def test_each_method_takes_its_own_lots(method, cost):
    made = book(method, *THREE, move(4, -15, 1_000))
    assert sum(row.cost_atoms for row in made.disposals()) == cost
    assert sum(gains(made)) == 1_000 - cost
    assert sum(lot.cost_atoms for lot in made.lots("BTT")) == 600 - cost


def test_named_lots_go_first_and_the_rest_is_oldest_first():
    made = LotBook(LotMethod.SPECIFIC)
    made.choose("m4", "BTT", (("m3", 6), ("m2", 2), ("nothing", 9)))
    made.take([*THREE, move(4, -15, 1_500)])
    assert [(row.lot, row.atoms) for row in made.disposals()] == [("m3", 6), ("m2", 2), ("m1", 7)]


def test_lots_that_are_named_afterwards_restate_the_disposal():
    made = book(LotMethod.SPECIFIC, *THREE, move(4, -10, 1_000))
    (changed,) = made.choose("m4", "BTT", (("m2", 10),))
    assert (changed.before_atoms, changed.after_atoms) == (900, 700)


def test_a_cost_that_is_not_known_makes_the_gain_unknown_and_never_zero():
    made = book(LotMethod.FIFO, move(1, 10, None), move(2, 10, 50), move(3, -15, 300))
    assert gains(made) == [None, 100 - 25]


def test_the_highest_cost_method_takes_unknown_costs_last():
    made = book(LotMethod.HIFO, move(1, 10, None), move(2, 10, 0), move(3, -15, 300))
    assert [row.lot for row in made.disposals()] == ["m2", "m1"]


def test_money_is_split_without_losing_an_atom():
    made = book(LotMethod.FIFO, move(1, 3, 100), *(move(10 + n, -1, 7) for n in range(3)))
    assert [row.cost_atoms for row in made.disposals()] == [33, 33, 34]


def test_what_was_sold_before_it_was_had_is_covered_by_what_comes_next():
    made = book(LotMethod.FIFO, move(1, -10, 500))
    assert [(row.lot, row.gain_atoms) for row in made.disposals()] == [("", None)]
    assert made.atoms("BTT") == -10
    made.take([move(2, 4, 100), move(3, 10, 300)])
    made.check()
    assert gains(made) == [200 - 100, 300 - 180]
    assert made.atoms("BTT") == 4


def test_a_holding_of_unknown_age_is_older_than_all_others():
    made = book(LotMethod.FIFO, move(5, 10, 70), move(0, 10, None, "opening", is_dated=False))
    assert [lot.name for lot in made.lots("BTT")] == ["opening", "m5"]
    assert made.lots("BTT")[0].acquired_ns is None


def test_a_late_purchase_restates_what_was_sold_since():
    made = book(LotMethod.FIFO, move(2, 10, 300), move(4, -10, 500))
    (changed,) = made.take([move(1, 10, 100)])
    assert (changed.key, changed.before_atoms, changed.after_atoms) == ("m4", 200, 400)
    assert [lot.name for lot in made.lots("BTT")] == ["m2"]


def test_a_closed_year_is_final_and_a_late_fact_counts_from_its_end():
    made = book(LotMethod.FIFO, move(1, 10, 100), move(2, -4, 80), move(12, -1, 30))
    (final,) = made.close(10)
    assert final.gain_atoms == 40
    assert made.take([move(0, 5, 5)]) == []
    made.check()
    assert made.lots("BTT")[-1].acquired_ns == 10
    assert gains(made) == [20]


MOVES = st.lists(
    st.tuples(st.integers(-30, 30).filter(bool), st.one_of(st.none(), st.integers(-50, 500))),
    min_size=1, max_size=60,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(MOVES, st.sampled_from(LotMethod), st.randoms(use_true_random=False))
def test_lots_do_not_depend_on_the_order_in_which_moves_are_told(rows, method, rng):
    moves = [move(at + 1, atoms, worth) for at, (atoms, worth) in enumerate(rows)]
    ordered, shuffled = LotBook(method), LotBook(method)
    ordered.take(moves)
    mixed = list(moves)
    rng.shuffle(mixed)
    for each in mixed:
        shuffled.take([each])
        shuffled.check()
    assert shuffled.lots("BTT") == ordered.lots("BTT")
    assert shuffled.disposals() == ordered.disposals()
    assert ordered.atoms("BTT") == sum(atoms for atoms, _ in rows)


@settings(max_examples=150, deadline=None)
@given(MOVES, st.sampled_from(LotMethod))
def test_no_money_is_lost_between_lots_and_gains(rows, method):
    made = LotBook(method)
    made.take(
        [move(at + 1, n, 0 if worth is None else worth) for at, (n, worth) in enumerate(rows)]
    )
    spent = sum(worth or 0 for atoms, worth in rows if atoms > 0)
    earned = sum(worth or 0 for atoms, worth in rows if atoms < 0)
    done = made.disposals()
    left = sum(lot.cost_atoms for lot in made.lots("BTT"))
    assert sum(row.cost_atoms or 0 for row in done) + left == spent
    assert sum(row.proceeds_atoms for row in done) == earned


def test_thousands_of_moves_with_late_ones_equal_those_in_order():
    rng = random.Random(3)
    moves = [move(at, rng.randint(-9, 10) or 1, rng.randint(0, 99)) for at in range(1, 3_001)]
    ordered, late = LotBook(LotMethod.HIFO), LotBook(LotMethod.HIFO)
    ordered.take(moves)
    late.take([each for each in moves if each.when_ns % 300])
    late.take([each for each in moves if not each.when_ns % 300])
    late.check()
    assert late.disposals() == ordered.disposals()
    dropped = [each for each in moves if each.when_ns % 500 == 7]
    for each in dropped:
        late.drop([each])
    again = LotBook(LotMethod.HIFO)
    again.take([each for each in moves if each not in dropped])
    assert late.disposals() == again.disposals()
