"""The hazards that purposeguard does not close: what holds instead, and what to do about it.

`docs/limits.md` names each of them. Every limit has a test that pins its behaviour, whose
name holds `_limit_`, so that a limit that is lifted, or grows, is noticed.
"""

from typing import NamedTuple


class Limit(NamedTuple):
    """One limit in one sentence, and what users do about it."""

    what: str
    instead: str


LIMITS = {
    "b2": Limit(
        "Code in the same process can dig the raw function out of closures, frames or the garbage "
        "collector.",
        "Treat hostile code as outside the threat model; keep data behind a process or database "
        "boundary where it isn't.",
    ),
    "b3": Limit(
        "A decorator below the guard that registers the function (a route, task or command) has "
        "registered the raw one.",
        "Put the guard below what registers; assert in a test that `find_unguarded()` is empty.",
    ),
    "b4": Limit(
        "An object hung on a function may hold the raw one: callable attributes are refused, what "
        "is inside other objects can't be.",
        "Put the guard below the decorator that hung it there; `find_unguarded` finds it.",
    ),
    "b6": Limit(
        "A name imported before `module.f = guard.access(…)(module.f)` still leads to the raw "
        "function.",
        "Decorate where the function is defined; `find_unguarded` finds such aliases.",
    ),
    "b7": Limit(
        "A subclass that overrides a guarded method without a guard is not guarded.",
        "Guard the override as well; `find_unguarded` finds those that aren't.",
    ),
    "b8": Limit(
        "An attribute rebound to a raw function that has no guard standing above it in the code is "
        "found by `find_unguarded` only while the guarded one is still in some module, class or "
        "registry.",
        "Run `find_unguarded` in a test of the assembled application; don't rebind at run time.",
    ),
    "b9": Limit(
        "A cache on top of a guarded function (`lru_cache`, `cached_property`) replays data to "
        "every later purpose, and can't be seen when it is made.",
        "Put the guard on top of the cache; `find_unguarded` finds the other order.",
    ),
    "b11": Limit(
        "A guard on `__init__` doesn't cover objects made without it: copies, unpickled ones, "
        "`object.__new__`.",
        "Guard the methods and properties that hand out data, or the function that loads it.",
    ),
    "b12": Limit(
        "What has been released is an ordinary object: a guarded property doesn't guard the "
        "attribute that it reads from (`vars`, `_name`).",
        "Guard the function that loads; select only `granted_items`; don't keep data in attributes "
        "that others may read.",
    ),
    "b13": Limit(
        "`repr`, `asdict`, `astuple`, `replace` and model dumps read a record's fields, not the "
        "guarded property in front of them.",
        "Guard the loader of the record, or leave the field out of the record.",
    ),
    "b17": Limit(
        "A coroutine that is driven by hand (`coroutine.send`), without a task, shares its "
        "driver's context, so its purpose stays in force there until it ends.",
        "Run coroutines as tasks, as asyncio does, or step them in a `contextvars` context of "
        "their own.",
    ),
    "b19": Limit(
        "A lazy value other than a coroutine, generator or async generator (a cursor, `map`, "
        "open file, query set, future) is handed on as it is, and read later without an access.",
        "Materialise it inside the guarded function, or make that a generator.",
    ),
    "b27": Limit(
        "`__del__`, weak-reference callbacks and signal handlers run under the purpose of whatever "
        "they interrupt, and are recorded so.",
        "Declare their own purpose on a root scope in them: `guard.purpose(…, root=True)`.",
    ),
    "b29": Limit(
        "An interrupt that lands inside the guard's own entering or leaving releases nothing, but "
        "can leave a purpose open in its context, as it can with any `with` block.",
        "Let Ctrl-C end the process; open each request's scope with `root=True`.",
    ),
    "c1": Limit(
        "A block hidden behind `ExitStack` or a context manager of one's own isn't seen in a "
        "generator, and leaks into the consumer between its steps.",
        "Decorate the generator with `@guard.purpose(…)`.",
    ),
}
