"""An immediate order at the loopback venue, by each adapter: it takes what is there and is over."""

import pytest

from engine.values.commands import Place
from engine.values.events import Fill, OrderReport, OrderState
from engine.values.units import Side
from tests.test_adapter_contract import ADAPTERS, LOTS, MARKET, quoted, trading_place


def immediate(side: Side, tick: int, lots: int) -> Place:
    return Place(
        market=MARKET,
        client_id="b1-now",
        side=side,
        tick=tick,
        lots=lots,
        post_only=False,
        at_ns=0,
        is_ioc=True,
    )


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_an_immediate_order_takes_to_its_limit_and_never_rests(adapter: str) -> None:
    async with trading_place(adapter) as place:
        theirs, ours = await place.desk("theirs"), await place.desk("ours")
        await quoted(theirs)  # 61 and 60 bid, so many lots each
        (report,) = await ours.gateway.execute(immediate(Side.SELL, 61, 3 * LOTS))
        assert isinstance(report, OrderReport)
        assert (report.state, report.filled_lots) == (OrderState.EXPIRED, LOTS)
        (fill,) = await ours.facts.until(lambda: ours.facts.of(Fill))
        assert (fill.tick, fill.lots, fill.is_maker) == (61, LOTS, False)
        assert (await ours.reconcile()).open_orders == []


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_an_immediate_order_that_meets_nobody_ends_without_a_fill(adapter: str) -> None:
    async with trading_place(adapter) as place:
        theirs, ours = await place.desk("theirs"), await place.desk("ours")
        await quoted(theirs)
        (report,) = await ours.gateway.execute(immediate(Side.BUY, 63, LOTS))
        assert isinstance(report, OrderReport)
        assert (report.state, report.filled_lots) == (OrderState.EXPIRED, 0)
        assert (await ours.reconcile()).open_orders == []
