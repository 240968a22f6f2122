"""One run of the suite as text, Markdown and SVG; all of it from the same JSON."""

import math
from collections.abc import Iterable
from xml.sax.saxutils import escape

from bench.harness import Timing
from bench.suite import WORSE_MAX, Change, Report, Result

BEGIN, END = "<!-- results begin -->", "<!-- results end -->"
ROW, HEAD, LEFT, WIDE, RIGHT = 17, 30, 330, 560, 90
"""Pixels of the picture: a row, a headline, the names, the axis, the numbers at its end."""


def changes_text(found: Iterable[Change]) -> str:
    """The ratios of this run beside the committed ones."""
    lines = [f"{'ratio (lower is better)':70}{'now':>9}{'committed':>11}{'times':>8}"]
    for change in found:
        mark = f"  more than {WORSE_MAX:g} times worse" if change.is_outside else ""
        if change.is_starved:
            mark = "  not judged: no core was free"
        name = f"{change.bench}: {change.ratio.name}"
        lines.append(
            f"{name:70}{change.ratio.value:9.3f}{change.before:11.3f}{change.times:8.2f}{mark}"
        )
    return "\n".join(lines)


# --- Markdown -----------------------------------------------------------------------------------


def markdown(report: Report) -> str:
    head = [
        f"Taken {report.taken}. {report.conditions}".strip(),
        "",
        ", ".join(f"{name} {value}" for name, value in report.machine.items()) + ".",
    ]
    return "\n".join([*head, *(line for r in report.results for line in _section(r))]) + "\n"


def _section(result: Result) -> list[str]:
    lines = ["", f"### {result.name}", "", result.about, ""]
    if result.error or result.left_out:
        return [*lines, f"**{result.error or result.left_out}**"]
    if result.timings:
        lines += ["| microseconds | p50 | p90 | p99 | p99.9 | max | samples |", _rule(7)]
        lines += [_row(timing) for timing in result.timings]
    if result.ratios:
        lines += ["", "| ratio (lower is better) | value | wanted at most | |", _rule(4)]
    for ratio in result.ratios:
        wish = f"{ratio.at_most:g}" if ratio.at_most else ""
        verdict = "" if not ratio.at_most else "kept" if ratio.is_kept else "**missed**"
        lines.append(f"| {_cell(ratio.name)} | {ratio.value:.3f} | {wish} | {verdict} |")
    plain = {k: v for k, v in result.facts.items() if isinstance(v, str | int | float)}
    if plain:
        lines += ["", *(f"- {name}: {_number(value)}" for name, value in plain.items())]
    return lines


def _row(timing: Timing) -> str:
    cells = (timing.p50, timing.p90, timing.p99, timing.p999, timing.max)
    return (
        f"| {_cell(timing.name)} | {' | '.join(_us(cell) for cell in cells)} | {timing.count:,} |"
    )


def _rule(columns: int) -> str:
    return "|---|" + "---:|" * (columns - 1)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _us(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.1f}" if value < 1_000 else f"{value:,.0f}"


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def into_page(page: str, text: str) -> str:
    """`page` with `text` between its two marks. Raises ValueError where they are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n{text}{END}{after}"


# --- the picture --------------------------------------------------------------------------------


def svg(report: Report) -> str:
    """A line from p50 to p99 for every figure, on one logarithmic axis of microseconds."""
    shown = [result for result in report.results if result.timings]
    timings = [timing for result in shown for timing in result.timings]
    low, high = _decades(timings)
    height = 50 + sum(HEAD + ROW * len(result.timings) for result in shown)
    parts = [*_frame(report, height), *_axis(low, high, height)]
    y = 44
    for result in shown:
        y += HEAD
        parts.append(f'<text x="8" y="{y - 8}" class="head">{escape(result.name)}</text>')
        for timing in result.timings:
            parts += _bar(timing, y, low, high)
            y += ROW
    return "\n".join([*parts, "</svg>\n"])


def _decades(timings: list[Timing]) -> tuple[int, int]:
    """The powers of ten that hold every p50 and p99."""
    values = [value for t in timings for value in (t.p50, t.p99) if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _frame(report: Report, height: int) -> list[str]:
    width = LEFT + WIDE + RIGHT
    style = (
        "text{font:11px sans-serif;fill:#222}.head{font-weight:bold}.grid{stroke:#ddd}"
        ".span{stroke:#2a6f97;stroke-width:5}.late{fill:#c1121f}.middle{fill:#012a4a}"
    )
    title = f"p50 to p99 (blue), p99.9 (red), microseconds; {report.taken[:10]}"
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">',
        f'<style>{style}</style><rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="16" class="head">{escape(title)}</text>',
    ]


def _axis(low: int, high: int, height: int) -> list[str]:
    parts = []
    for power in range(low, high + 1):
        x = _at(10.0**power, low, high)
        parts.append(f'<line x1="{x}" x2="{x}" y1="40" y2="{height - 6}" class="grid"/>')
        parts.append(f'<text x="{x}" y="34" text-anchor="middle">{10.0**power:g}</text>')
    return parts


def _bar(timing: Timing, y: int, low: int, high: int) -> list[str]:
    middle, end, late = (_at(v, low, high) for v in (timing.p50, timing.p99, timing.p999))
    return [
        f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(timing.name)}</text>',
        f'<line x1="{middle}" x2="{end}" y1="{y}" y2="{y}" class="span"/>',
        f'<circle cx="{middle}" cy="{y}" r="4" class="middle"/>',
        f'<circle cx="{late}" cy="{y}" r="2.5" class="late"/>',
        f'<text x="{LEFT + WIDE + 12}" y="{y + 4}">{_us(timing.p50)}</text>',
    ]


def _at(value: float, low: int, high: int) -> float:
    share = (math.log10(max(value, 10.0**low)) - low) / (high - low)
    return round(LEFT + WIDE * min(1.0, share), 1)
