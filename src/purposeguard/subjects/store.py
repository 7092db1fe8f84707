"""What knows about people: the protocol that a store of subjects keeps."""

from collections.abc import Collection, Mapping
from typing import Protocol, runtime_checkable

from purposeguard.subjects.facts import Facts


@runtime_checkable
class SubjectStore(Protocol):
    """Knows what is on record about people and customers, under their keyed hashes.

    `purposeguard.subjects.sql.SqlSubjects` is one; anything with these members will do.
    """

    key_id: str
    """The id of the key that its hashes are made with: the guard's `subject_key`."""
    timeout: float
    """Seconds that a look-up may take. After that the access is a gap."""
    cache_seconds: float
    """How long what was looked up may be used again; 0 looks each time."""

    def facts(self, people: Collection[str]) -> Mapping[str, Facts]:
        """Return what is on record about each of these people; those without a record left out.

        Called in a thread of its own, at most several at a time. Whatever it raises is a gap.
        """
        ...
