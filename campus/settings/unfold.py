"""The look of the admin."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy


def unfold() -> dict[str, Any]:
    """Settings of django-unfold."""
    return {
        "SITE_TITLE": "Rollcall",
        "SITE_URL": "/",
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("web/icon.svg")}],
        "STYLES": [_style("variables"), _style("header"), _style("admin")],
        "SCRIPTS": [lambda request: static("web/theme.js"), lambda request: static("web/field_labels.js")],
        "SHOW_HISTORY": True,
        "SHOW_VIEW_ON_SITE": False,
        "SIDEBAR": {
            "navigation": [
                {
                    "items": [
                        {"title": gettext_lazy("Today"), "icon": "dashboard", "link": reverse_lazy("admin:index")},
                        {"title": gettext_lazy("Search"), "icon": "search", "link": reverse_lazy("search")},
                    ]
                },
                {
                    "title": gettext_lazy("Teaching"),
                    "items": [
                        _item(gettext_lazy("Classes"), "school", "academics_course"),
                        _item(gettext_lazy("Terms"), "date_range", "academics_term"),
                        _item(gettext_lazy("Students"), "person", "academics_student"),
                        _item(gettext_lazy("Enrolments"), "group_add", "academics_enrolment"),
                        _item(gettext_lazy("Lectures"), "calendar_month", "academics_lecture"),
                        _item(gettext_lazy("Timetable"), "event_repeat", "academics_lectureseries"),
                        _item(gettext_lazy("Rooms"), "meeting_room", "academics_room"),
                        _item(gettext_lazy("Holidays"), "beach_access", "academics_holiday"),
                    ],
                },
                {
                    "title": gettext_lazy("Attendance"),
                    "items": [
                        _item(gettext_lazy("Recordings"), "videocam", "recordings_recording"),
                        _item(gettext_lazy("Attendance"), "fact_check", "attendance_attendancerecord"),
                        _item(gettext_lazy("Reports"), "table_view", "attendance_report"),
                        {
                            "title": gettext_lazy("Export"),
                            "icon": "download",
                            "link": reverse_lazy("attendance-export"),
                        },
                        _item(gettext_lazy("Corrections"), "history", "attendance_attendancechange"),
                        _item(gettext_lazy("Statuses"), "rule", "attendance_attendancestatus"),
                    ],
                },
                {
                    "title": gettext_lazy("Cameras"),
                    "items": [
                        _item(gettext_lazy("Sources"), "nest_cam_indoor", "cctv_source"),
                        _item(gettext_lazy("Cameras"), "videocam", "cctv_camera"),
                        _item(gettext_lazy("Files"), "video_file", "cctv_footagefile"),
                        _item(gettext_lazy("Collections"), "cloud_download", "cctv_collection"),
                        _item(gettext_lazy("Alarms"), "e911_emergency", "cctv_alarm"),
                        _item(gettext_lazy("Schedule"), "schedule", "django_celery_beat_periodictask"),
                    ],
                },
                {
                    "title": gettext_lazy("Faces"),
                    "items": [
                        _item(gettext_lazy("Photos"), "add_a_photo", "biometrics_facephoto"),
                        _item(gettext_lazy("Galleries"), "familiar_face_and_zone", "biometrics_gallery"),
                    ],
                },
                {
                    "title": gettext_lazy("Messages"),
                    "items": [
                        _item(gettext_lazy("Sent and waiting"), "outgoing_mail", "outbox_delivery"),
                        _item(gettext_lazy("Webhooks"), "webhook", "outbox_webhook"),
                        _item(gettext_lazy("Settings"), "sms", "outbox_messagesettings"),
                    ],
                },
                {
                    "title": gettext_lazy("Sign-in"),
                    "items": [
                        {
                            **_item(gettext_lazy("Providers"), "login", "identity_identityprovider"),
                            "permission": "campus.web.admin.sign_in.may_see_sign_in",
                        },
                        {
                            **_item(gettext_lazy("Who signs in"), "passkey", "identity_externalidentity"),
                            "permission": "campus.web.admin.sign_in.may_see_sign_in",
                        },
                    ],
                },
                {
                    "title": gettext_lazy("Institution"),
                    "items": [
                        _item(gettext_lazy("Staff"), "badge", "auth_user"),
                        {
                            "title": gettext_lazy("Connections"),
                            "icon": "hub",
                            "link": reverse_lazy("connections"),
                        },
                        {
                            "title": gettext_lazy("Name"),
                            "icon": "apartment",
                            "link": reverse_lazy("institution"),
                        },
                        {
                            "title": gettext_lazy("Retention"),
                            "icon": "auto_delete",
                            "link": reverse_lazy("retention"),
                        },
                        {
                            "title": gettext_lazy("Erasures"),
                            "icon": "delete_forever",
                            "link": reverse_lazy("erasures"),
                        },
                        {
                            "title": gettext_lazy("Audit log"),
                            "icon": "policy",
                            "link": reverse_lazy("audit-log"),
                            "permission": "campus.web.views.audit_log.may_read_log",
                        },
                    ],
                },
                {
                    "title": gettext_lazy("Server"),
                    "items": [
                        {
                            "title": gettext_lazy("System"),
                            "icon": "monitor_heart",
                            "link": reverse_lazy("admin:system"),
                            "permission": "campus.web.admin.system_page.may_see_system",
                        }
                    ],
                },
            ],
        },
    }


def _style(name: str) -> Callable[[HttpRequest], str]:
    return lambda request: static(f"web/{name}.css")


def _item(title: object, icon: str, model: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{model}_changelist")}
