"""One hedge market's orders, counted by the venue's own fills, whatever comes twice or late."""

from typing import Any

import msgspec
import pytest

from engine.trading.keeper import Keeper, KeeperParams
from engine.trading.quoter import Quoter
from engine.trading.risk import Gate
from engine.trading.sweeps import Leg, Sweeps
from engine.values.commands import Place
from engine.values.errors import WITHDRAWN, Failure
from engine.values.events import Fill, OrderFact, OrderFailed, OrderReport, OrderState
from engine.values.records import HedgeSent
from engine.values.step import Step
from engine.values.units import BUY, NS_PER_S, SELL
from tests.hedge_world import (
    BETA,
    BTC,
    BTC_BANDS,
    COIN,
    TOKEN,
    NoQuotes,
    loose_rows,
    market_setup,
)
from tests.trading_builders import NOW_NS

S = NS_PER_S
MID = 12_000_010
LIMIT = 5_990_000


class Bench:
    """One leg with a keeper of its own, told facts as core would tell them."""

    def __init__(self) -> None:
        self.keeper = Keeper([BTC], KeeperParams(reconcile_every_ns=S), lambda _: True)
        self.quoter = Quoter(market_setup(BTC, BTC_BANDS, NoQuotes()))
        gate = Gate(BTC, BTC_BANDS, loose_rows(), 500_000)
        leg = Leg(way=BETA, keeper=self.keeper, quoter=self.quoter, gate=gate)
        self.sweeps = Sweeps(leg, TOKEN)

    def send(self, client_id: str = "bal1", lots: int = 100, token_lots: int = 1_000) -> HedgeSent:
        side = SELL if token_lots > 0 else BUY
        self.keeper.orders.intend(
            Place(
                market=COIN, client_id=client_id, side=side, tick=LIMIT, lots=lots,
                post_only=False, at_ns=NOW_NS, is_ioc=True,
            )
        )  # fmt: skip
        sent = HedgeSent(
            market=TOKEN, at_ns=NOW_NS, client_id=client_id, hedge_market=COIN, lots=lots,
            token_lots=token_lots, mid_half_ticks=MID, why="test", candidates={},
        )  # fmt: skip
        self.sweeps.remember(sent)
        return sent

    def tell(self, fact: OrderFact) -> None:
        step = Step(commands=[], records=[], alerts=[])
        self.keeper.on_order(fact, self.quoter, step)
        for record in step.records:
            self.sweeps.remember(record)
        self.sweeps.check()


def fill(trade_id: int, lots: int, **changes: Any) -> Fill:
    fields: dict[str, Any] = {
        "market": COIN, "client_id": "bal1", "venue_id": "v1", "trade_id": trade_id,
        "at_ns": NOW_NS + S, "venue_ns": NOW_NS + S, "side": SELL, "tick": 6_000_000, "lots": lots,
        "fee_atoms": lots * 6_000, "fee_asset": "USDT", "is_maker": False,
    }  # fmt: skip
    return Fill(**(fields | changes))


def report(state: OrderState, filled: int, **changes: Any) -> OrderReport:
    fields: dict[str, Any] = {
        "market": COIN, "client_id": "bal1", "venue_id": "v1", "at_ns": NOW_NS + S,
        "update_ns": NOW_NS + S, "state": state, "side": SELL, "tick": LIMIT, "lots": 100,
        "filled_lots": filled,
    }  # fmt: skip
    return OrderReport(**(fields | changes))


def test_a_part_that_filled_covers_its_part():
    bench = Bench()
    bench.send()
    bench.tell(fill(1, 30))
    bench.tell(report(OrderState.EXPIRED, 30))
    assert (bench.sweeps.cover_lots, bench.sweeps.sold_lots) == (300, 30)
    assert [child.sent.client_id for child in bench.sweeps.sift()] == ["bal1"]
    assert not bench.sweeps.is_waiting


def test_a_fill_that_comes_twice_counts_once():
    bench = Bench()
    bench.send()
    for _ in range(3):
        bench.tell(fill(1, 30))
    assert bench.sweeps.cover_lots == 300
    spent = bench.sweeps.spent(NOW_NS)
    bench.sweeps.remember(fill(1, 30))
    assert (bench.sweeps.cover_lots, bench.sweeps.spent(NOW_NS)) == (300, spent)


def test_an_order_waits_until_every_fill_that_its_end_spoke_of_has_come():
    bench = Bench()
    bench.send()
    bench.tell(report(OrderState.EXPIRED, 30))
    assert bench.sweeps.cover_lots == 0
    assert bench.sweeps.sift() == []
    bench.tell(fill(1, 30))
    assert bench.sweeps.cover_lots == 300
    assert len(bench.sweeps.sift()) == 1


def test_a_fill_after_the_order_was_put_aside_still_counts():
    bench = Bench()
    bench.send()
    bench.tell(report(OrderState.EXPIRED, 0))
    bench.sweeps.sift()
    bench.tell(fill(1, 10))
    assert bench.sweeps.cover_lots == 100


def test_a_fill_that_names_only_the_venues_id_is_charged_as_the_worst():
    bench = Bench()
    bench.send()
    bench.tell(report(OrderState.OPEN, 0))
    bench.tell(fill(1, 100, client_id=""))
    assert bench.sweeps.cover_lots == 1_000
    named = Bench()
    named.send()
    named.tell(fill(1, 100))
    assert bench.sweeps.spent(NOW_NS) > named.sweeps.spent(NOW_NS) > 0


def test_letting_go_takes_back_what_stands_to_the_last_lot():
    bench = Bench()
    bench.send()
    bench.tell(fill(1, 100))
    bench.send("bal2", token_lots=-1_000)
    more = {"client_id": "bal2", "venue_id": "v2", "side": BUY, "tick": LIMIT}
    bench.tell(fill(2, 33, **more))
    assert bench.sweeps.cover_lots == 670
    bench.tell(fill(3, 67, **more))
    assert (bench.sweeps.cover_lots, bench.sweeps.sold_lots) == (0, 0)


def test_what_is_still_out_there_may_fill_and_is_reserved_for():
    bench = Bench()
    bench.send()
    assert bench.sweeps.working_lots() == (1_000, 0)
    whole = bench.sweeps.reserved()
    bench.tell(fill(1, 40))
    assert bench.sweeps.working_lots() == (600, 0)
    assert bench.sweeps.reserved() == whole * 60 / 100


def test_the_next_day_has_spent_nothing():
    bench = Bench()
    bench.send()
    bench.tell(fill(1, 100))
    assert bench.sweeps.spent(NOW_NS) > 0
    assert bench.sweeps.spent(NOW_NS + 86_400 * S) == 0


def test_an_order_that_we_took_back_ourselves_was_not_refused():
    failed = OrderFailed(
        market=COIN, client_id="bal1", at_ns=NOW_NS, failure=Failure.TRANSIENT, code=WITHDRAWN,
        text="",
    )  # fmt: skip
    bench = Bench()
    bench.send()
    bench.tell(failed)
    (child,) = bench.sweeps.sift()
    assert not bench.sweeps.was_refused(child)
    bench = Bench()
    bench.send()
    bench.tell(msgspec.structs.replace(failed, failure=Failure.REJECTED, code="-2010"))
    (child,) = bench.sweeps.sift()
    assert bench.sweeps.was_refused(child)


@pytest.mark.parametrize(("waited_s", "is_doubtful"), [(2, False), (3, True)])
def test_an_order_without_an_end_becomes_a_doubt(waited_s, is_doubtful):
    bench = Bench()
    bench.send()
    assert bool(bench.sweeps.doubt(NOW_NS + waited_s * S, 2 * S)) is is_doubtful


def test_an_unknown_order_is_a_doubt_at_once_and_still_counts():
    bench = Bench()
    bench.send()
    bench.tell(
        OrderFailed(
            market=COIN, client_id="bal1", at_ns=NOW_NS, failure=Failure.UNKNOWN, code="timeout",
            text="",
        )
    )  # fmt: skip
    assert "may have happened" in bench.sweeps.doubt(NOW_NS, 2 * S)
    assert bench.sweeps.working_lots() == (1_000, 0)


def test_orders_of_another_quoted_market_are_none_of_ours():
    bench = Bench()
    other = msgspec.structs.replace(bench.send("bal9"), client_id="bal1", market="DOGE/USDT@x")
    bench.sweeps.remember(other)
    assert bench.sweeps.working_lots() == (1_000, 0)
