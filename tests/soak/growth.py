"""What may grow over time: rows of tables, elements of Valkey's keys, files in folders, memory of processes."""

import resource
from collections import Counter
from pathlib import Path
from typing import Any

from django.apps import apps

from campus.attendance.change_feed import number_entries
from tests.faults.conftest import Campus, Valkey

# Of each worker that runs, not of recordings.
NOT_COUNTED = {"monitoring.Worker"}
SIZES = {"list": "llen", "set": "scard", "hash": "hlen", "zset": "zcard"}


def table_rows() -> Counter[str]:
    """The rows of each table, without what the change feed's next reader would delete."""
    number_entries()
    models = {model._meta.label: model for model in apps.get_models()}
    return Counter({label: model._base_manager.count() for label, model in models.items() if label not in NOT_COUNTED})


def broker_elements(valkey: Valkey) -> Counter[str]:
    """The elements of each key, of which lists are queues."""
    client: Any = valkey.client
    sizes: Counter[str] = Counter()
    for key in client.scan_iter(count=1000):
        if size := SIZES.get(client.type(key).decode()):
            sizes[key.decode()] = getattr(client, size)(key)
    return sizes


def stored_files(campus: Campus) -> Counter[str]:
    """The files in each folder of the media, and the workbooks."""
    media = campus.folder / "var" / "media"
    counts = Counter(path.relative_to(media).parts[0] for path in media.rglob("*") if path.is_file())
    counts["uploads"] = len(list((campus.folder / "var" / "uploads").glob("*")))
    counts["reports"] = len(list((campus.folder / "reports").glob("*")))
    return counts


def resident_megabytes(pid: int) -> float:
    """The memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024**2
