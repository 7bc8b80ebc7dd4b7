"""Hostile zips of OneRoster's CSV files."""

import io
import zipfile
from collections.abc import Iterator
from functools import cache, partial

from tests.hostile.case import READ, Case, after
from tests.hostile.photos import cut, flipped
from tests.hostile.tables import MIB, TOO_MUCH, of_entries, overlapping
from tests.servers.oneroster import COLUMNS, OneRosterSite

UNREADABLE = f"not a zip|can't be read|is not in the zip|no manifest|has no column|complete|UTF-8|^{READ}"


@cache
def registry() -> bytes:
    site = OneRosterSite()
    site.add_term("t1", "Term", "2098-01-01", "2099-06-30")
    site.add_class("c1", "CS 1", "One", "t1")
    site.enrol(site.add_person("1", "Zoë Åberg"), "c1")
    return site.zip()


def with_file(name: str, head: bytes, piece: bytes = b"", count: int = 0, tail: bytes = b"") -> bytes:
    """The registry with another file in it, which may be longer than this process could hold."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(registry())) as source,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.namelist():
            if entry != name:
                target.writestr(entry, source.read(entry))
        with target.open(name, "w") as file:
            file.write(head)
            for _ in range(count):
                file.write(piece)
            file.write(tail)
    return content.getvalue()


def cases() -> Iterator[Case]:
    def case(name: str, limit: str, says: str, make: object) -> Case:
        return Case(name=f"registry: {name}", limit=limit, says=says, make=make)  # type: ignore[arg-type]

    users, enrollments = (COLUMNS[name].encode() + b"\r\n" for name in ("users", "enrollments"))
    for share in (0.3, 0.9):
        yield case(
            f"cut off at {share:.0%}", "what can be read", "not a zip", after(registry, partial(cut, share=share))
        )
    yield case("bits flipped", "what can be read", UNREADABLE, after(registry, flipped))
    yield case(
        "users of 600 MB", "512 MB unpacked", "too large", lambda: with_file("users.csv", users, bytes(MIB), 600)
    )
    yield case(
        "one line of 100 MB",
        "memory of a reading process",
        f"can't be read|{TOO_MUCH}",
        lambda: with_file("users.csv", users, b"a" * MIB, 100),
    )
    yield case(
        "one quotation mark, 50 MB",
        "letters of a cell",
        "can't be read",
        lambda: with_file("users.csv", users + b'"', b"a,\r\n" * (MIB // 4), 50),
    )
    yield case(
        "501,000 enrolments",
        "500,000 rows",
        "more than",
        lambda: with_file("enrollments.csv", enrollments, b"1,active,,c1,,1,student,,,\r\n" * 1000, 501),
    )
    yield case(
        "20,000 wrong days",
        "100 remarks",
        READ,
        lambda: with_file("enrollments.csv", enrollments, b"1,active,,c1,,1,student,,x,x\r\n" * 1000, 20),
    )
    yield case("no OneRoster, 5000 files", "100 files", "too large", lambda: of_entries(5000))
    yield case("2000 files that are one", "100 files", "too large|no zip", overlapping)
    yield case("noise", "what can be read", "not a zip", lambda: bytes(range(256)) * 4000)
