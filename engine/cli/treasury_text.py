"""The answers of `ballast treasury liquid` and `check` as people read them."""

from collections.abc import Iterable, Sequence
from typing import Any

BUCKETS = (
    "operational float",
    "reserved liabilities",
    "discretionary inventory",
    "speculative surplus",
)

OLD_S = 1.0


def liquid_lines(answer: dict[str, Any]) -> list[str]:
    money, token = answer["money"], answer["token"]
    tokens = answer["liquid_tokens"]
    same = f"{number(tokens)} {token}" if tokens is not None else f"no price of {token}"
    lines = [
        f"liquid today (cash within {answer['within_h']} h), after all locks and obligations: "
        f"{number(answer['liquid_money'])} {money}",
        f"the same in tokens, at the last price: {same}",
        "",
        *table(
            ["", "held", "cash later", "owed", "liquid", f"sold for, {money}"],
            [
                [
                    row["asset"], number(row["held"]), number(row["cash_later"]),
                    number(row["owed"]), number(row["liquid"]),
                    number(row["worth"]) if row["is_priced"] else "no price: 0",
                ]
                for row in answer["assets"]
            ],
        ),
        "",
        *_curve(answer),
        "",
        *table(
            ["", *BUCKETS],
            [
                [row["asset"], *(number(row[bucket]) for bucket in BUCKETS)]
                for row in answer["buckets"]
            ],
        ),
    ]  # fmt: skip
    lines += [
        f"the price of {row['asset']} is {row['price_age_s']:.1f} s old"
        for row in answer["assets"]
        if (row["price_age_s"] or 0) >= OLD_S
    ]
    for row in answer["buckets"]:
        if row["short"] != "0":
            lines.append(f"reserved and not there in time: {number(row['short'])} {row['asset']}")
    lines += ["", *_released(answer["released"]), *_scores(answer["scores"])]
    return lines


def limit_lines(limits: Sequence[dict[str, Any]], money: str) -> list[str]:
    rows = [
        [
            row["state"],
            row["limit"] + (f" [{row['subject']}]" if row["subject"] else ""),
            _both(row["value"], row["asset"], money),
            ("at least " if row["is_floor"] else "at most ")
            + _both(row["ceiling"], row["asset"], money),
            _both(row["room"], row["asset"], money) + (f" ({row['why']})" if row["why"] else ""),
            row["moved_by"],
            row["waits"],
        ]
        for row in limits
    ]
    return list(table(["", "limit", "value", "limit", "room", "moved last by", ""], rows, left=7))


def _curve(answer: dict[str, Any]) -> list[str]:
    money = answer["money"]
    if not answer["curve"]:
        return ["nothing is owed"]
    rows = [
        [
            point["due"],
            ", ".join(f"{number(amount)} {name}" for name, amount in point["owed"].items()),
            "covered" if point["is_covered"] else _shorts(point["short"]),
            number(point["left"]),
        ]
        for point in answer["curve"]
    ]
    first = answer["first_uncovered"]
    verdict = "every date is covered" if first is None else f"first date NOT covered: {first}"
    return [*table(["due", "owed", "", f"liquid then, {money}"], rows, left=3), verdict]


def _shorts(shorts: Iterable[dict[str, str]]) -> str:
    parts = [f"{number(one['amount'])} {one['asset']} of {one['due']}" for one in shorts]
    return "SHORT of " + ", ".join(parts)


def _released(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [
        f"the market maker may, in {row['asset']} at {row['venue']}: sell {number(row['sell'])} "
        f"(bound by: {row['sell_bound_by']}), buy {number(row['buy'])} "
        f"(bound by: {row['buy_bound_by']})"
        for row in rows
    ]


def _scores(rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        if row["score"] is None:
            lines.append(f"liquidity of {row['asset']}: no score, {row['why']}")
            continue
        parts = ", ".join(
            f"{part['name']} {'-' if part['found'] is None else format(part['found'], ',.10g')}"
            f" ({100 * part['part']:.0f})"
            for part in row["parts"]
        )
        thin = "; THIN: orders get a staged plan" if row["is_thin"] else ""
        lines.append(
            f"liquidity of {row['asset']}: {row['score']:.1f} of 100, {row['age_s']:.1f} s old"
            f"{thin}: {parts}"
        )
    return lines


def _both(both: dict[str, str | None], asset: str, money: str) -> str:
    parts = [f"{number(both['tokens'])} {asset}"] if both["tokens"] is not None else []
    if both["money"] is not None:
        parts.append(f"{number(both['money'])} {money}")
    return ", ".join(parts) or "-"


def number(text: str | None) -> str:
    """Decimal text with its thousands apart; nothing is rounded."""
    if text is None:
        return "-"
    whole, dot, fraction = text.partition(".")
    return f"{int(whole):,}{dot}{fraction}" if whole not in ("-0",) else text


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> Iterable[str]:
    """Columns under a head: the first `left` start at the left, the others end at the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
