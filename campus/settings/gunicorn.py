"""What all web processes share: `gunicorn -c python:campus.settings.gunicorn campus.wsgi`.

Which address they listen on, and how many there are, is said where they are started.
"""

worker_class = "campus.gunicorn_worker.Worker"
worker_connections = 500  # of a process, most of them waiting; it may have 1024 files open
keepalive = 10  # seconds, also between two pieces of a request
timeout = 120
graceful_timeout = 30
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn's heartbeat, which must not wait for a disk
control_socket_disable = True
preload_app = True  # once for all processes, which start in half the time; a new release restarts the whole server
