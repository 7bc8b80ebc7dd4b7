"""Everything that people change about people is in the audit log: a walk over all services."""

import ast
from collections.abc import Iterator
from pathlib import Path

APPS = ("academics", "attendance", "biometrics", "consent", "privacy", "recordings")
RECORDERS = {"record_event", "record_events", "log_change"}
WRITES = {"bulk_create", "bulk_update", "create", "delete", "get_or_create", "save", "update", "update_or_create"}
REPOSITORY = Path(__file__).parents[3]

# Rows of `campus/audit/row_changes.py` that are saved or deleted one by one: their signals write the entry.
WATCHED = {
    *("create_lecture", "change_lecture", "delete_lecture", "delete_unprotected", "set_public_holidays"),
    *("enrol_student", "delete_enrolment", "create_excuse", "withdraw_excuse", "delete_recording", "delete_status"),
    *("create_recording", "save_as_recording", "add_photo", "delete_photo", "change_picture", "save_import"),
}
# What Rollcall does by itself, for somebody whose own change is in the log.
BY_ITSELF = {
    *("save_attendance", "recount_lecture", "finish_comparison", "withdraw_basis", "replace_lecture_faces"),
    *("forget_lecture_faces", "save_lecture_face", "save_look_alikes", "put_photo_aside", "finish_training"),
    *("save_photo_verdict", "put_photos_aside", "check_waiting_photos", "discard_gallery"),
    *("save_progress", "delete_snapshots_as_counted", "plan_recording"),
    *("save_segment_progress", "start_due_votes", "vote_again", "delete_tracks", "verify_upload", "request_again"),
    *("mark_rosters_changed", "mark_galleries_outdated", "delete_report", "extend_student_link"),
    *("delete_calendar_links", "continue_direct_upload", "append_to_upload", "delete_upload"),
}
# Called by a service that writes the entry.
INSIDE = {"decide_lecture_face", "keep_apart", "reopen_pair"}
# How a file is read, and what is asked of the machine: it says nothing about anybody until it is imported or watched.
REQUESTS = {
    *("read_again", "delete_file_import", "set_name_encoding", "create_photo_import", "import_photo_files"),
    *("create_upload", "cancel_recording", "dismiss_recording", "retry_recording", "restart_recording"),
    *("request_annotated_video", "delete_calendar_link", "delete_sample_class"),
}


def services() -> Iterator[tuple[str, ast.FunctionDef, set[str]]]:
    """The functions of these apps, and the names of what each calls."""
    for app in APPS:
        for path in sorted((REPOSITORY / "campus" / app).glob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.FunctionDef):
                    functions = (call.func for call in ast.walk(node) if isinstance(call, ast.Call))
                    called = {getattr(function, "attr", getattr(function, "id", "")) for function in functions}
                    yield node.name, node, called


def test_each_service_that_writes_about_people_says_so_in_the_audit_log():
    functions = list(services())
    recording = set(RECORDERS)
    while found := {name for name, _node, called in functions if called & recording} - recording:
        recording |= found
    silent = {
        name
        for name, node, called in functions
        if node.args.kwonlyargs and not name.startswith("_") and called & WRITES and name not in recording
    }
    excused = WATCHED | BY_ITSELF | INSIDE | REQUESTS
    assert silent - excused == set(), "these change something and leave no entry"
    assert excused - silent == set(), "these do leave one, or are gone"
