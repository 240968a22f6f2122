"""What a treasurer is told, as one answer: amounts as decimal text, dates as text, ages in s."""

from typing import Any

import msgspec

from engine.cli.treasury_text import number
from engine.cli.treasury_world import World
from engine.treasury.buckets import split
from engine.treasury.coverage import Point, Short
from engine.treasury.dates import day_text
from engine.treasury.facts import Facts
from engine.treasury.limit_measures import Both
from engine.treasury.limit_rows import OPTIONAL, Widening
from engine.treasury.limits import Standing
from engine.treasury.liquid import AssetLine, report
from engine.treasury.release import release
from engine.treasury.score import score
from engine.values.treasury_words import Bucket
from engine.values.units import NS_PER_S, PPM, Atoms, decimal_text


def liquid_answer(world: World) -> dict[str, Any]:
    """The headline, how it comes about, the curve, the buckets, the scores, the release."""
    facts = world.facts
    found = report(facts, world.file.liquid)
    headline, token = found.liquid, world.file.liquid.token
    tokens = headline.token_atoms
    return {
        "sources": world.sources,
        "notes": world.notes,
        "money": facts.scheme.money.name,
        "token": token,
        "within_h": world.file.liquid.within_h,
        "liquid_money": _money(facts, headline.money_atoms),
        "liquid_tokens": None if tokens is None else _text(facts, token, tokens),
        "assets": [_line(facts, line) for line in headline.lines],
        "short": [_short(facts, one) for one in headline.shorts],
        "curve": [_point(facts, point) for point in found.points],
        "first_uncovered": None if found.uncovered is None else day_text(found.uncovered),
        "buckets": [_buckets(facts, name) for name in facts.scheme.names()],
        "scores": [_score(world, index) for index in range(len(world.file.scores))],
        "released": _released(world),
    }


def limits_answer(world: World) -> list[dict[str, Any]]:
    """Every limit in force with value, ceiling, room, the fact that moved it last, and what the
    file asks for beyond it."""
    waiting = {one.name: one for one in world.limits.waiting}
    return [
        _limit(world.facts, standing) | _asked(world.facts, waiting.get(standing.finding.limit))
        for standing in world.limits.standings
    ]


def _asked(facts: Facts, one: Widening | None) -> dict[str, Any]:
    """`asks`: the row as the file has it, None where it asks for nothing wider, or has it no more;
    `waits`: the same as a sentence, "" for nothing."""
    if one is None:
        return {"asks": None, "waits": ""}
    if one.wanted is None:
        return {"asks": None, "waits": "the file has it no more; that waits for a second person"}
    parts = (
        _wish(key, getattr(one.wanted, key), one.wanted.asset, facts)
        for key in OPTIONAL
        if getattr(one.wanted, key) != getattr(one.was, key)
    )
    text = f"the file asks for {', '.join(parts)}; widening waits for a second person"
    return {"asks": msgspec.to_builtins(one.wanted), "waits": text}


def _wish(key: str, value: Any, asset: str, facts: Facts) -> str:
    match key, value:
        case "tokens" | "money", None:
            return f"no ceiling in {key}"
        case "tokens", str():
            return f"{number(value)} {asset}"
        case "money", str():
            return f"{number(value)} {facts.scheme.money.name}"
        case "share_ppm", int():
            return f"{value * 100 / PPM:g} %"
        case "days", int():
            return f"{value} days"
        case _:
            return f"{key} {', '.join(value or ['none'])}"


def reviews_answer(world: World) -> list[dict[str, Any]]:
    """Prices that have doubled since the limits were made: people must look."""
    return [
        {
            "asset": one.asset,
            "ratio": _ratio(
                one.now.money_atoms * one.was.base_atoms, one.now.base_atoms * one.was.money_atoms
            ),
        }
        for one in world.limits.reviews.values()
    ]


def _ratio(over: int, under: int) -> float:
    return over / under


def _line(facts: Facts, line: AssetLine) -> dict[str, Any]:
    name, price = line.asset, facts.price(line.asset)
    return {
        "asset": name,
        "held": _text(facts, name, line.held_atoms),
        "cash_later": _text(facts, name, line.later_atoms),
        "owed": _text(facts, name, line.owed_atoms),
        "liquid": _text(facts, name, line.liquid_atoms),
        "worth": _money(facts, line.worth_atoms),
        "is_priced": line.is_priced,
        "price_age_s": None if price is None else (facts.at_ns - price.at_ns) / NS_PER_S,
    }


def _point(facts: Facts, point: Point) -> dict[str, Any]:
    return {
        "due": day_text(point.due),
        "owed": {name: _text(facts, name, atoms) for name, atoms in point.owed.items()},
        "left": _money(facts, point.left_money_atoms),
        "is_covered": not point.shorts,
        "short": [_short(facts, one) for one in point.shorts],
    }


def _short(facts: Facts, one: Short) -> dict[str, str]:
    amount = _text(facts, one.asset, one.atoms)
    return {"due": day_text(one.due), "asset": one.asset, "amount": amount}


def _buckets(facts: Facts, name: str) -> dict[str, Any]:
    found = split(facts, name)
    amounts = {bucket.value: _text(facts, name, found.atoms(bucket)) for bucket in Bucket}
    return {"asset": name, "short": _text(facts, name, found.short_atoms), **amounts}


def _score(world: World, index: int) -> dict[str, Any]:
    params = world.file.scores[index]
    found = score(world.facts, params)
    if found is None:
        return {"asset": params.asset, "score": None, "why": "no venue is usable"}
    return {
        "asset": found.asset,
        "score": found.score,
        "is_thin": found.score < params.floor,
        "age_s": found.age_ns / NS_PER_S,
        "venues": list(found.venues),
        "parts": [msgspec.structs.asdict(part) for part in found.parts],
    }


def _released(world: World) -> list[dict[str, Any]]:
    facts, money = world.facts, world.facts.scheme.money.name
    found = []
    for row in facts.scheme.buckets.values():
        for part in row.float if row.asset != money else []:
            one = release(facts, world.limits.findings, part.venue, row.asset)
            found.append(
                {
                    "asset": row.asset,
                    "venue": part.venue,
                    "held": _text(facts, row.asset, one.held_atoms),
                    "float": _text(facts, row.asset, one.float_atoms),
                    "sell": _text(facts, row.asset, one.sell.atoms),
                    "sell_bound_by": one.sell.name,
                    "buy": _text(facts, row.asset, one.buy.atoms),
                    "buy_bound_by": one.buy.name,
                }
            )
    return found


def _limit(facts: Facts, standing: Standing) -> dict[str, Any]:
    one = standing.finding
    return {
        "limit": one.limit,
        "measure": one.measure.value,
        "asset": one.asset,
        "subject": one.subject,
        "is_floor": one.is_floor,
        "is_breached": one.is_breached,
        "is_unknown": one.is_unknown,
        "state": one.state,
        "value": _both(facts, one.asset, one.value),
        "ceiling": _both(facts, one.asset, one.ceiling),
        "room": _both(facts, one.asset, one.room),
        "why": one.why,
        "moved_by": standing.moved_by,
    }


def _both(facts: Facts, asset: str, both: Both) -> dict[str, str | None]:
    tokens = None if both.atoms is None or not asset else _text(facts, asset, both.atoms)
    return {"tokens": tokens, "money": None if both.money is None else _money(facts, both.money)}


def _text(facts: Facts, asset: str, atoms: Atoms) -> str:
    return decimal_text(atoms, facts.scheme.asset(asset).exponent)


def _money(facts: Facts, atoms: Atoms) -> str:
    return decimal_text(atoms, facts.scheme.money.exponent)
