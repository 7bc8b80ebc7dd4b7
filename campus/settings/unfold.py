"""The look of the admin."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy


def unfold(institution: str) -> dict[str, Any]:
    """Settings of django-unfold; `institution` is what people read at the top."""
    return {
        "SITE_TITLE": institution,
        "SITE_HEADER": institution,
        "SITE_SUBHEADER": "Registrar",
        "SITE_SYMBOL": "how_to_reg",
        "SITE_URL": "/",
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("web/icon.svg")}],
        "STYLES": [lambda request: static("web/admin.css")],
        "SHOW_HISTORY": True,
        "SHOW_VIEW_ON_SITE": False,
        "SHOW_LANGUAGES": True,
        "SIDEBAR": {
            "show_search": True,
            "navigation": [
                {
                    "title": "Teaching",
                    "items": [
                        _item("Classes", "school", "academics_course"),
                        _item("Students", "person", "academics_student"),
                        _item("Lectures", "calendar_month", "academics_lecture"),
                        _item("Timetable", "event_repeat", "academics_lectureseries"),
                        _item("Rooms", "meeting_room", "academics_room"),
                        _item("Holidays", "beach_access", "academics_holiday"),
                    ],
                },
                {
                    "title": "Attendance",
                    "items": [
                        _item("Recordings", "videocam", "footage_recording"),
                        _item("Attendance", "fact_check", "attendance_attendancerecord"),
                        _item("Reports", "table_view", "attendance_report"),
                        _item("Corrections", "history", "attendance_attendancechange"),
                    ],
                },
                {
                    "title": "Faces",
                    "items": [
                        _item("Photos", "add_a_photo", "biometrics_facephoto"),
                        _item("Galleries", "familiar_face_and_zone", "biometrics_gallery"),
                    ],
                },
                {"title": "People", "items": [_item("Staff", "badge", "auth_user")]},
            ],
        },
    }


def _item(title: str, icon: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}
