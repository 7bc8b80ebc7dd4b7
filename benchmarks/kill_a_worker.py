"""Two workers share a recording, one is killed in the middle: `python -m benchmarks.kill_a_worker VIDEO PEOPLE [--enrol
10]`.

Takes attendance twice with a real Redis, database, workers and models: once undisturbed, once with a SIGKILL for the
second worker and its children while both process a segment. Exits with 0 if both runs end with the same students, the
same intervals, and the same cells and pictures in the workbook.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

LECTURE_STARTS_AT = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=1)


def run_once(video: Path, people: Path, enrol: int, kill: bool) -> dict[str, str]:
    """One run, in a process of its own, with a database and folders of its own."""
    var = Path(tempfile.mkdtemp())
    os.environ |= {
        "ROLLCALL_DATA_DIR": str(var),
        "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
        "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
    }
    os.environ |= {"ROLLCALL_LEASE_SECONDS": "15", "ROLLCALL_SWEEP_SECONDS": "5", "ROLLCALL_LOG_LEVEL": "WARNING"}
    os.environ.pop("ROLLCALL_DATABASE_URL", None)
    import openpyxl

    from demo import __main__ as demo
    from deploy.local import Processes, prepare_database

    with Processes(var) as processes:
        processes.start_broker()
        prepare_database()
        from campus.common.jobs import QUEUES

        for name in ("worker", "second"):
            command = [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "workers",
                "worker",
                "-Q",
                ",".join(QUEUES),
                "-c",
                "1",
                "-n",
                name,
            ]
            processes.start(name, command)
        processes.start_scheduler()
        recording = demo.upload(demo.enrol(people, enrol), video)
        lecture = recording.lecture
        lecture.starts_at, lecture.ends_at = LECTURE_STARTS_AT, LECTURE_STARTS_AT + timedelta(hours=1)
        lecture.save()
        while recording.state in ("uploaded", "processing", "aggregating"):
            running = [segment for segment in recording.segments.all() if segment.is_running]
            if kill and len(running) == 2 and min(segment.progress for segment in running) > 0.25:
                second = processes.children.pop("second")
                os.killpg(second.process.pid, signal.SIGKILL)
                second.process.wait()
                print(
                    "killed while both processed",
                    [(segment.index, round(segment.progress, 2)) for segment in running],
                    file=sys.stderr,
                )
                kill = False
            time.sleep(0.2)
            recording.refresh_from_db()
        attempts = [segment.attempts for segment in recording.segments.order_by("index")]
        print(recording.state, recording.error, "attempts of the segments", attempts, file=sys.stderr)
        book = openpyxl.load_workbook(var / "Reports" / recording.report.file_name)
        digest = hashlib.sha256()
        for name in ("Attendance", "Timeline", "Unknown"):
            digest.update(repr(list(book[name].iter_rows(values_only=True))).encode())
            for picture in book[name]._images:
                digest.update(picture._data())
        outcome = {
            "state": recording.state,
            "students": json.dumps(demo.result_of(recording)),
            "workbook": digest.hexdigest(),
        }
    shutil.rmtree(var)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("people", type=Path)
    parser.add_argument("--enrol", type=int, default=10)
    parser.add_argument("--run", choices=["undisturbed", "kill"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(run_once(given.video, given.people, given.enrol, given.run == "kill")))
        return 0
    outcomes = []
    for run in ("undisturbed", "kill"):
        command = [
            sys.executable,
            "-m",
            "benchmarks.kill_a_worker",
            given.video,
            given.people,
            "--enrol",
            str(given.enrol),
            "--run",
            run,
        ]
        outcomes.append(
            json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
        )
    same = outcomes[0] == outcomes[1] and outcomes[0]["state"] == "done"
    print("the same students, intervals, cells and pictures" if same else f"different: {outcomes}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
