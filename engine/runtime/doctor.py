"""Looks at the host before money does: each finding says what it means and what to do."""

import ctypes
import importlib.util
import os
import platform
import resource
import shutil
import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

PYTHON_MIN = (3, 11)
PACKAGES = ("ccxt", "aiosqlite", "cryptography", "msgspec", "numpy", "orjson", "picows", "uvloop")
KERNELS = (
    "adapters.codec.depth_kernel",
    "engine.market.book",
    "engine.market.delay",
    "engine.market.depth",
    "engine.market.features",
    "engine.market.second_stream",
    "engine.sim.kernel",
    "engine.sim.kernel_lane",
    "engine.sim.matching.book",
    "engine.sim.matching.open_orders",
    "engine.sim.matching.prices",
    "engine.sim.matching.public",
    "engine.sim.matching.queue",
    "engine.sim.matching.shadow",
    "engine.sim.matching.shared_queue",
    "engine.sim.matching.taking",
    "engine.sim.trail",
    "engine.trading.risk",
    "engine.trading.risk_checks",
    "engine.trading.risk_cut",
    "engine.trading.risk_sanity",
    "engine.trading.risk_watch",
    "engine.treasury.bands",
    "strategies.ladder",
)
"""What pyproject.toml builds where there is a C compiler."""
INSTALL_S = 60
"""An installer may write source and compiled form in any order, but within so many seconds."""
OPEN_FILES_MIN = 4_096
MEMLOCK_BYTES_MIN = 64 * 1024 * 1024
FREE_SHARE_WARN, FREE_SHARE_FAIL = 0.10, 0.02
FREE_BYTES_FAIL = 256 * 1024 * 1024
FAST_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
TIME_ERROR = 5
"""What adjtimex(2) answers while nothing steers the clock."""
TIMEX_BYTES = 512
"""More than struct timex on any platform; modes = 0 in it only asks."""
MAX_ERROR_OFFSET = 24
"""Of `maxerror` in struct timex on 64-bit Linux: modes, offset, freq, maxerror."""
MAX_ERROR_US_WARN = 500_000


class Grade(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`remedy` is "" where nothing is to be done."""

    name: str
    grade: Grade
    found: str
    remedy: str = ""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look. `root` stands before /sys, so that a test can lay out another host."""

    root: Path = Path("/")
    data_path: Path = Path(".")

    def text(self, path: str) -> str:
        """What the file says, "" where it is not to be had (a container, another kernel)."""
        try:
            return (self.root / path).read_text().strip()
        except OSError:
            return ""


def examine(host: Host) -> list[Finding]:
    """Every finding, in the order in which a person should read them."""
    return [finding for look in _LOOKS for finding in look(host)]


def _python(_: Host) -> Iterable[Finding]:
    found = f"{platform.python_implementation()} {platform.python_version()}"
    is_good = sys.version_info >= PYTHON_MIN
    yield _finding("python", is_good, found, Grade.FAIL, "install Python 3.11 or newer")


def _packages(_: Host) -> Iterable[Finding]:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    remedy = f"missing: {', '.join(missing)}; run: pip install ballast"
    yield _finding("packages", not missing, ", ".join(found), Grade.FAIL, remedy)


def _event_loop(_: Host) -> Iterable[Finding]:
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    found = "uvloop" if has_uvloop else "asyncio's own"
    yield _finding("event loop", has_uvloop, found, Grade.WARN, "pip install uvloop")


def _kernels(_: Host) -> Iterable[Finding]:
    """Interpreted kernels are right but slow: good for a thin market, not for a liquid one."""
    forms = {name: _form(name) for name in KERNELS}
    kinds = set(forms.values())
    told = [f"{name.partition('.')[2]} {form}" for name, form in forms.items()]
    found = f"all {next(iter(kinds))}" if len(kinds) == 1 else ", ".join(told)
    remedy = "install a C compiler, then reinstall: pip install -e ."
    yield _finding("kernels", kinds == {"compiled"}, found, Grade.WARN, remedy)


def _form(module: str) -> str:
    """Of an edited checkout the compiled form is that of before: it wins until the reinstall."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return "absent"
    if spec.origin.endswith(".py"):
        return "interpreted"
    origin = Path(spec.origin)
    source = origin.with_name(f"{module.rpartition('.')[2]}.py")
    is_stale = source.exists() and source.stat().st_mtime > origin.stat().st_mtime + INSTALL_S
    return "older than its source" if is_stale else "compiled"


def _clock_source(host: Host) -> Iterable[Finding]:
    found = host.text("sys/devices/system/clocksource/clocksource0/current_clocksource")
    is_good = found in FAST_CLOCKS or not found
    remedy = "each reading of the clock is a system call; boot with clocksource=tsc"
    yield _finding("clock source", is_good, found or "not knowable here", Grade.WARN, remedy)


def _time_sync(host: Host) -> Iterable[Finding]:
    """Signed requests carry the time; a venue refuses those that are late."""
    answer = _adjtimex()
    if answer is None:
        yield Finding(name="time sync", grade=Grade.OK, found="not knowable here")
        return
    state, max_error_us = answer
    is_good = state != TIME_ERROR and max_error_us < MAX_ERROR_US_WARN
    found = f"synchronised, within {max_error_us / 1000:.1f} ms" if is_good else "not synchronised"
    remedy = "run a time service (chrony), or the venue's offset is all that steers us"
    yield _finding("time sync", is_good, found, Grade.WARN, remedy)


def _adjtimex() -> tuple[int, int] | None:
    """(clock state, greatest error in us) from the kernel; None where it does not say."""
    library = ctypes.CDLL(None)
    if sys.platform != "linux" or not hasattr(library, "adjtimex"):
        return None
    buffer = ctypes.create_string_buffer(TIMEX_BYTES)
    state = library.adjtimex(buffer)
    if state < 0:
        return None
    max_error = buffer.raw[MAX_ERROR_OFFSET : MAX_ERROR_OFFSET + 8]
    return state, int.from_bytes(max_error, sys.byteorder, signed=True)


def _governor(host: Host) -> Iterable[Finding]:
    files = sorted(
        (host.root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    )
    governors = {host.text(str(file.relative_to(host.root))) for file in files}
    is_good = governors <= {"performance"}
    found = ", ".join(sorted(governors)) or "not knowable here"
    yield _finding(
        "cpu governor", is_good, found, Grade.WARN, "cpupower frequency-set -g performance"
    )


def _cores(host: Host) -> Iterable[Finding]:
    isolated = host.text("sys/devices/system/cpu/isolated")
    usable = len(os.sched_getaffinity(0))
    found = f"{usable} usable, isolated: {isolated or 'none'}"
    remedy = "for steady latency boot with isolcpus=N and start with taskset -c N"
    yield _finding("cores", bool(isolated), found, Grade.WARN, remedy)


def _huge_pages(host: Host) -> Iterable[Finding]:
    found = host.text("sys/kernel/mm/transparent_hugepage/enabled")
    is_good = "[always]" not in found
    remedy = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
    yield _finding("huge pages", is_good, found or "not knowable here", Grade.WARN, remedy)


def _limits(_: Host) -> Iterable[Finding]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    core = resource.getrlimit(resource.RLIMIT_CORE)[0]
    remedy = f"ulimit -n {OPEN_FILES_MIN}, or LimitNOFILE= in the unit"
    is_good = _at_least(files, OPEN_FILES_MIN)
    yield _finding("open files", is_good, _limit(files), Grade.WARN, remedy)
    is_good = _at_least(locked, MEMLOCK_BYTES_MIN)
    remedy = "LimitMEMLOCK=infinity in the unit"
    yield _finding("locked memory", is_good, _limit(locked), Grade.WARN, remedy)
    remedy = "a core dump holds keys: ulimit -c 0, or LimitCORE=0 in the unit"
    yield _finding("core dumps", core == 0, _limit(core), Grade.WARN, remedy)


def _at_least(limit: int, wanted: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= wanted


def _limit(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)


def _disk(host: Host) -> Iterable[Finding]:
    """D03: a full disk halts the engine, so it is said before."""
    place = next(p for p in (host.data_path, *host.data_path.absolute().parents) if p.exists())
    usage = shutil.disk_usage(place)
    share = usage.free / usage.total
    found = f"{usage.free / 2**30:.1f} GiB free ({share:.0%}) at {place}"
    remedy = "free space or move data_dir: the engine halts when the journal cannot be written"
    is_full = share < FREE_SHARE_FAIL or usage.free < FREE_BYTES_FAIL
    grade = Grade.FAIL if is_full else Grade.WARN
    yield _finding("disk", not is_full and share >= FREE_SHARE_WARN, found, grade, remedy)


def _finding(name: str, is_good: bool, found: str, otherwise: Grade, remedy: str) -> Finding:
    if is_good:
        return Finding(name=name, grade=Grade.OK, found=found)
    return Finding(name=name, grade=otherwise, found=found, remedy=remedy)


_LOOKS: tuple[Callable[[Host], Iterable[Finding]], ...] = (
    _python, _packages, _event_loop, _kernels, _disk, _time_sync, _clock_source,
    _governor, _cores, _huge_pages, _limits,
)  # fmt: skip
