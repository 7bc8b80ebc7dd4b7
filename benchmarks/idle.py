"""What Rollcall asks of PostgreSQL and Redis while nothing happens: `python -m benchmarks.idle [--seconds 60]`.

Starts what deploy/systemd starts, on a PostgreSQL of its own (Debian's, with pg_stat_statements). Prints the statements
and commands of a minute at rest, the most frequent ones first, and the commands that each of 100 messages costs.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis

from benchmarks.services import commands_of
from campus.settings.encryption_keys import make_key
from deploy.local import Processes, free_port

UNITS = ("web", "transfers", "worker", "quick", "collector", "vision", "sweeper", "recorder", "scheduler")
WEB_UNITS = ("web", "transfers")
WORKERS = 5
MESSAGES = 100
SETTLE_SECONDS = 30.0  # after the start, in which everybody opens connections and looks around
SHOWN = 15


def command_counts(client: Any) -> Counter[str]:
    """How often each command was given to Redis, but not those of the measurement itself."""
    stats = client.info("commandstats")
    counts = {name.removeprefix("cmdstat_"): values["calls"] for name, values in stats.items()}
    return Counter({name: n for name, n in counts.items() if name.partition("|")[0] not in ("info", "config", "hello")})


def statement_counts(cursor: Any) -> Counter[str]:
    """How often each statement was given to the database."""
    cursor.execute(
        "SELECT query, sum(calls)::int FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid "
        "WHERE datname = current_database() AND query NOT LIKE '%%pg_stat_statements%%' GROUP BY query"
    )
    return Counter(dict(cursor.fetchall()))


def print_counts(title: str, counts: Counter[str], minutes: float) -> None:
    print(f"{title}: {counts.total() / minutes:.0f} a minute")
    for name, n in counts.most_common(SHOWN):
        print(f"  {n / minutes:6.1f} {' '.join(name.split())[:150]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the rest lasts (%(default)s)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        measure(Path(folder), seconds)


def measure(folder: Path, seconds: float) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "campus.settings.prod",
        "ROLLCALL_SECRET_KEY": os.urandom(32).hex(),
        "ROLLCALL_ENCRYPTION_KEYS": make_key(),
        "ROLLCALL_DATA_DIR": str(folder / "data"),
        "ROLLCALL_REPORTS_DIR": str(folder / "Reports"),
    }
    from tests.servers.postgres import DATABASE, Postgres

    postgres = Postgres(folder / "postgres")
    with (folder / "postgres" / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write("shared_preload_libraries = 'pg_stat_statements'\n")
    os.environ["ROLLCALL_DATABASE_URL"] = f"postgres://postgres@127.0.0.1:{postgres.port}/{DATABASE}"
    with Processes(folder / "data") as processes:
        processes.start_broker()
        from deploy.local import prepare_database

        postgres.stop("fast")
        postgres.start()
        prepare_database()
        from django.db import connection

        from campus.monitoring.workers import running_workers

        for name in UNITS:
            [command] = commands_of(f"rollcall-{name}")
            bind = ["--bind", f"127.0.0.1:{free_port()}"] if name in WEB_UNITS else []
            processes.start(name, [*command, *bind])
        processes.wait_until(lambda: running_workers().count() == WORKERS, "worker")
        client: Any = redis.Redis(unix_socket_path=f"{processes.sockets.name}/valkey")
        time.sleep(SETTLE_SECONDS)
        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION pg_stat_statements")
            cursor.execute("SELECT pg_stat_statements_reset()")
            client.config_resetstat()
            time.sleep(seconds)
            commands, statements = command_counts(client), statement_counts(cursor)
        print_counts("statements", statements, seconds / 60)
        print_counts("Redis commands", commands, seconds / 60)
        print_counts_of_messages(client, commands.total() / seconds)
        processes.check()
    postgres.stop()


def print_counts_of_messages(client: Any, idle_per_second: float) -> None:
    from campus.common import jobs

    client.config_resetstat()
    began = time.monotonic()
    for _ in range(MESSAGES):
        jobs.DELIVER.publish([uuid4()])  # of no row: the worker finds nothing to do
    while client.llen(jobs.DELIVER.queue) or client.hlen("unacked"):
        time.sleep(0.1)
    commands = command_counts(client)
    del commands["llen"], commands["hlen"]
    each = (commands.total() - idle_per_second * (time.monotonic() - began)) / MESSAGES
    print(f"{each:.1f} Redis commands a message")
    for name, n in commands.most_common(SHOWN):
        print(f"  {n / MESSAGES:6.1f} {name}")


if __name__ == "__main__":
    main()
