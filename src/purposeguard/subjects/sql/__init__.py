"""A store of subjects in an SQL database, SQLite or PostgreSQL. It needs the extra `subjects`."""

try:
    import sqlalchemy  # noqa: F401
except ImportError:
    raise ImportError(
        "the store of subjects needs sqlalchemy, which the extra `subjects` brings: "
        "pip install 'purposeguard[subjects]'"
    ) from None

from purposeguard.subjects.sql.events import Event, Kept, Kind, OpenRequest, Role
from purposeguard.subjects.sql.store import SqlSubjects

__all__ = ["Event", "Kept", "Kind", "OpenRequest", "Role", "SqlSubjects"]
