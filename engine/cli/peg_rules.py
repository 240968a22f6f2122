"""The rules of a peg as sentences that a token's users can be given: no number is left out."""

import html
from collections.abc import Iterable

from strategies.peg import PegParams

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.55 system-ui, sans-serif; color: #222; max-width: 44em; margin: 2em auto;
padding: 0 1em; }} h1 {{ font-size: 1.4em; }} h2 {{ font-size: 1.1em; margin-bottom: 0; }}
</style></head><body><h1>{title}</h1>{parts}</body></html>
"""
Rules = list[tuple[str, list[str]]]
"""Headings, each with its sentences."""


def rules_of(params: PegParams) -> Rules:
    """What the params say, whole and in plain words. Pure: the same params give the same page."""
    return [
        ("What the token is held to", _reference(params)),
        ("When we step in", _intervention(params)),
        ("When we stop: drift is not noise", _drift(params)),
        ("Calmer in a broad rise, quicker in a fall", _moods(params)),
        ("Quotes", _quotes(params)),
    ]


def text_of(title: str, rules: Rules) -> str:
    lines = [title]
    for heading, sentences in rules:
        lines += ["", heading, *(f"  {sentence}" for sentence in sentences)]
    return "\n".join(lines)


def page_of(titled: Iterable[tuple[str, Rules]]) -> str:
    """One page for all, without outer parts."""
    parts, title = [], "How the price is kept"
    for name, rules in titled:
        parts.append(f"<h1>{html.escape(name)}</h1>")
        for heading, sentences in rules:
            body = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
            parts.append(f"<h2>{html.escape(heading)}</h2>{body}")
    return PAGE.format(title=title, parts="".join(parts))


def _reference(params: PegParams) -> list[str]:
    parts = [f"{unit:g} of {name}" for name, unit in params.units.items()]
    if params.fixed:
        parts.insert(0, f"{params.fixed:g} of the quote currency")
    sentences = [f"One token is held to be worth {' plus '.join(parts)}: this is the reference."]
    if params.units:
        sentences.append(
            f"A market's price that is older than {_time(params.age_max_s)} is not used; while one "
            "is missing we do not know the reference and quote nothing."
        )
    else:
        sentences.append(
            f"Other markets' prices, where a rule below reads them, count for "
            f"{_time(params.age_max_s)}."
        )
    sentences.append(
        f"We never bid above the reference by more than {_bp(params.corridor_bps)}, and never "
        "offer below it by more than that: this is the corridor."
    )
    return sentences


def _intervention(params: PegParams) -> list[str]:
    inside_bps = params.release_share * params.threshold_bps
    return [
        f"We look at the market every {_time(params.sample_s)}.",
        f"Once the mid price has stood more than {_bp(params.threshold_bps)} (by logarithm) off "
        f"the reference for {_time(params.patience_s)} without a break, we lean against it, until "
        f"it is within {_bp(inside_bps)}.",
        "Leaning against it means: our quote on the side that pushes the price back is "
        f"{params.intervening_size:g} times as large, and our quotes are centred "
        f"{_share(params.intervening_pull)} of the way from the mid price to the reference.",
    ]


def _drift(params: PegParams) -> list[str]:
    return [
        f"We test whether the market has moved for good: over the last {params.blocks} whole "
        f"blocks of {_time(params.block_s)}, the mean deviation must be at least "
        f"{_bp(params.mean_min_bps)}, and at least {params.t_from:g} standard errors off zero "
        "(Student's t on the means of the blocks).",
        "Then the deviation counts as structural: we stop leaning against it, centre our quotes on "
        f"the mid price and show {_share(params.drifting_size)} of our usual size, still within "
        "the corridor, until the test "
        f"falls below {params.t_below:g} standard errors or the mean below its least.",
        "Whether the reference itself should change is for people to decide; no rule changes it.",
    ]


def _moods(params: PegParams) -> list[str]:
    sentences = []
    if params.breadth:
        sentences.append(
            f"While the technical rating is a buy and {_share(params.breadth_min)} or more of "
            f"{', '.join(params.breadth)} stand above their own mean of the same blocks, the "
            f"threshold is {params.loose_share:g} times as wide."
        )
    else:
        sentences.append(
            "No market is watched for breadth, so the threshold is never widened (were one "
            f"watched: {params.loose_share:g} times from {_share(params.breadth_min)} on)."
        )
    sentences.append(
        f"While it is a sell and the spread at least {params.spread_wide:g} times its mean of the "
        f"same blocks (until below {params.spread_calm:g} times), the threshold, the patience and "
        f"the time between two looks are {_share(params.tight_share)} of what is said above."
    )
    if params.injection_cap_lots:
        sentences.append(
            "If we step in then, we show up to "
            f"{params.injection_cap_lots:,} lots on top, for {_time(params.injection_s)} at most "
            f"and however it fills; the next time not before {_time(params.injection_rest_s)} "
            "after its end."
        )
    else:
        sentences.append(
            "Nothing is injected on top (its cap is 0 lots; it would last "
            f"{_time(params.injection_s)} and rest {_time(params.injection_rest_s)})."
        )
    return sentences


def _quotes(params: PegParams) -> list[str]:
    return [
        f"We show one quote a side, of {params.lots:,} lots, {params.half_spread_ticks:g} price "
        f"steps from their centre, which lies {_share(params.pull)} of the way from the mid price "
        "to the reference while the market is quiet.",
        "The treasury's inventory limits and the risk limits come before all of this: a side may "
        "be missing, and quotes may be smaller.",
    ]


def _bp(bps: float) -> str:
    return f"{bps / 100:g} %"


def _share(share: float) -> str:
    return f"{100 * share:.6g} %"


def _time(seconds: float) -> str:
    for name, length in (("h", 3_600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {name}"
    return f"{seconds:g} s"
