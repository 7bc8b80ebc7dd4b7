"""Records the RTSP cameras of rooms while a lecture is in them: `python -m workers.recorder`."""
