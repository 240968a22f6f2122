"""What a perpetual's holders pay each other, as the venues of most of them work it out."""

INTEREST = 0.0001
CLAMP = 0.0005


def funding_rate(premium: float, interest: float = INTEREST) -> float:
    """`P + clamp(I - P, -0.0005, 0.0005)` for eight hours; longs pay shorts where it is above 0.

    `premium` and `interest` are shares of the price. While the premium is within 0.05 % of the
    interest the rate is the interest itself.
    """
    return premium + max(-CLAMP, min(CLAMP, interest - premium))
