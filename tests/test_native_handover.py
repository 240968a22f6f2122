"""One connection follows another: what passes is whole, in order and once."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.native.handover import HELD_MAX, Handover

SYMBOL = "BTTUSDT"


def depth(first: int, last: int, symbol: str = SYMBOL) -> bytes:
    row = {"e": "depthUpdate", "E": 1, "s": symbol, "U": first, "u": last, "b": [], "a": []}
    return json.dumps(row).encode()


def trade(number: int) -> bytes:
    return json.dumps({"e": "trade", "s": SYMBOL, "t": number, "p": "1", "q": "1"}).encode()


def ticker(number: int) -> bytes:
    return json.dumps({"u": number, "s": SYMBOL, "b": "1", "B": "1", "a": "2", "A": "1"}).encode()


def test_a_new_connection_that_repeats_what_is_known_is_proved() -> None:
    handover = Handover({SYMBOL: 10})
    assert not handover.is_proved
    handover.saw_new(depth(8, 10))
    assert handover.is_proved
    assert handover.rest() == []


def test_a_new_connection_that_is_ahead_waits_for_the_old_one() -> None:
    handover = Handover({SYMBOL: 10})
    handover.saw_new(depth(15, 16))
    assert not handover.is_proved
    handover.saw_old(depth(11, 12))
    assert not handover.is_proved
    handover.saw_old(depth(13, 14))
    assert handover.is_proved
    assert handover.rest() == [depth(15, 16)]


def test_every_book_has_to_be_proved_unless_nothing_moves_in_it() -> None:
    handover = Handover({SYMBOL: 10, "DENTUSDT": 5})
    handover.saw_new(depth(11, 11))
    assert not handover.is_proved
    assert handover.is_proved_where_anything_moved
    handover.saw_old(depth(6, 6, "DENTUSDT"))
    assert not handover.is_proved_where_anything_moved
    handover.saw_new(depth(6, 6, "DENTUSDT"))
    assert handover.is_proved


def test_a_book_that_was_not_proved_before_holds_nothing_up() -> None:
    handover = Handover({})
    assert handover.is_proved


def test_trades_and_tops_pass_once_whoever_brings_them_first() -> None:
    handover = Handover({SYMBOL: 1})
    for frame in (trade(5), ticker(7), trade(6), ticker(8)):
        handover.saw_new(frame)
    handover.saw_old(trade(5))
    handover.saw_old(ticker(7))
    assert handover.rest() == [trade(6), ticker(8)]


def test_frames_that_are_no_market_messages_are_not_held() -> None:
    handover = Handover({})
    for frame in (b'{"result":null,"id":1}', b"rubbish", b"\xff", b'{"e":"serverShutdown","E":1}'):
        handover.saw_new(frame)
        handover.saw_old(frame)
    assert handover.rest() == []


def test_the_held_frames_have_a_bound() -> None:
    handover = Handover({SYMBOL: 0})
    for number in range(HELD_MAX + 1):
        handover.saw_new(depth(number + 10, number + 10))
    assert handover.is_too_much


@st.composite
def batches(draw: st.DrawFn, last: int) -> list[tuple[int, int]]:
    """The same updates 1..last as one server batches them."""
    cuts = draw(st.sets(st.integers(1, last - 1), max_size=12))
    edges = [0, *sorted(cuts), last]
    return [(low + 1, high) for low, high in pairwise(edges)]


@given(st.data())
def test_however_two_servers_batch_the_same_updates_the_chain_goes_on(data: st.DataObject) -> None:
    last = data.draw(st.integers(2, 40))
    old, new = data.draw(batches(last)), data.draw(batches(last))
    known = data.draw(st.integers(0, len(old) - 1))
    joins = data.draw(st.integers(0, len(new) - 1))
    sequence = old[known - 1][1] if known else 0
    handover = Handover({SYMBOL: sequence})
    turns = data.draw(st.permutations([True] * (len(old) - known) + [False] * (len(new) - joins)))
    heard, olds, news = sequence, iter(old[known:]), iter(new[joins:])
    for is_old in turns:
        if handover.is_proved:
            break
        if is_old:
            first, up_to = next(olds)
            handover.saw_old(depth(first, up_to))
            heard = max(heard, up_to)
        else:
            handover.saw_new(depth(*next(news)))
    if not handover.is_proved:
        return
    rest = [json.loads(frame) for frame in handover.rest()]
    for row in [*rest, *({"U": first, "u": up_to} for first, up_to in news)]:
        assert row["U"] <= heard + 1
        heard = max(heard, row["u"])
    assert heard == last
