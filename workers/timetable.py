"""What the clock drives: footage is looked for, what stopped is told, and the week's register goes out.

Each of these may run twice, late or not at all for a while without harm.
"""

from campus.attendance.weekly import notify_week
from campus.cctv.alarms import watch as watch_footage
from campus.cctv.collection import collect as collect_footage
from workers.celery import app


@app.task(name="rollcall.collect")
def collect() -> None:
    collect_footage()


@app.task(name="rollcall.watch")
def watch() -> None:
    watch_footage()


@app.task(name="rollcall.week")
def week() -> None:
    notify_week()
