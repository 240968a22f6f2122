"""What people look at: status as tables, reasons as sentences."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table

BAR_WIDTH = 31


def status_table(answer: dict[str, Any]) -> None:
    Console().print(status_view(answer))


def status_view(answer: dict[str, Any]) -> RenderableType:
    """Everything of `status` at a glance, one block a market."""
    head = (
        f"{answer['name']} ({answer['mode']}) up {answer['up_s']:.0f} s, "
        f"{answer['processed']} facts, slowest {answer['slowest_ms']:.1f} ms"
    )
    return Group(head, *(market_view(market) for market in answer["markets"]))


def market_view(market: dict[str, Any]) -> RenderableType:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in _market_rows(market):
        table.add_row(name, text)
    return table


def _market_rows(market: dict[str, Any]) -> Iterable[tuple[str, str]]:
    yield market["market"], f"{market['state']} {market['reason']}".rstrip()
    bid, ask = (best_text(market[side], has_size=True) for side in ("bid", "ask"))
    checks = f"{market['matched']} of {market['compared']} equal to the venue's own best"
    yield (
        "market",
        f"{bid}  |  {ask}   {market['grade']}, {checks}",
    )
    for side in ("sell", "buy"):
        mine = [order for order in market["orders"] if order["side"] == side]
        orders = sorted(mine, key=lambda o: float(o["price"]), reverse=side == "buy")
        text = ",  ".join(f"{o['price']} x {o['size']} {o['status']}" for o in orders)
        yield f"our {'asks' if side == 'sell' else 'bids'}", text or "none"
    yield "inventory", f"{band_bar(market)}  {market['position']} {market['zone']}"
    yield (
        "result",
        (
            f"pnl {pnl_text(market)}, spread earned {market['spread_earned']}, "
            f"fills {market['fills']}, below the day's high {market['drawdown']}"
        ),
    )
    stance = market["stance"]
    yield "stance", f"{stance['label']} (was {stance['was']}, from {stance['source'] or 'nobody'})"
    if market["row"]:
        yield "row", market["row"]
    if market["risk"]:
        yield "risk", "; ".join(market["risk"])
    for text in treasury_lines(market["treasury"]):
        yield "treasury", text


def best_text(best: list[str], *, has_size: bool = False) -> str:
    """A side's best price; an empty side has none, and that is not a price of 0."""
    price, size = best
    if size == "0":
        return "none"
    return f"{price} x {size}" if has_size else price


def pnl_text(market: dict[str, Any]) -> str:
    """The profit, and at which price where that is not the price of now."""
    if market["pnl"] is None:
        return "unknown (no price yet)"
    where = f" at the last mark {market['mark']}" if market["mark_is_last"] else ""
    return f"{market['pnl']}{where}"


def band_bar(market: dict[str, Any]) -> str:
    """floor [--|--+--|--] cap with the position as an o."""
    bands = {name: float(text) for name, text in market["bands"].items()}
    floor, span = bands["floor"], bands["cap"] - bands["floor"]
    bar = ["-"] * BAR_WIDTH
    marks = [("lower", "|"), ("upper", "|"), ("target", "+")]
    for name, mark in marks:
        bar[_place(bands[name], floor, span)] = mark
    bar[_place(float(market["position"]), floor, span)] = "o"
    return f"[{''.join(bar)}]"


def _place(value: float, floor: float, span: float) -> int:
    share = (value - floor) / span if span else 0.0
    return round(min(1.0, max(0.0, share)) * (BAR_WIDTH - 1))


def why_lines(market: dict[str, Any]) -> list[str]:
    """The answer to "why is my quote there?", and to "why is there none?"."""
    lines = [f"{market['market']}: {market['state']} {market['reason']}".rstrip()]
    if market["decided_s_ago"] is not None:
        lines.append(
            f"  decision {market['decision']}, {market['decided_s_ago']:.1f} s ago, "
            f"because: {market['cause']}"
        )
        inputs = ", ".join(f"{name} {_short(value)}" for name, value in market["inputs"].items())
        lines.append(f"  looked at: {inputs}")
    for name, side in market["sides"].items():
        lines += _side_lines(name, side)
    lines += question_lines(market["playbook"])
    if market["hedge"]:
        lines.append(_hedge_line(market["hedge"]))
    lines += [f"  treasury: {text}" for text in treasury_lines(market["treasury"])]
    lines += [f"  refused: {text}" for text in market["refused"]]
    lines += [f"  risk: {text}" for text in market["risk"]]
    lines += [f"  doubt: {source}: {reason}" for source, reason in market["doubts"].items()]
    return lines


def treasury_lines(told: dict[str, Any]) -> list[str]:
    """What the market may use and which limit binds; nothing without a treasury."""
    if not told:
        return []
    if told["unready"]:
        return [told["unready"]]
    lines = [
        f"may sell {told['sell']} ({told['sell_bound_by']}), buy {told['buy']} "
        f"({told['buy_bound_by']}); {told['float']} of {told['held']} {told['asset']} are its float"
    ]
    lines += [f"limit passed: {name}" for name in told["passed"]]
    lines += [f"limit not known: {name}" for name in told["unknown"]]
    return lines + [f"wider, waits for a second person: {name}" for name in told["waiting"]]


def question_lines(told: dict[str, Any]) -> list[str]:
    """The five questions in their order, the row and what follows; nothing without a playbook."""
    if not told:
        return []
    if "row" not in told:
        return [f"  playbook: {told['playbook']}, not ruled yet"]
    lines = [f"  playbook: {told['playbook']}"]
    asked = enumerate(told["questions"], start=1)
    lines += [f"  {number}. {each['question']}: {each['says']}" for number, each in asked]
    lines += [f"     {text}" for text in told["follows"]]
    lines += [f"     note: {text}" for text in told["notes"]]
    return [*lines, f"  ready for what the signal implies? {told['ready']}"]


def _hedge_line(hedge: dict[str, Any]) -> str:
    return (
        f"  hedge: stage {hedge['stage']}, covered {hedge['covered_lots']} of"
        f" {hedge['target_lots']} lots, {hedge['unhedged_lots']} not; {hedge['why']};"
        f" spent {hedge['spent_today']} of {hedge['budget']} today"
    )


def _side_lines(name: str, side: dict[str, Any]) -> list[str]:
    lines = [f"  {name}: {quote_line(quote)}" for quote in side["quotes"]]
    if side["absent"]:
        lines.append(f"  {name}: none: {side['absent']}")
    return lines


def quote_line(quote: dict[str, Any]) -> str:
    """`62 x 4000000: reference 62.41 skew -0.10 width 0.60 ...` in one line."""
    stands = "" if quote["standing"] else " (not standing yet)"
    clamp = f", clamped: {quote['clamp']}" if quote["clamp"] else ""
    return (
        f"{quote['price']} x {quote['size']}{stands}: reference {quote['reference']:.2f} "
        f"skew {quote['skew']:+.2f} width {quote['width']:.2f} "
        f"rounding {quote['rounding']:.2f} ticks, stance {quote['stance']}{clamp}"
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
