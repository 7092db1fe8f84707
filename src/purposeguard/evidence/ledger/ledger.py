"""`Ledger`: what a guard writes its records to."""

import asyncio
import atexit
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import RLock, get_ident
from types import TracebackType
from typing import Self

from purposeguard.evidence.ledger.checkpoints import Checkpoint
from purposeguard.evidence.ledger.figures import Figures
from purposeguard.evidence.ledger.journal import Journal, Ticket
from purposeguard.evidence.ledger.keeper import Keeper
from purposeguard.evidence.ledger.keys import ChainKey, key_from_environment
from purposeguard.evidence.ledger.recovery import Recovery, recover
from purposeguard.evidence.ledger.segment import sync_directory
from purposeguard.evidence.ledger.segments import News, Settings
from purposeguard.exceptions import UnusableLedgerError

_LEAST_SEGMENT_BYTES = 4096

_open: "set[Ledger]" = set()
"""Ledgers that are not closed: a fork renews them, and the interpreter's end closes them."""


_opening = RLock()
"""Held while a ledger is opened, and while this process forks: the child inherits no file of it."""


class Durability(StrEnum):
    """What a record has survived by the time that data is released."""

    PROCESS = "process"
    """It is with the kernel: the process may be killed."""
    POWER = "power"
    """It is on disk: the machine may lose power. Costs a sync, shared by all who wait for one."""


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    """How a ledger is doing, in this process."""

    segment: str | None
    """The file that is written to, or None before the first record and while none can be."""
    written: int
    lost: int
    refused: int
    pending: int
    """Lines that wait to be on disk, under durability `power`."""
    failing: str | None
    """Why nothing can be written at present, or None."""
    recovered: tuple[Recovery, ...]
    """What opening it had to put right, or found damaged."""


class Ledger:
    """An append-only directory of records, one file a process, each line chained to the one before.

    `required`: an enforced access whose record can't be written is refused with LedgerError; else
    it is counted as lost, and the gap is recorded once writing works again. `durability` is
    `"process"` (a record survives kill -9) or `"power"` (it survives power loss). `key` (bytes, at
    least 16) makes the chain one that only its holder can go on with; left out, it is taken from
    the environment: `PURPOSEGUARD_LEDGER_KEY`, or the file that `PURPOSEGUARD_LEDGER_KEY_FILE`
    names. A segment is ended at `segment_bytes`; `checkpoint_seconds` apart, the head of the chain
    goes out as a log event; `reserve_bytes` are kept free for when the disk is full.

    Opening it recovers what processes that died have left. Raises UnusableLedgerError where the
    directory can't be made or written to, and on Windows.

    A forked child goes on in a file of its own. Close it with `close()` or a with-block; the end
    of the interpreter closes it too.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        required: bool = True,
        durability: str = "process",
        key: bytes | None = None,
        segment_bytes: int = 64 * 1024 * 1024,
        checkpoint_seconds: float = 60,
        reserve_bytes: int = 64 * 1024,
    ) -> None:
        if sys.platform == "win32":
            raise UnusableLedgerError("a ledger needs Linux or macOS: leave it out on Windows")
        if durability not in frozenset(map(str, Durability)):
            raise UnusableLedgerError("a ledger has no such durability: use `process` or `power`")
        for name, value, least in (
            ("segment_bytes", segment_bytes, _LEAST_SEGMENT_BYTES),
            ("reserve_bytes", reserve_bytes, 0),
            ("checkpoint_seconds", checkpoint_seconds, 0.05),
        ):
            if type(value) not in (int, float) or not least <= value < 2**53:
                raise UnusableLedgerError(f"`{name}` is no number of at least {least}: correct it")
        try:
            self.path = Path(path).absolute()
        except TypeError:
            raise UnusableLedgerError("a ledger's path is a text or a `Path`: name one") from None
        self.required = bool(required)
        self.durability = Durability(durability)
        self.figures = Figures()
        chain = ChainKey(key_from_environment() if key is None else key)
        self._listen: Callable[[News], None] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._keeper = Keeper(self.tell, checkpoint_seconds)
        settings = Settings(
            self.path,
            chain,
            self.required,
            self.durability is Durability.POWER,
            int(segment_bytes),
            int(reserve_bytes),
        )
        try:
            _make(self.path, sync=settings.power)
            with _opening:
                self.recovered = tuple(recover(self.path, chain))
                self._journal = Journal(settings, self.figures, self._rouse)
                _open.add(self)
                self._journal.make_reserve()
        except (OSError, ValueError) as error:  # ValueError: the path holds a zero byte
            _open.discard(self)
            why = error.strerror if isinstance(error, OSError) else "no path"
            raise UnusableLedgerError(
                f"`{self.path}` can't be used as a ledger ({why}): "
                "name a directory that this process may write to"
            ) from None
        self.access = self._journal.access
        self.note = self._journal.note
        self.settle = self._journal.commit
        for found in self.recovered:
            self._journal.news.append(_news(found))

    async def settled(self, ticket: Ticket) -> None:
        """Await that a record is on disk, as `settle` waits; without an asyncio loop it waits."""
        try:
            asyncio.get_running_loop()
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="purposeguard-ledger-commit")
            waiting = self._pool.submit(self._journal.commit, ticket)
        except RuntimeError:
            self.settle(ticket)
            return
        await asyncio.wrap_future(waiting)

    def checkpoint(self) -> Checkpoint | None:
        """Return where the chain stands, and tell it; None where nothing has been written yet."""
        made = self._journal.checkpoint()
        self.tell()
        return made

    def health(self) -> LedgerHealth:
        """Return how it is doing."""
        figures, journal = self.figures, self._journal
        return LedgerHealth(
            journal.segment_name,
            figures.written,
            figures.lost,
            figures.refused,
            journal.pending,
            journal.failing,
            self.recovered,
        )

    @property
    def pending(self) -> int:
        """Lines that wait to be on disk, under durability `power`."""
        return self._journal.pending

    def listen(self, listen: Callable[[News], None]) -> None:
        """Have the news told to a guard's log events; of several guards the first one gets them."""
        if self._listen is None:
            self._listen = listen
        # Last registered is first called: what the telemetry registered before may be gone after.
        atexit.unregister(_close_all)
        atexit.register(_close_all)
        self.tell()

    def tell(self) -> None:
        """Tell what is new, outside of any lock."""
        news, listen = self._journal.news, self._listen
        while news and listen is not None:
            try:
                told = news.popleft()
            except IndexError:  # another thread was quicker
                return
            listen(told)

    def close(self) -> None:
        """Write the closing line. Later accesses can't be recorded.

        Does nothing in a signal handler that has interrupted a record: the end of the interpreter
        closes it then.
        """
        if not self._journal.finish():
            return
        _open.discard(self)
        self._keeper.stop()
        if self._pool is not None:
            self._pool.shutdown(wait=False)
        self.tell()

    def _rouse(self) -> None:
        self._keeper.rouse(self._journal)

    def _begin_anew(self) -> None:
        """In a forked child: leave the parent's file to the parent."""
        self._pool = None
        self._keeper.begin_anew()
        self.figures.reset()
        self._journal.news.clear()
        self._journal.leave_to_parent()
        self._journal.begin_anew()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _make(directory: Path, *, sync: bool) -> None:
    """Make a directory where it is missing, and make sure that its name is on disk."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in missing if sync else ():
        sync_directory(path.parent)


def _news(found: Recovery) -> News:
    if found.damaged is not None:
        text = f"segment `{found.segment}` of the ledger is damaged: {found.damaged}"
        return News("damaged", text, {"segment": found.segment})
    text = (
        f"the process that wrote segment `{found.segment}` of the ledger died: {found.set_aside} "
        f"bytes at its end are set aside in `{found.aside}`"
    )
    return News("recovered", text, {"segment": found.segment, "bytes": found.set_aside})


def _close_all() -> None:
    for ledger in list(_open):
        ledger.close()


_FORK_SECONDS = 1
"""How long a fork waits for a record that another thread is writing."""

_held: dict[int, list[Callable[[], None]]] = {}
"""What has to be let go after a fork, by the thread that forks."""


def _before_fork() -> None:
    """Have no thread in the middle of opening or closing a file, which the child would inherit."""
    held = _held[get_ident()] = []
    if _opening.acquire(timeout=_FORK_SECONDS):
        held.append(_opening.release)
    for ledger in list(_open):
        journal = ledger._journal
        if journal.hold(_FORK_SECONDS):
            held.append(journal.let_go)


def _after_fork_in_parent() -> None:
    for let_go in _held.pop(get_ident(), ()):
        let_go()


def _after_fork_in_child() -> None:
    global _opening  # noqa: PLW0603 - the parent's may be held by a thread that isn't here
    _opening = RLock()
    _held.clear()
    for ledger in list(_open):
        ledger._begin_anew()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
atexit.register(_close_all)
