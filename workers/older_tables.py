"""What a worker, the scheduler and the recorder ask before they start."""

from campus.operations.checks import describe_older_tables


def refuse_older_tables() -> None:
    """End this process with a sentence if the database has not been migrated yet; systemd and Docker start it again."""
    if older_tables := describe_older_tables():
        raise SystemExit(older_tables)
