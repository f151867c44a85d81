"""What can go wrong with what is kept: one module holds the whole tree.

    StoreError
    ├── StorageFull       the disk does not take what must be kept: full, failing or read-only
    ├── AlreadyRunning    another process writes to this database
    ├── SchemaMismatch    the database is older or newer than this code
    ├── SequenceBroken    a journal row would leave a gap or repeat one: a bug of the caller
    ├── DatabaseUnusable  the file is no database, damaged, or the address is not understood
    └── AmbiguousPrefix   a shortened id fits more than one record

Must not know: what the caller does about it.
"""


class StoreError(Exception):
    """Every error the store raises on purpose."""


class StorageFull(StoreError):
    """Nothing of the transaction was kept: the disk is full, failing or read-only."""


class AlreadyRunning(StoreError):
    """Another process has this database open for writing; the text names it."""


class SchemaMismatch(StoreError):
    """The database's schema is not the one this code was written for."""


class SequenceBroken(StoreError):
    """A journal row that does not follow the last one; nothing of its transaction was kept."""


class DatabaseUnusable(StoreError):
    """The database cannot be used at all; the text says why."""


class AmbiguousPrefix(StoreError):
    """A shortened id fits several records; `candidates` holds some of them."""

    def __init__(self, prefix: str, candidates: tuple[str, ...]) -> None:
        super().__init__(f"{prefix!r} fits several: {', '.join(candidates)}")
        self.candidates = candidates
