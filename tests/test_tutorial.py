"""docs/tutorial.md is run as it stands: every block, in order, in an empty directory."""

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest

from engine.sim.trial_faults import FAULTS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tutorial.md"
FENCE = re.compile(
    r"(?:^(?P<verb>Write|Add to) `(?P<file>[^`]+)`:\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
MARK = "block-is-done-"
BLOCK_S = 120


class Block(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    body: str
    file: str
    is_added: bool
    line: int


def blocks():
    text = PAGE.read_text()
    return [
        Block(
            kind=found["kind"],
            body=found["body"],
            file=found["file"] or "",
            is_added=found["verb"] == "Add to",
            line=text.count("\n", 0, found.start("kind")) + 1,
        )
        for found in FENCE.finditer(text)
    ]


def looks_like(shown, printed):
    """Whether text is as shown: … is anything in a line, and any lines on a line of its own."""
    return _alike(shown.strip().split("\n"), printed.strip().split("\n"))


def _alike(shown, printed):
    if not shown:
        return not printed
    first, *rest = shown
    if first == "…":
        return any(_alike(rest, printed[skipped:]) for skipped in range(len(printed) + 1))
    pattern = ".*".join(re.escape(part) for part in first.split("…"))
    return bool(printed and re.fullmatch(pattern, printed[0])) and _alike(rest, printed[1:])


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """One shell for the whole page, with `ballast` and `pytest` as installed beside this Python."""
    directory = tmp_path_factory.mktemp("tutorial")
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    clean["PATH"] = f"{Path(sys.executable).parent}:{clean['PATH']}"
    path = [str(PAGE.parent.parent), clean.get("PYTHONPATH", "")]  # the very engine that is tested
    clean["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    clean["COLUMNS"] = "200"
    if not entry_points(group="pytest11", name="ballast"):
        clean["PYTEST_ADDOPTS"] = "-p engine.cli.pytest_plugin"
    process = subprocess.Popen(
        ["bash"],
        cwd=directory,
        env=clean,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.stdin.close()
    process.wait(BLOCK_S)
    process.stdout.close()


def run(shell, body):
    """(exit code, output) of a block."""
    shell.stdin.write(f"{body}\necho {MARK}$?\n")
    shell.stdin.flush()
    lines = []
    while MARK not in (line := shell.stdout.readline()):
        assert line, f"the shell ended in {body}: {lines}"
        lines.append(line)
    before, _, code = line.partition(MARK)
    return int(code), "".join([*lines, before])


@pytest.mark.slow
def test_every_block_does_what_the_page_says(shell):
    printed = ""
    for block in blocks():
        at = f"{PAGE.name}:{block.line}"
        if block.kind == "sh":
            code, printed = run(shell, block.body)
            assert code == 0, f"{at}: exit code {code}\n{printed}"
        elif block.kind == "python":
            assert block.file, f"{at}: to which file?"
            written = "\n\n" * block.is_added + block.body
            redirect = ">>" if block.is_added else ">"
            run(shell, f"cat {redirect} {block.file} <<'END-OF-FILE'\n{written}END-OF-FILE")
        else:
            assert block.kind == "text", f"{at}: a block of {block.kind}?"
            assert looks_like(block.body, printed), f"{at}: it printed\n{printed}"


def test_the_page_has_blocks_of_each_kind_and_each_output_follows_a_command():
    kinds = [block.kind for block in blocks()]
    assert kinds.count("sh") >= 8
    assert kinds.count("python") >= 2
    assert all(kinds[i - 1] == "sh" for i, kind in enumerate(kinds) if kind == "text")
    assert PAGE.read_text().count("```") == 2 * len(kinds)


def test_the_table_of_faults_is_the_presets():
    rows = re.findall(r"^\| (\w\d\d) \| (.+) \| ([\d.]+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(name, each.says, f"{each.seconds:g}") for name, each in FAULTS.items()]


@pytest.mark.parametrize(
    ("shown", "printed", "is_alike"),
    [
        ("a\n", "a", True),
        ("a …c", "a b c", True),
        ("a …c", "a\nc", False),
        ("…\nz", "x\ny\nz", True),
        ("a\n…", "a\nb\nc", True),
        ("a\n…\nz", "a\nb\nc\nz", True),
        ("a\n…\nz", "a\nz", True),
        ("a\nz", "a\nb\nz", False),
        ("a.c", "abc", False),
    ],
)
def test_shown_and_printed_are_compared(shown, printed, is_alike):
    assert looks_like(shown, printed) is is_alike
