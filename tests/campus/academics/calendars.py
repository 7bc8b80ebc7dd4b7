"""Calendars (iCalendar) as other programs write them."""

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\n"
WEEKLY = [
    "UID:weekly@example.org",
    "DTSTART;TZID=Europe/Berlin:20990323T091500",
    "DTEND;TZID=Europe/Berlin:20990323T104500",
    "RRULE:FREQ=WEEKLY;UNTIL=20990406T220000Z",
    "SUMMARY:CS101 Loops",
    "LOCATION:H 1",
]


def ics(*events: list[str]) -> bytes:
    return (
        HEAD
        + "".join("BEGIN:VEVENT\r\n" + "\r\n".join(event) + "\r\nEND:VEVENT\r\n" for event in events)
        + "END:VCALENDAR\r\n"
    ).encode()


def single(uid: str, starts: str, *more: str) -> list[str]:
    return [f"UID:{uid}", f"DTSTART:{starts}", "DURATION:PT90M", *(more or ("SUMMARY:CS101",))]
