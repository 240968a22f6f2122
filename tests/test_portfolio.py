"""The ledger: every atom comes from somewhere, every trade is booked once."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.trading.portfolio import Gap, Portfolio
from engine.trading.report import money
from engine.trading.results import NS_PER_DAY
from engine.values.events import Balance, Fill
from engine.values.instrument import Instrument
from engine.values.units import Side


def instrument(base="BTT", price_exponent=8, size_exponent=0, lot=1):
    return Instrument(
        symbol=f"{base}/USDT",
        venue="loopback",
        venue_symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        price_exponent=price_exponent,
        tick=1,
        size_exponent=size_exponent,
        lot=lot,
        maker_fee_ppm=1000,
        taker_fee_ppm=1000,
    )


BTT = instrument()
FINE = instrument("XYZ", price_exponent=9, size_exponent=4, lot=5)
"""Its quote exponent is 13, so the account keeps USDT in units of 10**-13."""


def fill(trade_id=1, side=Side.BUY, tick=62, lots=100, **more):
    fields = {"fee_atoms": 0, "fee_asset": "USDT", "at_ns": 1, "is_maker": True} | more
    item = fields.pop("item", BTT)
    return Fill(
        market=item.market,
        client_id="a",
        venue_id="1",
        trade_id=trade_id,
        venue_ns=1,
        side=side,
        tick=tick,
        lots=lots,
        **fields,
    )


def opened(*items, base_lots=1000, usdt=10**9):
    items = items or (BTT,)
    portfolio = Portfolio(items)
    balances = [
        Balance(asset=i.base, free_atoms=i.base_atoms(base_lots), locked_atoms=0) for i in items
    ]
    portfolio.open([*balances, Balance(asset="USDT", free_atoms=usdt, locked_atoms=0)])
    return portfolio


def test_a_buy_moves_base_in_and_quote_out_with_its_fee():
    portfolio = opened(BTT)
    assert portfolio.book_fill(BTT, fill(fee_atoms=7))
    assert portfolio.position_lots(BTT.market) == 1100
    assert portfolio.balance("USDT") == 10**9 - 6200 - 7
    assert portfolio.accounts("USDT") == {
        "holdings": 10**9 - 6207,
        "opening": -(10**9),
        f"trades {BTT.market}": 6200,
        f"fees {BTT.market}": 7,
    }
    portfolio.check()


def test_a_trade_is_booked_once():
    portfolio = opened(BTT)
    assert portfolio.book_fill(BTT, fill())
    assert not portfolio.book_fill(BTT, fill(at_ns=99))
    assert portfolio.traded_lots(BTT.market) == 100


def test_a_trade_of_before_the_opening_is_not_booked():
    portfolio = opened(BTT)
    portfolio.settle_trades(BTT.market, 5)
    assert not portfolio.book_fill(BTT, fill(5))
    assert portfolio.book_fill(BTT, fill(6))


def test_an_asset_opens_once():
    portfolio = opened(BTT)
    assert portfolio.is_open(BTT.market)
    portfolio.open([Balance(asset="USDT", free_atoms=7, locked_atoms=0)])
    assert portfolio.balance("USDT") == 10**9
    assert not Portfolio([BTT]).is_open(BTT.market)


def test_inventory_is_floored_to_whole_lots():
    portfolio = opened(BTT)
    portfolio.book_fill(BTT, fill(fee_atoms=1, fee_asset="BTT"))
    assert portfolio.position_lots(BTT.market) == 1099
    assert portfolio.traded_lots(BTT.market) == 100


def test_markets_with_other_exponents_share_one_ledger():
    portfolio = opened(BTT, FINE, usdt=10**18)
    assert portfolio.exponent("USDT") == 13
    portfolio.book_fill(BTT, fill())
    portfolio.book_fill(FINE, fill(item=FINE, tick=7, lots=3))
    assert portfolio.balance("USDT") == 10**18 - 6200 * 10**5 - 7 * 3 * 5
    portfolio.check()


def test_balances_of_one_market_are_read_in_its_own_exponents():
    portfolio = opened(BTT, FINE, usdt=10**18)
    reading = [Balance(asset="USDT", free_atoms=10**13 - 1, locked_atoms=0)]
    assert [gap.atoms for gap in portfolio.gaps(reading, BTT.market)] == [-(10**5)]


def test_a_gap_says_what_the_venue_has_more():
    portfolio = opened(BTT)
    reading = [
        Balance(asset="BTT", free_atoms=BTT.base_atoms(900), locked_atoms=BTT.base_atoms(100)),
        Balance(asset="USDT", free_atoms=10**9 + 5, locked_atoms=0),
    ]
    assert portfolio.gaps(reading) == [Gap(asset="USDT", ours_atoms=10**9, theirs_atoms=10**9 + 5)]
    portfolio.adjust("USDT", 5, at_ns=3)
    assert portfolio.gaps(reading) == []
    portfolio.check()


def test_profit_is_cash_plus_position_at_the_mark_less_fees():
    portfolio = opened(BTT)
    portfolio.book_fill(BTT, fill(1, Side.BUY, 62, 100, fee_atoms=6))
    portfolio.book_fill(BTT, fill(2, Side.SELL, 64, 60, fee_atoms=4))
    results = portfolio.results(BTT.market)
    assert results.pnl(63) == -6200 + 3840 + 40 * 63 - 10
    assert results.realised_atoms == 120
    assert results.average_tick == 62.0


def test_a_position_that_turns_is_realised_up_to_nothing():
    portfolio = opened(BTT)
    portfolio.book_fill(BTT, fill(1, Side.BUY, 62, 100))
    portfolio.book_fill(BTT, fill(2, Side.SELL, 65, 150))
    results = portfolio.results(BTT.market)
    assert (results.realised_atoms, results.net_lots, results.average_tick) == (300, -50, 65.0)


def test_a_fee_in_base_is_valued_at_the_mark():
    portfolio = opened(BTT)
    portfolio.book_fill(BTT, fill(fee_atoms=BTT.base_atoms(2), fee_asset="BTT"))
    assert portfolio.results(BTT.market).pnl(62) == -124


def test_a_fee_in_a_third_asset_is_kept_but_in_no_profit():
    portfolio = opened(BTT)
    portfolio.book_fill(BTT, fill(fee_atoms=9, fee_asset="BNB"))
    assert portfolio.results(BTT.market).pnl(62) == 0
    assert portfolio.results(BTT.market).fees == {"BNB": 9}
    assert portfolio.balance("BNB") == -9


def test_spread_earned_counts_maker_fills_against_the_mid_of_their_moment():
    portfolio = opened(BTT)
    portfolio.book_fill(BTT, fill(1, Side.BUY, 62, 10), mid_half_ticks=125)
    portfolio.book_fill(BTT, fill(2, Side.SELL, 62, 10), mid_half_ticks=125)
    portfolio.book_fill(BTT, fill(3, Side.SELL, 64, 10), mid_half_ticks=125)
    portfolio.book_fill(BTT, fill(4, Side.BUY, 60, 10, is_maker=False), mid_half_ticks=125)
    assert portfolio.results(BTT.market).spread_atoms == 5 - 5 + 15


def test_turnover_starts_again_with_the_utc_day():
    portfolio = opened(BTT)
    portfolio.book_fill(BTT, fill(1, at_ns=NS_PER_DAY - 1))
    portfolio.book_fill(BTT, fill(2, Side.SELL, at_ns=NS_PER_DAY - 1))
    results = portfolio.results(BTT.market)
    assert results.turnover(NS_PER_DAY - 1) == 2 * 6200
    assert results.turnover(NS_PER_DAY) == 0
    portfolio.book_fill(BTT, fill(3, at_ns=NS_PER_DAY))
    assert results.turnover(NS_PER_DAY) == 6200


def test_a_one_sided_book_is_no_price_to_value_a_position_at():
    portfolio = opened(BTT)
    portfolio.book_fill(BTT, fill())
    results = portfolio.results(BTT.market)
    assert money(results, BTT, None)["pnl"] is None
    results.mark(64, 1)
    told = money(results, BTT, None)
    assert (told["mark"], told["mark_is_last"]) == (BTT.price_text(64), True)
    assert told["pnl"] == money(results, BTT, 64)["pnl"]
    assert money(results, BTT, 70)["mark_is_last"] is False


def test_drawdown_is_measured_from_the_days_high():
    portfolio = opened(BTT)
    portfolio.book_fill(BTT, fill())
    results = portfolio.results(BTT.market)
    assert [results.mark(tick, 1) for tick in (62, 65, 63, 66, 60)] == [0, 0, 200, 0, 600]
    assert results.mark(60, NS_PER_DAY) == 0


MOVES = st.tuples(
    st.sampled_from(Side),
    st.integers(50, 80),
    st.integers(1, 500),
    st.integers(-50, 50),
    st.sampled_from(["USDT", "BTT", "BNB"]),
)


@settings(deadline=None)
@given(st.lists(MOVES, max_size=30), st.integers(50, 80), st.randoms(use_true_random=False))
def test_money_is_conserved_whatever_is_filled_and_however_often(moves, mark, shuffler):
    fills = [
        fill(i, side, tick, lots, fee_atoms=fee, fee_asset=asset)
        for i, (side, tick, lots, fee, asset) in enumerate(moves)
    ]
    portfolio = opened(BTT)
    repeated = fills + fills[::2]
    shuffler.shuffle(repeated)
    for each in repeated:
        portfolio.book_fill(BTT, each)
        portfolio.check()
    flows = [BTT.flows(each.side, each.tick, each.lots) for each in fills]
    fees = {
        asset: sum(each.fee_atoms for each in fills if each.fee_asset == asset)
        for asset in ("USDT", "BTT", "BNB")
    }
    base = BTT.base_atoms(1000) + sum(flow[0] for flow in flows) - fees["BTT"]
    quote = 10**9 + sum(flow[1] for flow in flows) - fees["USDT"]
    assert portfolio.balance("BTT") == base
    assert portfolio.balance("USDT") == quote
    assert portfolio.balance("BNB") == -fees["BNB"]
    worth = quote - 10**9 + (base - BTT.base_atoms(1000)) * Fraction(mark, BTT.base_atoms(1))
    assert 0 <= worth - portfolio.results(BTT.market).pnl(mark) < 1


def test_fills_that_go_on_excuse_a_gap_for_three_readings_and_no_longer():
    """A market may trade the same size again and again: another one is on its way each time."""
    portfolio = opened(BTT)
    gap = Gap(asset="BTT", ours_atoms=100, theirs_atoms=80)
    found = []
    for number in range(4):
        portfolio.book_fill(BTT, fill(trade_id=number + 1, at_ns=2_000 + number))
        found.append(portfolio.repeated([gap], *reading(number)))
    assert found == [set(), set(), set(), {"BTT"}]


def test_a_gap_that_stands_while_nothing_is_booked_is_believed_the_second_time():
    portfolio = opened(BTT)
    gap = Gap(asset="BTT", ours_atoms=100, theirs_atoms=80)
    assert portfolio.repeated([gap], *reading(0)) == set()
    assert portfolio.repeated([gap], *reading(1)) == {"BTT"}


def test_two_readings_of_one_account_at_the_same_moment_are_one():
    """Each market of an account is read; all of them lose the same race against the stream."""
    portfolio = opened(BTT)
    gap = Gap(asset="BTT", ours_atoms=100, theirs_atoms=80)
    assert portfolio.repeated([gap], 1_000, 1_500) == set()
    assert portfolio.repeated([gap], 1_001, 1_501) == set()
    assert portfolio.repeated([gap], 1_502, 1_600) == {"BTT"}


def reading(number):
    """When the so-many-th reading in a row was asked for, and when it was heard."""
    return 10_000 + 1_000 * number, 10_500 + 1_000 * number
