"""The options of `ballast backtest` that say what is assumed, as types of its parameters."""

from typing import Annotated

import typer

Queue = Annotated[
    str, typer.Option(help="Queue model: power:N, log, risk-averse or FILE.py:Class.")
]
Ways = Annotated[
    str,
    typer.Option(help="UP[,DOWN]: 5ms, lognormal:5ms:0.5, table:FILE; or recorded[:SESSION]."),
]
Feed = Annotated[str, typer.Option(help="Age of a public fact when it was recorded.")]
Fees = Annotated[
    str, typer.Option(help="MAKER,TAKER in ppm instead of the venue's, or tiers by turnover.")
]
Turnover = Annotated[
    str, typer.Option(help="Traded in the 30 days before, in the quote asset: finds the tier.")
]
Limits = Annotated[
    str, typer.Option(help="New orders that the venue takes: ORDERS/WINDOW,..., or none.")
]
Balance = Annotated[str, typer.Option(help="Opening money like BTC=1,USDT=500.")]
