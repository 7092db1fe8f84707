"""What goes wrong in a database, told without a value."""

from collections.abc import Iterator
from contextlib import contextmanager

from purposeguard.exceptions import SubjectStoreError
from purposeguard.interrupts import let_through


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into a SubjectStoreError that says what can't be done.

    Its text has the kind of error and the database's code for it. The texts of databases and
    drivers hold values and passwords, so neither they nor the error itself are handed on.
    """
    try:
        yield
    except SubjectStoreError:
        raise
    except Exception as error:  # noqa: BLE001 - SQLAlchemy's, Alembic's or a driver's
        let_through(error)
        text = f"the store of subjects can't be {what} ({_cause(error)}): see to its database"
        raise SubjectStoreError(text) from None


def _cause(error: BaseException) -> str:
    found = getattr(error, "orig", None) or error
    code = getattr(found, "sqlstate", None) or getattr(found, "sqlite_errorname", None)
    name = type(found).__name__
    return f"{name}, {code}" if isinstance(code, str) else name
