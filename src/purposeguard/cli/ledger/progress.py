"""Progress of long queries: on a terminal, and nowhere else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_Result = TypeVar("_Result")
_SECONDS = 0.1


def with_progress(
    connection: "DuckDBPyConnection", what: str, work: Callable[[], _Result]
) -> _Result:
    """Return what `work` returns, and show meanwhile how far the connection's query has come."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return work()
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with (
        Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress,
        ThreadPoolExecutor(1) as pool,
    ):
        task = progress.add_task(what, total=100)
        running = pool.submit(work)
        try:
            while True:
                try:
                    return running.result(_SECONDS)
                except NotYetError:
                    progress.update(task, completed=max(0.0, connection.query_progress()))
        except KeyboardInterrupt:
            connection.interrupt()
            raise
