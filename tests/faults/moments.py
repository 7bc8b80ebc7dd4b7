"""The steps of a recording's way, before and after each of which a worker can be killed."""

FUNCTIONS = [
    "workers.ingest.verify_upload",
    "workers.ingest.plan_recording",
    "workers.segments.load_present_gallery",
    "workers.segments.write_media",
    "workers.segments.finish_segment",
    "workers.segments.start_due_votes",
    "workers.aggregate.finalize_recording",
    "campus.attendance.finalize.finish_recording",
    "campus.attendance.finalize.save_attendance",
    "campus.attendance.finalize.publish_result",
]
MOMENTS = [f"{when} {place}" for place in FUNCTIONS for when in ("before", "after")]
# Of a mark's way to a platform; before the last one it stands there, and nobody has noted that.
MARK_FUNCTIONS = [
    "campus.connections.runs.compare_marks",
    "campus.connections.marks._send_one",
    "campus.connections.marks._confirm",
]
MARK_MOMENTS = [f"{when} {place}" for place in MARK_FUNCTIONS for when in ("before", "after")]
