"""`purposeguard subject migrate`: bring a database of subjects to this version's schema."""

from purposeguard.cli.printing import say
from purposeguard.cli.subject.opening import KeyFile, Url, failing_clearly, subject_key


def migrate(url: Url, key_file: KeyFile = None) -> None:
    """Bring a database of subjects to the schema of this version; nothing on record is changed.

    Exit status: 0 done, 2 not done.
    """
    key = subject_key(key_file)
    with failing_clearly():
        from purposeguard.subjects.sql import SqlSubjects  # noqa: PLC0415 - of an extra

        SqlSubjects.migrate(url, key=key, timeout=30)
    say("the database has the schema of this version")
