"""The suite's arithmetic and its pages: no test here asks how long anything takes."""

import json
import math
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import msgspec
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from bench import bench_wire
from bench.harness import WAITED, Ratio, Timing, ratio, table, timing
from bench.report import BEGIN, END, changes_text, into_page, markdown, svg
from bench.suite import (
    WORSE_MAX,
    Report,
    Result,
    about,
    changes,
    committed_report,
    confirmed,
    discover,
    ratio_in,
    read_answer,
    times_worse,
)
from engine.cli.bench import checkout
from engine.values.errors import UserError

DIGITS = 1e-3
"""What an HdrHistogram of three digits may be off by."""


def row(name="a", p50=1.0, **more):
    fields = {"count": 3, "p90": p50 * 2, "p99": p50 * 3, "p999": p50 * 4, "max": p50 * 5}
    return Timing(name=name, p50=p50, **(fields | more))


def report(*results, **more):
    fields = {"taken": "2026-01-02T03:04:05+00:00", "is_quick": True, "conditions": "calm",
              "machine": {"cores": 2}}  # fmt: skip
    return Report(results=list(results), **(fields | more))


def result(name="book", value=0.5, **more):
    ratios = [Ratio(name="ours / theirs", value=value)]
    return Result(name=name, about="What it is.", **({"ratios": ratios} | more))


def naive(spans, share):
    """Nearest rank in the sorted list."""
    rank = int(share / 100 * len(spans) + 0.5)
    return sorted(spans)[max(1, rank) - 1]


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=300))
def test_percentiles_are_those_of_a_naive_twin(spans):
    found = timing("x", spans)
    assert (found.count, found.max) == (len(spans), max(spans) / 1e3)
    for share, value in ((50, found.p50), (90, found.p90), (99, found.p99), (99.9, found.p999)):
        assert value * 1e3 == pytest.approx(naive(spans, share), rel=DIGITS, abs=1)


def test_percentiles_never_exceed_the_longest_span():
    found = timing("x", [10**9 + 7])
    assert found.p50 == found.p999 == found.max


def test_the_whole_histogram_can_be_read_back():
    dice = Random(1)
    spans = [dice.randint(100, 10**7) for _ in range(5_000)]
    histogram = HdrHistogram.decode(timing("x", spans).hdr)
    assert histogram.get_total_count() == len(spans)
    assert histogram.get_value_at_percentile(50) == pytest.approx(naive(spans, 50), rel=DIGITS)


def test_nothing_measured_is_an_error_and_not_a_zero():
    with pytest.raises(ValueError, match="nothing measured for idle"):
        timing("idle", [])


def test_a_ratio_is_ours_over_theirs_and_knows_its_wish():
    assert ratio("x", row(p50=3.0), row(p50=2.0), 1.5).is_kept
    assert not ratio("x", row(p50=3.1), row(p50=2.0), 1.5).is_kept
    assert ratio("x", row(p50=9.0), row(p50=1.0)).is_kept


def test_the_table_shows_every_percentile_and_the_count():
    text = table([row("decode", 2.0, count=1_234)])
    assert [word in text for word in ("p99.9", "decode", "1,234", "8.0")] == [True] * 4


# --- finding and reading ------------------------------------------------------------------------


def test_a_benchmark_is_found_by_its_name_and_says_what_it_is_for(tmp_path):
    (tmp_path / "bench_b.py").write_text('"""B measures b."""\nraise SystemExit\n')
    (tmp_path / "bench_a.py").write_text('"""A measures a.\n\nMore."""\n')
    (tmp_path / "harness.py").write_text("")
    (tmp_path / "bench_wire.py").write_text("")
    assert discover(tmp_path) == ["wire", "a", "b"]
    assert (about("a", tmp_path), about("b", tmp_path)) == ("A measures a.", "B measures b.")


def test_every_benchmark_here_says_what_it_is_for():
    assert all(about(name) for name in discover())


def test_an_answer_gives_timings_ratios_and_facts():
    line = json.dumps({"timings_us": [msgspec.structs.asdict(row())], "frames": "recorded",
                       "ratios": [{"name": "a / b", "value": 2.0, "at_most": 3.0}],
                       "all: ccxt / ours, medians": 4.0, "machine": {}})  # fmt: skip
    found = read_answer("x", "X.", 1.0, line)
    assert found.timings == [row()]
    assert found.facts == {"frames": "recorded"}
    assert found.ratios == [
        Ratio(name="a / b", value=2.0, at_most=3.0),
        Ratio(name="all: ours / ccxt, medians", value=0.25),
    ]


def test_a_last_line_that_is_no_json_is_an_error_of_that_benchmark():
    assert read_answer("x", "X.", 1.0, "Traceback").error


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("wire: ours / minimal", 1.4, ("wire: ours / minimal", 1.4)),
        ("wire: ccxt / ours", 2.0, ("wire: ours / ccxt", 0.5)),
        ("theirs / ballast, p99", 4.0, ("ballast / theirs, p99", 0.25)),
    ],
)
def test_a_ratio_among_the_facts_is_turned_so_that_lower_is_better(name, value, expected):
    (found,) = ratio_in(name, value)
    assert (found.name, found.value) == expected


@pytest.mark.parametrize(("name", "value"), [("a / b", "text"), ("frames", 3.0), ("a / b", 0.0)])
def test_other_facts_are_no_ratios(name, value):
    assert ratio_in(name, value) == []


# --- beside the committed report ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "before", "times"), [(0.5, 0.5, 1.0), (1.0, 0.5, 2.0), (0.25, 0.5, 0.5)]
)
def test_how_many_times_worse_a_ratio_is(now, before, times):
    assert times_worse(now, before) == times


def test_a_ratio_that_was_nothing_is_infinitely_worse_when_it_is_something():
    assert times_worse(1.0, 0.0) == math.inf
    assert times_worse(0.0, 0.0) == 1.0


@pytest.mark.parametrize(("factor", "outside"), [(1.0, False), (2.9, False), (3.1, True)])
def test_only_what_is_far_outside_the_committed_ratio_fails(factor, outside):
    (change,) = changes(report(result(value=0.5 * factor)), report(result(value=0.5)))
    assert change.is_outside is outside


def test_a_better_ratio_never_fails():
    (change,) = changes(report(result(value=0.001)), report(result(value=0.5)))
    assert not change.is_outside


def test_only_ratios_that_both_reports_have_are_compared():
    now = report(result("book"), result("new"))
    assert [c.bench for c in changes(now, report(result("book"), result("gone")))] == ["book"]


def test_what_is_outside_once_and_inside_again_fails_nothing():
    before = report(result(value=0.1))
    outside = changes(report(result(value=1.0)), before)
    assert confirmed(outside, report(result(value=0.1)), before) == []
    assert confirmed(outside, report(result(value=0.9)), before) == outside


def test_a_benchmark_that_was_left_out_is_no_failure_and_no_ratio():
    now = report(result(ratios=[], left_out="left out: the time of a quick run was over"))
    assert changes(now, report(result())) == []


def test_the_changes_stand_beside_each_other():
    text = changes_text(changes(report(result(value=2.0)), report(result(value=0.5))))
    assert "book: ours / theirs" in text
    assert f"more than {WORSE_MAX:g} times worse" in text


def test_the_committed_report_can_be_read_and_has_both_halves():
    stored = committed_report()
    assert stored is not None, "the report is part of the project"
    assert (stored.full.is_quick, stored.quick.is_quick) == (False, True)
    assert stored.full.conditions, "a number without its conditions says nothing"
    assert {r.name for r in stored.full.results} <= set(discover())


# --- pages --------------------------------------------------------------------------------------


def test_the_markdown_holds_every_number_wish_and_failure():
    kept = Ratio(name="ours / floor", value=1.2, at_most=1.5)
    missed = Ratio(name="ours / a | b", value=1.7, at_most=1.5)
    text = markdown(
        report(
            result(timings=[row("decode", 1234.5)], ratios=[kept, missed], facts={"lost": 0}),
            result("broken", error="exit 3"),
        )
    )
    assert "| decode | 1,234 |" in text
    assert "| ours / floor | 1.200 | 1.5 | kept |" in text
    assert "| ours / a \\| b | 1.700 | 1.5 | **missed** |" in text
    assert "- lost: 0" in text
    assert "**exit 3**" in text
    assert "calm" in text


def test_the_picture_is_well_formed_and_has_a_mark_for_every_figure():
    timings = [row("a < b & c", 0.5), row("slow", 90_000.0)]
    root = ElementTree.fromstring(svg(report(result(timings=timings))))
    names = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b & c", "slow", "book"} <= set(names)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 4


def test_longer_spans_stand_further_right_in_the_picture():
    timings = [row(str(n), 10.0**n) for n in range(-1, 5)]
    root = ElementTree.fromstring(svg(report(result(timings=timings))))
    circles = list(root.iter("{http://www.w3.org/2000/svg}circle"))
    middles = [float(c.get("cx")) for c in circles if c.get("class") == "middle"]
    assert middles == sorted(set(middles))


def test_a_report_without_figures_still_makes_a_picture():
    ElementTree.fromstring(svg(report(result())))


def test_results_replace_only_what_stands_between_the_marks():
    page = f"# Title\n{BEGIN}\nold\n{END}\nafter\n"
    assert into_page(page, "new\n") == f"# Title\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(ValueError, match="lacks"):
        into_page("# Title\n", "new\n")


def test_a_report_survives_its_json():
    whole = report(result(timings=[row()], facts={"n": 1}))
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Report) == whole


def test_bench_outside_a_checkout_says_where_to_run_it(tmp_path: Path):
    with pytest.raises(UserError, match="editable install of a checkout"):
        checkout(tmp_path)
    assert (checkout() / "bench" / "suite.py").is_file()


# --- a starved host -----------------------------------------------------------------------------


def test_a_benchmark_that_waited_for_a_core_fails_nothing_and_says_so():
    starved = result(value=50.0, facts={WAITED: 0.6})
    found = changes(report(starved), report(result(value=1.0)))
    assert [change.is_outside for change in found] == [False]
    assert "not judged" in changes_text(found)


def test_one_that_had_its_core_is_judged():
    calm = result(value=50.0, facts={WAITED: 0.05})
    assert [c.is_outside for c in changes(report(calm), report(result(value=1.0)))] == [True]


async def test_a_client_from_which_too_few_orders_come_is_a_missed_measurement(monkeypatch):
    monkeypatch.setattr(bench_wire, "START_S_MAX", 0.2)
    mute = bench_wire.Client(name="mute")
    monkeypatch.setattr(bench_wire, "command_of", lambda *_: ["sleep", "60"])
    missed: list[str] = []
    assert await bench_wire.measured((mute,), missed, quick=True) == {}
    assert missed == ["mute: too few orders"]


async def test_a_client_that_dies_is_an_error_and_no_missed_measurement(monkeypatch):
    dead = bench_wire.Client(name="dead")
    monkeypatch.setattr(bench_wire, "command_of", lambda *_: ["false"])
    with pytest.raises(RuntimeError, match="dead: it died"):
        await bench_wire.measured((dead,), [], quick=True)
