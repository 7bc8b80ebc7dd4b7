"""One way to write dates, and times of day as timetables have them: 27. Nov. 2026, 14:30."""

DATE_FORMAT = SHORT_DATE_FORMAT = "j. M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "j. M Y, H:i"
