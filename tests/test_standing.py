"""Whether a market may quote, and what a person reads of it."""

import pytest

from engine.trading.standing import MarketState, Standing, missing_side
from engine.values.units import Side


def ready():
    standing = Standing()
    standing.settle("book")
    standing.settle("public link")
    standing.private_down = ""
    standing.proved(10)
    assert standing.may_quote
    return standing


def test_a_new_market_may_not_quote_and_says_why():
    standing = Standing()
    assert not standing.may_quote
    assert standing.state(False) == (MarketState.INIT, "private link: not connected")


def test_a_proof_from_before_the_loss_is_none():
    standing = ready()
    standing.lose_proof(100)
    standing.proved(99)
    assert not standing.may_quote
    standing.proved(100)
    assert standing.may_quote


def test_nothing_is_proved_while_the_private_stream_is_down():
    standing = ready()
    standing.private_down = "closed"
    assert not standing.may_quote
    standing.lose_proof(5)
    standing.proved(6)
    assert not standing.is_reconciled


@pytest.mark.parametrize("latch", ["halt", "freeze", "stop"])
def test_latches_outlive_every_doubt(latch):
    standing = ready()
    getattr(standing, latch)("why")
    standing.doubt("book", "gap")
    standing.settle("book")
    assert not standing.may_quote
    wanted = MarketState.HALTED if latch == "halt" else MarketState.CANCEL_ONLY
    assert standing.state(True)[0] is wanted


def test_the_first_reason_of_a_latch_stays():
    standing = ready()
    standing.freeze("first")
    standing.freeze("second")
    assert standing.state(False)[1] == "first"


def test_each_doubt_goes_only_by_its_own_source():
    standing = ready()
    standing.doubt("clock", "stepped")
    standing.doubt("loop", "late")
    standing.settle("loop")
    assert standing.state(True) == (MarketState.PULLED, "clock: stepped")
    assert standing.may_quote_but_for("clock")
    assert not standing.may_quote_but_for("loop")


@pytest.mark.parametrize(
    ("state", "reason", "halted", "frozen"),
    [
        ("HALTED", "ann", "ann", ""),
        ("CANCEL_ONLY", "a stranger", "", "a stranger"),
        ("CANCEL_ONLY", "stopping, asked by ann", "", ""),
        ("PULLED", "gap", "", ""),
    ],
)
def test_halts_and_freezes_are_remembered_and_stops_are_not(state, reason, halted, frozen):
    standing = Standing()
    standing.remember(state, reason)
    assert (standing.halted, standing.frozen) == (halted, frozen)


def test_the_stop_that_is_written_is_the_stop_that_is_not_remembered():
    standing, next_one = ready(), Standing()
    standing.stop("ann")
    next_one.remember(*standing.state(False))
    assert not next_one.frozen


def test_a_missing_side_says_the_state_first_and_then_what_became_of_the_wish():
    pulled, quoting = (MarketState.PULLED, "book: gap"), (MarketState.QUOTING, "")
    assert missing_side(Side.BUY, pulled, "no room", False) == "PULLED: book: gap"
    assert missing_side(Side.BUY, quoting, "no room", False) == "no room"
    assert missing_side(Side.BUY, quoting, "", False) == "no buy level was wished"
    assert missing_side(Side.BUY, quoting, "", True).startswith("wished")
