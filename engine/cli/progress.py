"""A progress bar for what takes long, on standard error and only for people who watch."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

EVERY = 5_000
T = TypeVar("T")


def shown(source: Iterable[T], words: str = "facts", every: int = EVERY) -> Iterator[T]:
    """`source` unchanged, with a count of what has passed; silent where nobody looks."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from source
        return
    columns = (TextColumn("{task.completed:,.0f} " + words), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        for number, each in enumerate(source, 1):
            if number % every == 0:
                bar.update(task, completed=number)
            yield each
