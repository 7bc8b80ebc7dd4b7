"""Records the cameras (RTSP) of the rooms in which a lecture runs: `python -m workers.recorder`."""
