"""How far a long command has come: a bar on a terminal. In a pipe there is none, and the library that draws it is not imported."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(doing: str = "verifying") -> Iterator[Callable[[int, int], None]]:
    """Yield what is to be told how many entries are done, and of how many."""
    if not sys.stderr.isatty():
        yield lambda done, size: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    from api.cli.terminal import errors_console

    class Rate(ProgressColumn):
        """Entries a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f} entries/s" if task.speed else "")

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=errors_console.rich, transient=True) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda done, size: progress.update(task, completed=done, total=size)
