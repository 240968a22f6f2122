"""The engine that trades live, on a recorded market: late orders, simulated fills, one clock."""

import gzip
import json
from itertools import islice

import msgspec
import pytest
from typer.testing import CliRunner

from engine.cli.backtest_flags import latency_of, queue_of
from engine.cli.verbs import app_of
from engine.runtime.recorder import Recorder, RecorderParams
from engine.sim.account import Account
from engine.sim.backtest import merged
from engine.sim.latency import Constant, Latency, LogNormal, Table
from engine.sim.matching.queue import Log, Power, RiskAverse
from engine.values.commands import Place
from engine.values.errors import UserError
from engine.values.events import (
    Fill,
    OrderFailed,
    OrderReport,
    Stop,
    TopOfBook,
    Trade,
)
from engine.values.units import NS_PER_MS, NS_PER_S
from tests.backtest_builders import FEED_NS, Checked, backtest, beside, market_facts
from tests.market_data import spot_wire
from tests.recording_builders import header, lived
from tests.sim import builders
from tests.sim.venue import BTT, MARKET

MS = NS_PER_MS
DRAWN = LogNormal(median_ns=5 * MS, sigma=0.5, ns_max=500 * MS)


@pytest.fixture(scope="module")
def facts():
    return market_facts()


def watched():
    """Facts and steps as they happen, and the watch that notes them."""
    seen = []
    return seen, lambda event, step: seen.append((event, step))


def test_it_quotes_is_filled_and_keeps_every_invariant(facts):
    world = Checked()
    ends_ns = facts[-1].at_ns
    stop = Stop(at_ns=ends_ns - 3 * NS_PER_S, who="the test")
    result = world.run.run(merged([facts, [stop]]))
    told = result.markets[MARKET]
    assert len(told.fills) > 5
    assert told.placed > 10
    assert world.engine.is_finished
    world.checks.agrees()


def test_the_profit_is_the_one_that_the_engine_counts_itself(facts):
    engine = beside()
    run = backtest(engine)
    stop = Stop(at_ns=facts[-1].at_ns - 3 * NS_PER_S, who="the test")
    told = run.run(merged([facts, [stop]])).markets[MARKET]
    results = engine.keepers["loopback"].portfolio.results(MARKET)
    mid = told.curve[-1].mid_half_ticks
    ours = (results.pnl(mid // 2) + results.pnl(mid - mid // 2)) / 2
    assert results.fill_count == len(told.fills) > 0
    assert told.fees == results.fees
    assert abs(told.profit_atoms - ours) <= 2
    assert told.curve[-1].position_lots == results.net_lots


def test_one_seed_is_one_story_and_another_seed_another(facts):
    drawn = Latency(up=DRAWN, down=DRAWN, feed_ns=FEED_NS)
    digests = [backtest(seed=seed, latency=drawn).run(facts).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_an_answer_takes_the_way_there_and_back(facts):
    seen, watch = watched()
    latency = Latency(up=Constant(30 * MS), down=Constant(70 * MS), feed_ns=FEED_NS)
    backtest(latency=latency, watch=watch).run(facts[: len(facts) // 2])
    left = {c.client_id: c.at_ns for _, step in seen for c in step.commands if isinstance(c, Place)}
    acks = {}
    for event, _ in seen:
        is_word = isinstance(event, OrderReport | OrderFailed)
        if is_word and event.client_id not in acks:
            acks[event.client_id] = event.at_ns
    assert len(acks) > 3
    assert {acks[name] - left[name] for name in acks} == {100 * MS}


def test_facts_reach_the_engine_when_the_recording_says_and_never_out_of_turn(facts):
    seen, watch = watched()
    backtest(watch=watch).run(facts)
    heard = [event for event, _ in seen if isinstance(event, Trade | TopOfBook)]
    assert heard == [fact for fact in facts if isinstance(fact, Trade | TopOfBook)]
    moments = [event.at_ns for event, _ in seen]
    assert moments == sorted(moments)


def test_a_slow_way_back_means_that_fills_are_heard_late(facts):
    seen, watch = watched()
    late = Latency(up=Constant(5 * MS), down=Constant(400 * MS), feed_ns=FEED_NS)
    backtest(latency=late, watch=watch).run(facts)
    lags = {event.at_ns - event.venue_ns for event, _ in seen if isinstance(event, Fill)}
    assert lags == {400 * MS}


def test_an_order_that_would_take_by_the_time_it_arrives_is_refused(facts):
    slow = Latency(up=Constant(400 * MS), down=Constant(5 * MS), feed_ns=FEED_NS)
    eager = beside(strategy=builders.fixed(half_spread_ticks=0.4))
    seen, watch = watched()
    told = backtest(eager, latency=slow, watch=watch).run(market_facts(40)).markets[MARKET]
    refused = [event for event, _ in seen if isinstance(event, OrderFailed)]
    assert refused
    assert all("would cross" in event.text for event in refused)
    assert len(refused) <= told.refused
    assert all(fill.is_maker for fill in told.fills)


def test_a_worse_queue_is_never_filled_more(facts):
    filled = []
    for model in (Power(3.0), RiskAverse()):
        run = backtest()
        for each in run.accounts.values():
            each.books[MARKET]._model = model
        filled.append(sum(fill.lots for fill in run.run(facts).markets[MARKET].fills))
    assert filled[0] >= filled[1]


def test_markouts_count_each_fill_once_at_each_horizon(facts):
    told = backtest().run(facts).markets[MARKET]
    for markout in told.markouts:
        due = [f for f in told.fills if f.at_ns + markout.horizon_ns <= facts[-1].at_ns - FEED_NS]
        assert len(due) - 1 <= markout.fills <= len(due)
    assert told.markouts[0].fills > 0


def test_two_markets_of_one_account_trade_on_one_clock_and_share_its_money():
    traded = [
        msgspec.structs.replace(BTT, symbol=f"{name}/USDT", venue_symbol=name, base=name)
        for name in ("AAA", "BBB")
    ]
    both = [
        [msgspec.structs.replace(fact, market=item.market) for fact in market_facts(15, seed)]
        for seed, item in enumerate(traded, 5)
    ]
    setups = [
        msgspec.structs.replace(builders.setup(instrument=item), own_orders_show=False)
        for item in traded
    ]
    mine = Account(traded, {"AAA": 2 * 10**16, "BBB": 2 * 10**16, "USDT": 3 * 10**10}, Power(1.0))
    engine = builders.engine(setups)
    ends_ns = max(facts[-1].at_ns for facts in both)
    stop = Stop(at_ns=ends_ns - 3 * NS_PER_S, who="the test")
    run = backtest(engine, mine=mine, watch=lambda event, step: mine.check())
    result = run.run(merged([*both, [stop]]))
    assert all(len(told.fills) > 0 for told in result.markets.values())
    portfolio = engine.keepers["loopback"].portfolio
    assert {asset: portfolio.balance(asset) for asset in mine.atoms} == mine.atoms


# --- delays and flags ---------------------------------------------------------------------------


def test_a_table_of_delays_is_linear_between_and_flat_outside():
    table = Table(((100, 10), (200, 30)))
    assert [table.ns(at, None) for at in (0, 100, 150, 200, 900)] == [10, 10, 20, 30, 30]


@pytest.mark.parametrize("rows", [(), ((2, 1), (1, 1)), ((1, 1), (1, 2)), ((1, -1),)])
def test_a_table_that_makes_no_sense_is_refused(rows):
    with pytest.raises(ValueError):
        Table(rows)


def test_flags_say_what_is_assumed(tmp_path):
    assert queue_of("power:2") == Power(2.0)
    assert queue_of("log") == Log()
    assert queue_of("risk-averse") == RiskAverse()
    assert latency_of("5ms,250us", "0ms") == Latency(
        up=Constant(5 * MS), down=Constant(250_000), feed_ns=0
    )
    assert latency_of("lognormal:2ms:0.4", "1ms").up == LogNormal(
        median_ns=2 * MS, sigma=0.4, ns_max=200 * MS
    )
    (tmp_path / "t.json").write_text("[[1, 5], [2, 6]]")
    assert latency_of(f"table:{tmp_path / 't.json'}", "1ms").down == Table(((1, 5), (2, 6)))


@pytest.mark.parametrize("text", ["", "fast", "5", "lognormal:5ms", "lognormal:5ms:0", "table:no"])
def test_a_delay_that_is_none_is_a_user_s_mistake(text):
    with pytest.raises(UserError):
        latency_of(text, "1ms")


@pytest.mark.parametrize("text", ["", "fifo", "power:0", "power:x"])
def test_a_queue_that_is_none_is_a_user_s_mistake(text):
    with pytest.raises(UserError, match="--queue"):
        queue_of(text)


# --- the verb -----------------------------------------------------------------------------------


def ballast(*words):
    """(exit code or the mistake, the object of the last line)."""
    done = CliRunner().invoke(app_of(["backtest"]), ["backtest", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return done.exception, None
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    home = tmp_path_factory.mktemp("session")
    recorder = Recorder(home, header(), RecorderParams(free_bytes_min=0))
    recorder.start()
    lived(recorder, seconds=15)
    recorder.close()
    return home


def test_the_verb_runs_another_config_on_a_recorded_session(session):
    code, answer = ballast(builders.DEMO, "--data", session, "--json")
    assert code == 0
    market = answer["markets"][0]
    assert market["market"] == MARKET
    assert market["placed"] > 0
    assert answer["assumed"]["balance"] == {"BTT": "200000000", "USDT": "300"}
    assert "other traders' answers" in answer["assumed"]["not_modelled"]
    assert ballast(builders.DEMO, "--data", session, "--json")[1]["digest"] == answer["digest"]


@pytest.mark.parametrize("text", ["BTT", "DOGE=1", "BTT=-", "USDT=1e3"])
def test_opening_money_that_is_none_is_a_user_s_mistake(session, text):
    error, _ = ballast(builders.DEMO, "--data", session, "--balance", text)
    assert isinstance(error, UserError)
    assert "ASSET=amount of BTT, USDT" in str(error)


def test_the_verb_runs_on_a_wire_capture(tmp_path):
    piece = tmp_path / "piece.gz"
    with gzip.open(spot_wire()[0]) as whole, gzip.open(piece, "wb", compresslevel=1) as part:
        part.writelines(islice(whole, 4_000))
    code, answer = ballast(
        "configs/recorded.toml", "--data", piece, "--balance", "BTC=1,USDT=90000",
        "--fees", "-50,400", "--queue", "log", "--json", "--out", tmp_path / "all.json",
    )  # fmt: skip
    assert code == 0
    assert answer["facts"] > 3_000
    assert answer["assumed"]["fees"] == {"BTC/USDT@loopback": [-50, 400]}
    assert answer["assumed"]["balance"] == {"BTC": "1", "USDT": "90000"}
    assert answer["markets"][0]["placed"] > 0
    told = json.loads((tmp_path / "all.json").read_text())["result"]["markets"]["BTC/USDT@loopback"]
    assert len(told["fills"]) == answer["markets"][0]["fills"]
    assert len(told["curve"]) == answer["markets"][0]["curve_points"] > 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--data: name"),
        (("--data", "configs/none.gz"), "none.gz"),
        (("--data", "tests"), "no recorded session"),
        (("--data", "configs/demo.toml"), "demo.toml:1"),
        (("--data", "configs/demo.toml", "--queue", "x"), "--queue"),
        (("--data", "configs/demo.toml", "--fees", "1"), "--fees"),
        (("--data", "configs/demo.toml", "--feed", "1"), "--feed"),
    ],
)
def test_a_mistake_in_the_flags_is_one_line(words, said):
    error, _ = ballast("configs/demo.toml", *words)
    assert isinstance(error, UserError)
    assert said in str(error)
