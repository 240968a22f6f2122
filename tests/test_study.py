"""`ballast study beta`: the numbers, the page, and mistakes that are told in one line."""

import json
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.cli.study import _text
from engine.cli.study_beta import span_of, study_beta, usual_rules
from engine.cli.verbs import app_of
from engine.signals.candle_file import candles_of
from engine.signals.candles import Candle
from engine.signals.outlook import Regime
from engine.values.errors import UserError
from engine.values.units import NS_PER_MS
from tests.market_data import recorded
from tests.outlook_builders import candles, walks

PLAYBOOK = Path(__file__).resolve().parent.parent / "configs" / "playbook.toml"


def written(path, bars: list[Candle]):
    rows = [[b.at_ns // NS_PER_MS, b.open, b.high, b.low, b.close, b.volume] for b in bars]
    path.write_text(json.dumps(rows))
    return path


@pytest.fixture
def files(tmp_path):
    btc, token = walks(1, 600, 1.5, 0.01)
    made = written(tmp_path / "BTC_USDT-1h.json", candles(btc, reach=1_000.0))
    return written(tmp_path / "BTT_USDT-1h.json", candles(token, reach=1_000.0)), made


def run(*words: object):
    return CliRunner().invoke(app_of(["study"]), ["study", "beta", *map(str, words)])


def test_the_planted_beta_is_told_with_its_error(files):
    answer = json.loads(run(*files, "--json").stdout.splitlines()[-1])
    assert abs(answer["fit"]["beta"] - 1.5) < 3 * answer["fit"]["beta_error"]
    assert answer["returns"] == 599
    assert answer["holes"] == 0
    assert sum(answer["shares"].values()) == pytest.approx(1)
    assert answer["hedge"]["ratio"] == answer["fit"]["beta"]


def test_people_are_told_in_sentences(files):
    text = run(*files).stdout
    assert text.startswith("BTT/USDT against BTC/USDT: 600 bars of 1h in both")
    assert "hedge: sell 1." in text
    assert "share of bars: stable" in text


def test_the_page_is_whole_by_itself_and_the_same_every_time(files, tmp_path):
    pages = [tmp_path / "one.html", tmp_path / "two.html"]
    for page in pages:
        assert run(*files, "--html", page).exit_code == 0
    text = pages[0].read_text()
    assert text == pages[1].read_text()
    start, end = text.index("<svg"), text.index("</svg>") + len("</svg>")
    assert ElementTree.fromstring(text[start:end]).tag.endswith("svg")
    assert text.count("<svg") == 2
    assert "<script" not in text
    assert "<link" not in text
    assert "breaking support" in text


def test_a_playbooks_rules_can_be_the_studys(files):
    answer = json.loads(run(*files, "--json", "--playbook", PLAYBOOK).stdout)
    usual = json.loads(run(*files, "--json").stdout)
    assert answer["fit"]["pairs"] < usual["fit"]["pairs"]


def test_a_history_too_short_for_a_beta_says_so(tmp_path):
    btc, token = (candles(closes, reach=1_000.0) for closes in walks(1, 20, 1.0, 0.01))
    found = run(written(tmp_path / "a.json", token), written(tmp_path / "b.json", btc))
    assert "no beta: 72 returns are the least" in found.stdout
    page = tmp_path / "page.html"
    found = run(tmp_path / "a.json", tmp_path / "b.json", "--html", page)
    assert found.exit_code == 0
    assert page.read_text().count("<svg") == 2


def test_a_market_that_stands_still_is_drawn_all_the_same(tmp_path):
    still, page = candles([5.0] * 100), tmp_path / "page.html"
    btc = candles(walks(1, 100, 1.0, 0.01)[0], reach=1_000.0)
    found = run(
        written(tmp_path / "a.json", still), written(tmp_path / "b.json", btc), "--html", page
    )
    assert found.exit_code == 0
    assert "no beta" in found.stdout


def test_holes_are_counted_and_are_no_returns():
    btc, token = (candles(closes, reach=1_000.0) for closes in walks(1, 300, 1.0, 0.01))
    study = study_beta(token[:100] + token[102:], btc, usual_rules("1h"))
    assert (study.returns, study.holes) == (296, 3)


def test_files_that_do_not_meet_are_refused(tmp_path):
    btc, token = (candles(closes, reach=1_000.0) for closes in walks(1, 100, 1.0, 0.01))
    with pytest.raises(UserError, match="share 0 bars"):
        study_beta(token[:50], btc[50:], usual_rules("1h"))
    files = written(tmp_path / "a.json", token[::2]), written(tmp_path / "b.json", btc)
    with pytest.raises(UserError, match="bars of 2h"):
        raise run(*files).exception
    with pytest.raises(UserError, match="one bar has no span"):
        span_of(btc[:1], "x")
    with pytest.raises(UserError, match="apart; known are"):
        span_of(btc[::9], "x")


def test_a_missing_file_and_a_page_that_cannot_be_written_are_one_line(files, tmp_path):
    with pytest.raises(UserError, match=r"gone\.json: cannot be read"):
        raise run(tmp_path / "gone.json", files[1]).exception
    with pytest.raises(UserError, match="cannot be written"):
        raise run(*files, "--html", tmp_path / "none" / "page.html").exception


def test_the_crash_of_may_2021_is_a_broken_support_on_real_bars():
    paths = recorded("candles/BTT_USDT-1h.json.gz", "candles/BTC_USDT-1h.json.gz")
    answer = json.loads(run(*paths, "--json").stdout)
    assert answer["shared_bars"] == 4_090
    assert 0.9 < answer["fit"]["beta"] < 1.3
    assert 0.05 < answer["shares"][Regime.BREAKING_SUPPORT] < 0.15


def test_real_bars_do_not_flap_between_regimes():
    (path,) = recorded("candles/BTC_USDT-1h.json.gz")
    btc = candles_of(_text(path), "btc")
    regimes = [bar.regime for bar in study_beta(btc, btc, usual_rules("1h")).regimes]
    stretches = np.diff(np.flatnonzero([True, *(a != b for a, b in pairwise(regimes))]))
    assert len(stretches) < 60
    assert np.median(stretches) >= 24
