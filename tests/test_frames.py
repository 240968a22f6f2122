"""Raw frames on the disk come back as they came, up to the last whole block."""

import msgspec
import pytest

from engine.runtime.block_file import RecorderParams
from engine.runtime.frames import (
    Frame,
    FrameRecorder,
    FramesHeader,
    ending,
    files_of,
    frames,
    read_header,
)
from engine.values.errors import UserError
from engine.values.units import NS_PER_S
from tests.sim.venue import BTT

START_NS = 1_700_000_000 * NS_PER_S
PARAMS = RecorderParams(free_bytes_min=0)
HEADER = FramesHeader(
    at_ns=START_NS, part=0, code_version="0", exchanges={"sim": "binance"}, instruments=[BTT]
)


def recorded(directory, wanted, params=PARAMS):
    recorder = FrameRecorder(directory, HEADER, params)
    recorder.start()
    for frame in wanted:
        recorder.take(frame.at_ns, frame.stream, frame.data)
    recorder.close()
    assert recorder.complaint() == ""
    return recorder


def some(count, every_ns=1_000_000):
    return [
        Frame(START_NS + n * every_ns, "public:sim", b'{"n":%d}\xff\x00' % n) for n in range(count)
    ]


def read(directory):
    return [frame for file in files_of(directory) for frame in frames(file)]


def test_frames_come_back_byte_for_byte_with_their_moment_and_stream(tmp_path):
    wanted = [*some(500), Frame(1, "depth:BTT/USDT@sim", b""), Frame(2, "lost:sim", b"reset")]
    recorder = recorded(tmp_path, wanted)
    assert read(tmp_path) == wanted
    assert (recorder.taken, recorder.written) == (502, 502)
    assert recorder.taken_bytes == sum(len(frame.data) for frame in wanted)


def test_the_header_says_what_the_markets_were(tmp_path):
    recorded(tmp_path, some(1))
    assert read_header(files_of(tmp_path)[0]) == HEADER


def test_each_hour_has_a_file_and_each_file_says_which_hour(tmp_path):
    small = msgspec.structs.replace(PARAMS, block_bytes=500)
    wanted = some(900, every_ns=10 * NS_PER_S)
    recorder = recorded(tmp_path, wanted, small)
    files = files_of(tmp_path)
    assert files == recorder.files()
    assert [read_header(file).part for file in files] == [0, 1, 2]
    assert [ending(file).goes_on for file in files] == [True, True, False]
    hours = [{frame.at_ns // (3_600 * NS_PER_S) for frame in frames(file)} for file in files]
    assert all(len(hour) <= 2 for hour in hours)
    assert read(tmp_path) == wanted


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_torn_tail_costs_only_the_last_block(tmp_path, cut):
    wanted = some(2_000)
    recorded(tmp_path, wanted, msgspec.structs.replace(PARAMS, block_bytes=400))
    file = files_of(tmp_path)[0]
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2 - cut])
    found = read(tmp_path)
    assert 0 < len(found) < len(wanted)
    assert found == wanted[: len(found)]
    assert ending(file) is None


def test_damage_before_the_end_is_told_and_not_passed_over(tmp_path):
    recorded(tmp_path, some(2_000), msgspec.structs.replace(PARAMS, block_bytes=400))
    file = files_of(tmp_path)[0]
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)
    with pytest.raises(UserError, match=r"damaged at byte|cannot be"):
        read(tmp_path)


def test_an_hour_that_is_torn_although_another_follows_is_damage(tmp_path):
    small = msgspec.structs.replace(PARAMS, block_bytes=500)
    recorded(tmp_path, some(900, every_ns=10 * NS_PER_S), small)
    first = files_of(tmp_path)[0]
    first.write_bytes(first.read_bytes()[:-5])
    with pytest.raises(UserError, match="damaged at byte"):
        read(tmp_path)


def test_a_full_disk_ends_the_recording_with_one_complaint(tmp_path):
    recorder = FrameRecorder(tmp_path, HEADER, RecorderParams(free_bytes_min=10**18))
    recorder.start()
    recorder._file.thread.join(10)
    assert not recorder.is_on
    recorder.take(1, "public:sim", b"x")
    assert recorder.taken == 0
    assert "recording of frames ended" in recorder.complaint()
    assert recorder.complaint() == ""


def test_a_place_without_frames_is_a_user_s_mistake(tmp_path):
    with pytest.raises(UserError, match="no recorded frames"):
        files_of(tmp_path)
    (tmp_path / "x.frames").write_bytes(b"something else")
    with pytest.raises(UserError, match="not a recording"):
        read_header(tmp_path / "x.frames")
