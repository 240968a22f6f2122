"""UTC days as whole numbers: the calendar without a clock."""

from engine.values.treasury_words import Day
from engine.values.units import NS_PER_S, Ns

NS_PER_H = 3_600 * NS_PER_S
NS_PER_DAY = 24 * NS_PER_H
DAYS_OF_ERA = 146_097
DAY_OF_1970 = 719_468
"""Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar."""


def day_of(at_ns: Ns) -> Day:
    return at_ns // NS_PER_DAY


def begin_ns(day: Day) -> Ns:
    """The first moment of a day."""
    return day * NS_PER_DAY


def day_text(day: Day) -> str:
    """`2026-11-21`. The months are counted from March on, so that a leap day ends a year."""
    era, rest = divmod(day + DAY_OF_1970, DAYS_OF_ERA)
    year = (rest - rest // 1_460 + rest // 36_524 - rest // 146_096) // 365
    in_year = rest - (365 * year + year // 4 - year // 100)
    month = (5 * in_year + 2) // 153
    in_month = in_year - (153 * month + 2) // 5 + 1
    civil = month + 3 if month < 10 else month - 9
    return f"{year + 400 * era + (civil <= 2):04d}-{civil:02d}-{in_month:02d}"
