"""The guard that anybody would write first: `functools.wraps`, a ContextVar and a dict.

Attacks are run against it as well, so that each test that guards against one is seen to be able
to fail.
"""

import contextlib
import functools
from contextvars import ContextVar


class DeniedError(Exception):
    """The naive guard's answer to an access out of purpose."""


class NaiveGuard:
    """Grants a category to the purposes that a dict lists for it."""

    def __init__(self, grants, denial=DeniedError):
        self._grants = grants
        self._denial = denial
        self._purpose = ContextVar("purpose", default=None)

    def allows(self, category):
        return self._purpose.get() in self._grants[category]

    def access(self, category):
        def decorate(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                if not self.allows(category):
                    raise self._denial(category)
                return function(*args, **kwargs)

            return wrapper

        return decorate

    @contextlib.contextmanager
    def purpose(self, name):
        token = self._purpose.set(name)
        try:
            yield
        finally:
            self._purpose.reset(token)

    def carry(self, function):
        return function


class TrustingGuard(NaiveGuard):
    """Lets a call go on where its own check fails, "so that a bug here can't break the site"."""

    def allows(self, category):
        return any(self._purpose.get() == purpose for purpose in self._grants[category])

    def access(self, category):
        def decorate(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                try:
                    allowed = self.allows(category)
                except Exception:  # noqa: BLE001 - its fault
                    allowed = True
                if not allowed:
                    raise self._denial(category)
                return function(*args, **kwargs)

            return wrapper

        return decorate


class BareSetGuard(NaiveGuard):
    """Offers a bare `set`, as frameworks' hooks invite to, and a block that forgets `finally`."""

    def declare(self, name):
        self._purpose.set(name)

    @contextlib.contextmanager
    def purpose(self, name):
        before = self._purpose.get()
        self._purpose.set(name)
        yield
        self._purpose.set(before)


class UnitingGuard(NaiveGuard):
    """Takes the purposes of nested blocks together, and compares names by prefix."""

    def __init__(self, grants):
        super().__init__(grants)
        self._purposes = ContextVar("purposes", default=())

    def allows(self, category):
        return any(
            purpose.strip().casefold().startswith(granted)
            for purpose in self._purposes.get()
            for granted in self._grants[category]
        )

    @contextlib.contextmanager
    def purpose(self, name):
        token = self._purposes.set((*self._purposes.get(), name))
        try:
            yield
        finally:
            self._purposes.reset(token)


class SteppingGuard(NaiveGuard):
    """Is a generator itself, so that it fits around one: nothing is checked before a step."""

    def access(self, category):
        def decorate(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                if not self.allows(category):
                    raise self._denial(category)
                yield from function(*args, **kwargs)

            return wrapper

        return decorate
