"""A tear sheet as one HTML page: nothing is fetched, nothing runs, and it prints."""

from collections.abc import Iterator
from typing import TypeAlias

import msgspec
from jinja2 import Environment
from markupsafe import Markup

from engine.cli.tearsheet_cells import Cell, Table, moment, money, rounded, text_of
from engine.cli.tearsheet_pictures import pictures_of
from engine.sim.tearsheet import Sheet
from engine.values.units import NS_PER_S

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ title }}</title><style>
@page { size: A4; margin: 13mm }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em;
  color: #1d2327; background: #fff }
h1 { font-size: 1.6em; margin: 0 } h2 { font-size: 1.15em; margin: 1.8em 0 .3em }
.note { color: #5a6670; margin: .2em 0; max-width: 60em } svg { width: 100%; height: auto }
.wide { overflow-x: auto } .wide table { font-size: 11px } .wide td { white-space: nowrap }
table { border-collapse: collapse; margin: .5em 0; font-variant-numeric: tabular-nums }
th, td { border: 1px solid #d5dbe0; padding: .15em .5em; text-align: left; vertical-align: top }
th { background: #f2f5f7; font-weight: 600 } td.number { text-align: right; white-space: nowrap }
tr.sum td { font-weight: 700; border-top: 2px solid #5a6670 }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5em, 1fr)); gap: .6em;
  margin: .8em 0 }
.tile { border: 1px solid #d5dbe0; border-radius: 4px; padding: .4em .7em }
.tile b { display: block; font-size: 1.2em; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere }
.tile span { color: #5a6670; font-size: .85em } figure { margin: .4em 0 }
@media print { body { font-size: 9.5px; margin: 0; max-width: none; padding: 0 }
  h2 { break-after: avoid } figure, tr, .tile { break-inside: avoid }
  thead { display: table-header-group } .wide { overflow: visible }
  .wide table { font-size: 6px } .wide td, .wide th { padding: .1em .25em } }
</style></head><body>
<h1>{{ title }}</h1>
{% for note in notes %}<p class="note">{{ note }}</p>
{% endfor %}{% for market, tiles in heads %}<h2>{{ market }}</h2><div class="tiles">
{% for name, value in tiles %}<div class="tile"><span>{{ name }}</span><b>{{ value }}</b></div>
{% endfor %}</div>{% endfor %}
{% for part in parts %}<h2>{{ part.title }}</h2>
{% for picture in part.pictures %}<figure>{{ picture }}</figure>
{% endfor %}{% if part.rows %}<div class="{{ 'wide' if part.columns|length > 10 else 'plain' }}">
<table><thead><tr>{% for name in part.columns %}<th>{{ name }}</th>{% endfor %}</tr></thead><tbody>
{% for row in part.rows %}<tr{% if 'total' in row %} class="sum"{% endif %}>{% for cell in row %}
<td{% if cell is number %} class="number"{% endif %}>{{ cell|shown }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>{% endif %}
{% for note in part.notes %}<p class="note">{{ note }}</p>
{% endfor %}{% endfor %}</body></html>
"""


Heads: TypeAlias = list[tuple[str, list[tuple[str, str]]]]
"""By market, the numbers that matter first: name and value."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One heading of the page; a number is set to the right, whatever else as text."""

    title: str
    pictures: list[Markup]
    columns: list[str]
    rows: list[list[Cell]]
    notes: list[str]


def page_of(sheets: list[Sheet], tables: list[Table]) -> str:
    """The same cells as in the files, with pictures beside them."""
    drawn = [pictures_of(sheet) for sheet in sheets]
    pictures = {
        table.name: [each[table.name] for each in drawn if table.name in each] for table in tables
    }
    markets = ", ".join(sheet.item.market for sheet in sheets)
    notes = [_period(sheets), _limits(tables)]
    heads = [(sheet.item.market, list(_tiles(sheet))) for sheet in sheets]
    return rendered(f"Back-test of {markets}", notes, heads, (tables, pictures))


def rendered(
    title: str,
    notes: list[str],
    heads: Heads,
    found: tuple[list[Table], dict[str, list[str]]],
) -> str:
    """A page of `found`: tables, and pictures (SVG made here) by the table that they go with."""
    tables, pictures = found
    parts = [part for table in tables if (part := _part(table, pictures.get(table.name, [])))]
    outside = Environment(autoescape=True, trim_blocks=False)
    outside.filters["shown"] = text_of
    outside.tests["number"] = _is_number
    page = outside.from_string(PAGE)
    return page.render(title=title, notes=notes, heads=heads, parts=parts)


def _part(table: Table, pictures: list[str]) -> Part | None:
    """None for a table that the page neither draws nor shows."""
    if not table.on_page and not pictures:
        return None
    is_single = len({row[0] for row in table.rows}) < 2
    left_out = {*table.off_page, "market" if is_single else ""}
    places = [n for n, name in enumerate(table.columns) if name not in left_out]
    rows = [[row[place] for place in places] for row in table.rows[: table.on_page]]
    notes = [table.note] if table.note else []
    if table.on_page and len(rows) < len(table.rows):
        notes.append(
            f"The first {len(rows)} of {len(table.rows)}; --tables writes all of them, as "
            f"{table.name}.csv and {table.name}.json."
        )
    return Part(
        title=table.title,
        pictures=[Markup(picture) for picture in pictures],  # noqa: S704 (drawn here)
        columns=[table.columns[place].replace("_", " ") for place in places],
        rows=rows,
        notes=notes,
    )


def _is_number(cell: Cell) -> bool:
    """Money and sizes are decimal text, so that no digit is lost."""
    if isinstance(cell, str):
        return cell.lstrip("-").replace(".", "", 1).isdigit()
    return cell is not None


def _period(sheets: list[Sheet]) -> str:
    if not sheets:
        return "No market."
    span = sheets[0].span
    spent_s = (span.ended_ns - span.began_ns) / NS_PER_S
    return f"{moment(span.began_ns)} to {moment(span.ended_ns)} UTC ({spent_s:,.0f} s)"


def _limits(tables: list[Table]) -> str:
    """What no simulation of ours knows stands at the top, not in small print at the end."""
    assumed = next(table for table in tables if table.name == "assumed")
    return next(text_of(value) for name, value in assumed.rows if name == "not modelled")


def _tiles(sheet: Sheet) -> Iterator[tuple[str, str]]:
    parts, told = sheet.parts, sheet.quoting
    yield f"profit, {sheet.item.quote}", money(sheet.item, parts.total)
    yield "spread earned", money(sheet.item, parts.spread_earned)
    yield "inventory", money(sheet.item, parts.inventory)
    yield "fees and rebates", money(sheet.item, parts.fees + parts.rebates)
    yield "drawdown", money(sheet.item, sheet.drawdown.depth_atoms)
    yield "fills", f"{sheet.activity.fills:,}"
    yield "orders to fills", text_of(rounded(sheet.activity.orders_to_fills)) or "no fill"
    both = told.share(told.both_ns)
    yield "both sides stood", "unknown" if both is None else f"{both:.1%}"
