"""`python -m workers.recorder`: records until SIGINT or SIGTERM.

Several may run; each camera is recorded by one of them.
"""

import signal
import sys

import django


def main() -> int:
    django.setup()
    from workers.older_tables import refuse_older_tables
    from workers.recorder.supervisor import Supervisor

    refuse_older_tables()

    supervisor = Supervisor()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    supervisor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
