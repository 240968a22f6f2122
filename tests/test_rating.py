"""The technical rating: golden vectors, two twins that agree at every bar, TA-Lib as an oracle."""

import gzip
import json
import math

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from engine.cli.verbs import app_of
from engine.signals import indicators as ind
from engine.signals.candle_file import candles_of
from engine.signals.candles import Candle, columns_of
from engine.signals.rating import label_of, rate
from engine.signals.rating_batch import at_bar, history, rate_last
from engine.signals.rating_stream import RatingStream
from engine.signals.votes import Rules
from engine.values.errors import UserError
from engine.values.events import RatingLabel
from tests.market_data import recorded


def waves(count: int = 900) -> list[Candle]:
    """The bars of the specification's golden vectors."""
    close = [100 + 10 * math.sin(i / 17) + 3 * math.sin(i / 5) + 0.01 * i for i in range(count)]
    made = []
    for i, price in enumerate(close):
        before = close[i - 1] if i else close[0]
        made.append(
            Candle(
                at_ns=i,
                open=before,
                high=max(before, price) + 0.5 + 0.3 * abs(math.sin(i / 3)),
                low=min(before, price) - 0.5 - 0.3 * abs(math.cos(i / 4)),
                close=price,
                volume=1000 + 200 * math.sin(i / 7),
            )
        )
    return made


GOLDEN = [
    (560, 0.533333, 0.090909, 0.312121, "momentum+ macd- bull_bear+"),
    (600, -0.666667, 0.454545, -0.106061, "rsi+ stochastic+ momentum+ macd+ williams+"),
    (640, 0.8, 0.0, 0.4, "cci- adx+ momentum- macd+"),
    (700, -0.666667, -0.090909, -0.378788, "stochastic+ adx- momentum- macd- williams+"),
    (760, 0.8, 0.0, 0.4, "stochastic- cci- adx+ momentum- macd+ ultimate+"),
    (860, 0.8, -0.090909, 0.354545, "cci- adx+ momentum- macd+ williams-"),
]
RAW_640 = {
    "close": 107.816471, "sma200": 105.308066, "ema200": 103.843451, "hma9": 108.226790,
    "vwma20": 100.537013, "rsi": 86.212407, "k": 94.451753, "d": 94.264588, "cci": 107.944032,
    "adx": 61.117605, "plus_di": 27.093434, "minus_di": 4.328933, "ao": 7.827510,
    "momentum": 7.554236, "macd": 2.498496, "signal": 1.499618, "rsi_k": 100.0, "rsi_d": 100.0,
    "williams": -5.249231, "bull": 4.423078, "bear": 2.655943, "ultimate": 64.141807,
    "conversion": 104.536715, "base": 100.751595, "span_a26": 98.993969, "span_b26": 106.305191,
}  # fmt: skip


def signs(votes: dict[str, int | None]) -> str:
    oscillators = list(votes.items())[15:]
    return " ".join(f"{name}{'+' if vote > 0 else '-'}" for name, vote in oscillators if vote)


@pytest.mark.parametrize(("bars", "averages", "oscillators", "whole", "not_zero"), GOLDEN)
def test_the_golden_vectors_hold(bars, averages, oscillators, whole, not_zero):
    rated = rate_last(waves()[:bars], Rules.R2024)
    assert rated.moving_averages == pytest.approx(averages, abs=1e-6)
    assert rated.oscillators == pytest.approx(oscillators, abs=1e-6)
    assert rated.all == pytest.approx(whole, abs=1e-6)
    assert signs(rated.votes) == not_zero
    assert rated.voted == 26


def test_the_raw_values_behind_the_votes_hold():
    values = at_bar(history(waves()[:640]), -1)
    assert {name: values[name] for name in RAW_640} == pytest.approx(RAW_640, abs=1e-6)


@pytest.mark.parametrize(
    ("score", "label"),
    [
        (-1.0, RatingLabel.STRONG_SELL),
        (-0.5, RatingLabel.SELL),
        (-0.1, RatingLabel.NEUTRAL),
        (0.0, RatingLabel.NEUTRAL),
        (0.1, RatingLabel.NEUTRAL),
        (0.100001, RatingLabel.BUY),
        (0.5, RatingLabel.BUY),
        (0.51, RatingLabel.STRONG_BUY),
    ],
)
def test_labels_change_strictly_beyond_their_edges(score, label):
    assert label_of(score) is label


@pytest.mark.parametrize("rules", list(Rules))
@pytest.mark.parametrize("token", ["BTT", "DENT", "TRX", "BTC"])
def test_both_twins_agree_at_every_real_bar(token, rules):
    (file,) = recorded(f"candles/{token}_USDT-1h.json.gz")
    candles = candles_of(gzip.decompress(file.read_bytes()).decode(), file.name)
    values, stream = history(candles), RatingStream(rules)
    for index, candle in enumerate(candles):
        assert stream.push(candle) == rate(at_bar(values, index), rules)


@st.composite
def thin_markets(draw) -> list[Candle]:
    """Bars of a dead token: flat stretches, zero volume, jumps of whole ticks."""
    ticks, made = 62, []
    for at_ns in range(draw(st.integers(1, 120))):
        before = ticks
        ticks = max(1, ticks + draw(st.sampled_from([0, 0, 0, 0, 1, -1, 3, -3])))
        reach = draw(st.sampled_from([0, 0, 1, 2]))
        made.append(
            Candle(
                at_ns=at_ns,
                open=before * 1e-8,
                high=(max(before, ticks) + reach) * 1e-8,
                low=max(1, min(before, ticks) - reach) * 1e-8,
                close=ticks * 1e-8,
                volume=draw(st.sampled_from([0.0, 0.0, 1.0, 5e6])),
            )
        )
    return made


@settings(max_examples=60, deadline=None)
@given(thin_markets(), st.sampled_from(list(Rules)))
def test_both_twins_agree_on_a_token_that_hardly_moves(candles, rules):
    values, stream = history(candles), RatingStream(rules)
    for index, candle in enumerate(candles):
        assert stream.push(candle) == rate(at_bar(values, index), rules)


@pytest.mark.parametrize("rules", list(Rules))
def test_a_rating_does_not_depend_on_the_unit_of_price(rules):
    candles = waves(300)
    tiny = [
        Candle(
            at_ns=c.at_ns,
            open=c.open * 6e-9,
            high=c.high * 6e-9,
            low=c.low * 6e-9,
            close=c.close * 6e-9,
            volume=c.volume,
        )
        for c in candles
    ]
    whole, small = history(candles), history(tiny)
    for index in range(len(candles)):
        assert rate(at_bar(small, index), rules) == rate(at_bar(whole, index), rules)


def test_a_short_history_has_fewer_votes_and_a_dead_one_says_so():
    rated = rate_last(waves(20), Rules.R2024)
    assert rated.votes["sma10"] is not None
    assert rated.votes["sma200"] is None
    assert rated.voted < 20
    flat = [Candle(at_ns=i, open=1, high=1, low=1, close=1, volume=0) for i in range(250)]
    assert rate_last(flat, Rules.R2024).votes["vwma20"] is None


def random_walk(count: int) -> list[Candle]:
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, count)))
    reach = rng.uniform(0.1, 1.0, count)
    return [
        Candle(at_ns=i, open=float(c), high=float(c + r), low=float(c - r / 3), close=float(c),
               volume=float(v))
        for i, (c, r, v) in enumerate(zip(close, reach, rng.uniform(1, 9, count), strict=True))
    ]  # fmt: skip


def test_talib_agrees_where_the_definitions_do():
    """CCI (typical price there) and the first bars of MACD and ADX (another seed) do not."""
    bars = columns_of(random_walk(1500))
    high, low, close = bars.high, bars.low, bars.close
    exact = {
        "sma": (ind.sma(close, 30), talib.SMA(close, 30)),
        "ema": (ind.ema(close, 30), talib.EMA(close, 30)),
        "wma": (ind.wma(close, 9), talib.WMA(close, 9)),
        "rsi": (ind.rsi(close, 14), talib.RSI(close, 14)),
        "momentum": (close - ind.back(close, 10), talib.MOM(close, 10)),
        "ultimate": (ind.ultimate(high, low, close), talib.ULTOSC(high, low, close, 7, 14, 28)),
        "williams": (
            ind.stochastic(close, high, low, 14) - 100,
            talib.WILLR(high, low, close, 14),
        ),
    }
    for name, (ours, theirs) in exact.items():
        np.testing.assert_allclose(ours, theirs, atol=1e-9, err_msg=name)
    plus_di, minus_di, adx = ind.directional(high, low, close, 14)
    settled = slice(600, None)
    for name, ours, theirs in (
        ("adx", adx, talib.ADX(high, low, close, 14)),
        ("+di", plus_di, talib.PLUS_DI(high, low, close, 14)),
        ("-di", minus_di, talib.MINUS_DI(high, low, close, 14)),
        ("macd", ind.ema(close, 12) - ind.ema(close, 26), talib.MACD(close, 12, 26, 9)[0]),
    ):
        np.testing.assert_allclose(ours[settled], theirs[settled], atol=1e-6, err_msg=name)
    assert np.nanmax(np.abs(ind.cci(close, 20) - talib.CCI(high, low, close, 20))) > 1


def written(tmp_path, rows) -> str:
    path = tmp_path / "bars.json"
    path.write_text(json.dumps(rows))
    return str(path)


def rows_of(candles):
    return [[c.at_ns * 1000, c.open, c.high, c.low, c.close, c.volume] for c in candles]


def test_the_verb_answers_in_json_with_every_vote(tmp_path):
    file = written(tmp_path, rows_of(waves()[:640]))
    result = CliRunner().invoke(app_of(["rate"]), ["rate", file, "--json"])
    answer = json.loads(result.stdout.splitlines()[-1])
    assert (answer["moving_averages"], answer["oscillators"]) == pytest.approx((0.8, 0.0))
    assert (answer["all"], answer["label"], len(answer["votes"])) == (0.4, "buy", 26)


def test_too_few_votes_are_no_rating(tmp_path):
    file = written(tmp_path, rows_of(waves()[:30]))
    answer = json.loads(CliRunner().invoke(app_of(["rate"]), ["rate", file, "--json"]).stdout)
    assert answer["label"] is None
    assert not answer["is_rating"]


def test_a_forming_bar_is_left_out_when_told(tmp_path):
    candles = waves()[:641]
    file = written(tmp_path, rows_of(candles))
    answer = json.loads(
        CliRunner().invoke(app_of(["rate"]), ["rate", file, "--forming", "--json"]).stdout
    )
    assert answer["bars"] == 640


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "no candles"),
        ("[[1,2]]", "not rows of"),
        ("[[1,2,1,1,2,5]]", "row 0: high and low"),
        ("[[1,1,1,1,1,1],[1,1,1,1,1,1]]", "row 1: not later"),
        ("ms,open,high,low,close\n1,1,1,1,1", "line 1: the header lacks volume"),
        ("ms,open,high,low,close,volume\n1,1,1,1,x,1", "line 2"),
        ("ms,open,high,low,close,volume\n1,1,1,1,nan,1", "line 2: prices must be finite"),
    ],
)
def test_a_bad_file_is_named_with_its_row(text, told):
    with pytest.raises(UserError, match=told):
        candles_of(text, "bars")


def test_csv_and_json_give_the_same_bars():
    csv = "time,open,high,low,close,volume\n1000,1,2,0.5,1.5,7\n2000,1.5,2,1,1,0\n"
    assert candles_of(csv, "x") == candles_of("[[1000,1,2,0.5,1.5,7],[2000,1.5,2,1,1,0]]", "y")
