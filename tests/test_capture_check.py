"""`ballast capture check`: the known truths of the recordings, and a line lost on purpose."""

import gzip
import json
from pathlib import Path

import msgspec
import pytest
import zstandard
from typer.testing import CliRunner

from adapters.transport.capture import read_lines
from engine.cli.capture import app
from engine.cli.capture_check import CaptureReport, check_capture
from engine.values.errors import UserError
from tests.market_data import futures_wire, spot_wire


def depth(first: int, last: int, bid: str = "0.00000062", size: str = "5.00") -> dict[str, object]:
    return {
        "stream": "bttusdt@depth@100ms",
        "data": {
            "e": "depthUpdate", "E": 1_000 + last, "s": "BTTUSDT", "U": first, "u": last,
            "b": [[bid, size]], "a": [],
        },
    }  # fmt: skip


def ticker(update_id: int, bid: str = "0.00000062", size: str = "5.00") -> dict[str, object]:
    return {
        "stream": "bttusdt@bookTicker",
        "data": {
            "u": update_id, "s": "BTTUSDT", "b": bid, "B": size, "a": "0.00000064", "A": "3.00",
        },
    }  # fmt: skip


def trade(trade_id: int) -> dict[str, object]:
    return {
        "stream": "bttusdt@trade",
        "data": {
            "e": "trade", "E": 1_000, "s": "BTTUSDT", "t": trade_id, "p": "0.00000063",
            "q": "4.00", "T": 1_000, "m": True,
        },
    }  # fmt: skip


def snapshot(last: int) -> dict[str, object]:
    bids, asks = [["0.00000062", "5.00"]], [["0.00000064", "3.00"]]
    return {"lastUpdateId": last, "bids": bids, "asks": asks}


CAPTURE = [
    depth(1, 2), snapshot(2), ticker(3, size="6.00"), depth(3, 3, size="6.00"), trade(7),
    depth(4, 4, size="7.00"), ticker(4, size="7.00"), trade(8), depth(5, 6, size="8.00"),
    ticker(7, size="9.00"), depth(7, 7, size="9.00"), trade(9),
]  # fmt: skip


def lines_of(frames: list[dict[str, object]]) -> bytes:
    stamps = range(1_000_000_000, 10**12, 1_000_000)
    rows = [f"{ns} {json.dumps(frame)}\n" for ns, frame in zip(stamps, frames, strict=False)]
    return "".join(rows).encode()


def written(folder: Path, frames: list[dict[str, object]]) -> Path:
    path = folder / "wire.txt"
    path.write_bytes(lines_of(frames))
    return path


def checked(folder: Path, frames: list[dict[str, object]], drop: int = 0) -> CaptureReport:
    return check_capture([written(folder, frames)], drop)


def test_the_spot_recording_is_as_it_is_known_to_be():
    report = check_capture(spot_wire())
    assert (report.frames, report.level_changes) == (99_574, 298_111)
    assert report.frames_by_type["trade"] == 19_904
    assert (report.gaps, report.trade_gaps, report.crossed, report.quarantined) == (0, 0, 0, 0)
    assert (report.matched, report.compared) == (1_072, 1_072)
    assert report.is_clean


def test_the_futures_recording_is_as_it_is_known_to_be():
    report = check_capture(futures_wire())
    assert (report.frames, report.level_changes) == (78_314, 437_922)
    assert report.frames_by_type["trade"] == 3_595
    assert (report.gaps, report.trade_gaps, report.crossed, report.quarantined) == (0, 0, 0, 0)
    assert (report.matched, report.compared) == (2_278, 2_278)
    assert report.is_clean


def test_the_recorders_slow_clock_is_noticed_and_named():
    latency = check_capture(spot_wire()).latency_ms
    assert latency is not None
    assert -1_280 < latency.p50 < -1_260
    assert "behind the venue" in latency.note


@pytest.mark.parametrize("wire", [spot_wire, futures_wire])
def test_f01_a_lost_line_of_the_recording_is_one_gap_and_heals(wire):
    files = wire()
    lost = next(n for n, _, frame in read_lines(files) if n > 30_000 and b"depthUpdate" in frame)
    report = check_capture(files, lost)
    assert (report.gaps, report.recoveries, report.recovered) == (1, 1, True)
    assert report.matched == report.compared >= 1_000
    assert report.crossed == 0
    assert not report.is_clean


def test_a_whole_capture_is_clean(tmp_path):
    report = checked(tmp_path, CAPTURE)
    assert report.is_clean
    assert (report.frames, report.level_changes, report.gaps) == (12, 5, 0)
    assert (report.matched, report.compared) == (3, 3)
    assert report.tops == {
        "BTTUSDT": {"bid": "0.00000062", "bid_size": "9", "ask": "0.00000064", "ask_size": "3"}
    }


def test_a_lost_depth_line_is_a_gap_that_heals(tmp_path):
    report = checked(tmp_path, CAPTURE, drop=6)
    assert (report.frames, report.gaps, report.recoveries, report.recovered) == (11, 1, 1, True)
    assert (report.matched, report.compared) == (2, 2)
    assert "standing in" in report.note


def test_a_lost_trade_is_a_trade_gap_alone(tmp_path):
    report = checked(tmp_path, CAPTURE, drop=8)
    assert (report.gaps, report.trade_gaps, report.is_clean) == (0, 1, False)


def test_a_lost_snapshot_is_asked_for_again(tmp_path):
    report = checked(tmp_path, CAPTURE, drop=2)
    assert (report.gaps, report.recovered, report.is_clean) == (0, True, True)
    assert (report.matched, report.compared) == (3, 3)


def test_a_gap_in_the_files_heals_at_their_next_snapshot(tmp_path):
    frames = [*CAPTURE[:5], *CAPTURE[6:]]
    report = checked(tmp_path, frames)
    assert (report.gaps, report.recovered, report.recoveries) == (1, False, 0)
    report = checked(tmp_path, [*frames, depth(8, 9), snapshot(9), depth(10, 10)])
    assert (report.gaps, report.recovered, report.recoveries) == (1, True, 1)


def test_a_book_ticker_that_disagrees_is_a_finding_with_its_line(tmp_path):
    report = checked(tmp_path, [*CAPTURE, ticker(7, size="1.00")])
    assert (report.matched, report.compared, report.is_clean) == (3, 4, False)
    assert "line 13" in report.findings[0]


def test_f08_a_crossed_moment_is_a_finding(tmp_path):
    report = checked(tmp_path, [*CAPTURE, depth(8, 8, bid="0.00000064")])
    assert (report.crossed, report.is_clean) == (1, False)


def test_an_unreadable_frame_is_a_finding_and_the_reading_goes_on(tmp_path):
    frames = [*CAPTURE[:5], {"stream": "bttusdt@depth@100ms", "data": {}}, *CAPTURE[5:]]
    report = checked(tmp_path, frames)
    assert (report.quarantined, report.frames, report.is_clean) == (1, 13, False)


def test_plain_gz_and_zst_read_alike_and_count_lines_through(tmp_path):
    half = lines_of(CAPTURE[:6]), lines_of(CAPTURE)[len(lines_of(CAPTURE[:6])) :]
    zst, gz = tmp_path / "a.zst", tmp_path / "b.gz"
    zst.write_bytes(zstandard.compress(half[0][:300]) + zstandard.compress(half[0][300:]))
    gz.write_bytes(gzip.compress(half[1]))
    expected = list(read_lines([written(tmp_path, CAPTURE)]))
    assert list(read_lines([zst, gz])) == expected
    assert [number for number, _, _ in expected] == list(range(1, 13))


@pytest.mark.parametrize("bad", [b"{}", b"12x {}", b"-5 {}", b"", b"9" * 30 + b" {}"])
def test_a_bad_line_names_its_file_and_line(tmp_path, bad):
    path = tmp_path / "wire.txt"
    path.write_bytes(lines_of(CAPTURE[:2]) + bad + b"\n" + lines_of(CAPTURE[2:]))
    with pytest.raises(UserError, match=r"wire\.txt:3: "):
        list(read_lines([path]))


def test_a_damaged_or_absent_file_is_the_users_to_mend(tmp_path):
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(lines_of(CAPTURE))[:-20])
    wrong = tmp_path / "wrong.zst"
    wrong.write_bytes(b"not zstandard")
    for path in (cut, wrong, tmp_path / "absent.gz"):
        with pytest.raises(UserError, match=path.name):
            list(read_lines([path]))


def test_a_file_without_market_messages_is_refused(tmp_path):
    with pytest.raises(UserError, match="no Binance market message"):
        checked(tmp_path, [{"hello": 1}])


def test_a_line_beyond_the_end_cannot_be_dropped(tmp_path):
    with pytest.raises(UserError, match="ends at line 12"):
        checked(tmp_path, CAPTURE, drop=13)


def test_the_verb_ends_with_one_object_and_a_stable_exit_code(tmp_path):
    path = str(written(tmp_path, CAPTURE))
    clean = CliRunner().invoke(app, ["check", path, "--json"])
    assert clean.exit_code == 0
    report = msgspec.json.decode(clean.stdout.splitlines()[-1], type=CaptureReport)
    assert (report.frames, report.matched, report.compared) == (12, 3, 3)
    found = CliRunner().invoke(app, ["check", path, "--drop", "6"])
    assert found.exit_code == 1
    assert "sequence gaps   1" in found.stdout
