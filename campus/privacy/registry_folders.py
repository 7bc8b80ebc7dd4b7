"""The folders with personal data, and where it lies besides. A test fails on a folder that is not in here."""

from typing import Final

from campus.privacy.registry_entry import (
    ATTENDANCE,
    DELIVERY,
    EVERYBODY_SEEN,
    EVIDENCE,
    GUARDIANS,
    HOURS,
    OPERATION,
    RECOGNITION,
    STAFF,
    STUDENTS,
    TEACHING,
    Entry,
    Kind,
)

# The folders of the media, the reports, and of this machine's own disk (files in the making).
FOLDERS: Final[dict[str, Entry]] = {
    "recordings": Entry(whose=EVERYBODY_SEEN, purpose=ATTENDANCE, term=Kind.FOOTAGE, kept="as the recording's row"),
    "footage": Entry(whose=EVERYBODY_SEEN, purpose=ATTENDANCE, term=Kind.FOOTAGE, kept="as the footage file's row"),
    "live": Entry(
        whose=EVERYBODY_SEEN, purpose=ATTENDANCE, term="minutes: it becomes a footage file", kept="as a footage file"
    ),
    "uploads": Entry(
        whose=EVERYBODY_SEEN, purpose=ATTENDANCE, term="a day: it becomes a recording", kept="as a recording"
    ),
    "cache": Entry(
        whose=EVERYBODY_SEEN,
        purpose=OPERATION,
        term="until the worker needs the space: copies of what the storage has",
        kept="it goes with what it is a copy of",
    ),
    "tracks": Entry(whose=EVERYBODY_SEEN, purpose=ATTENDANCE, term="as the segment's row", steps="tracks"),
    "face_paths": Entry(
        whose=EVERYBODY_SEEN, purpose=EVIDENCE, term=Kind.FOOTAGE, kept="places in a picture, and the row's number"
    ),
    "crops": Entry(whose=EVERYBODY_SEEN, purpose=EVIDENCE, term=Kind.CROPS, steps="evidence photos"),
    "snapshots": Entry(whose=EVERYBODY_SEEN, purpose=EVIDENCE, term=Kind.SNAPSHOTS, steps="evidence"),
    "annotated": Entry(whose=EVERYBODY_SEEN, purpose=EVIDENCE, term=Kind.ANNOTATED_VIDEOS, steps="evidence"),
    "photos": Entry(whose=(STUDENTS,), purpose=RECOGNITION, term=Kind.PHOTOS, steps="photos"),
    "thumbnails": Entry(whose=(STUDENTS,), purpose=RECOGNITION, term=Kind.PHOTOS, steps="photos"),
    "sent": Entry(whose=(STUDENTS,), purpose=RECOGNITION, term="a month after the link has ended", steps="photos"),
    "imports": Entry(whose=(STUDENTS, GUARDIANS), purpose=TEACHING, term="a week", steps="imports photos"),
    "galleries": Entry(whose=(STUDENTS,), purpose=RECOGNITION, term=Kind.GALLERIES, steps="galleries"),
    "excuses": Entry(whose=(STUDENTS,), purpose=ATTENDANCE, term=Kind.EXCUSE_DOCUMENTS, steps="excuses"),
    "Reports": Entry(whose=(STUDENTS,), purpose=ATTENDANCE, term=Kind.WORKBOOKS, steps="workbooks"),
}

# Where it lies besides: nothing that the program could walk.
ELSEWHERE: Final[dict[str, Entry]] = {
    "Redis or Valkey": Entry(
        purpose=OPERATION, term=HOURS, kept="messages have the kind of a job and a row's number; names are in none"
    ),
    "logs": Entry(
        whose=(STAFF,),
        purpose=OPERATION,
        term="as the server's administrator sets it",
        kept="lines have rows' numbers and no names of students",
    ),
    "backups": Entry(
        whose=(*EVERYBODY_SEEN, GUARDIANS),
        purpose=OPERATION,
        term="as the server's administrator sets it",
        kept="encrypted; whoever restores one does the erasures since then again",
    ),
    "mail server, webhooks' receivers": Entry(
        whose=(STUDENTS, STAFF),
        purpose=DELIVERY,
        term="as their operators say",
        kept="what was sent is out of Rollcall's hands",
    ),
}
