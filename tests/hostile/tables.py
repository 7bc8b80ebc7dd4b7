"""Hostile rosters, calendars and zips of photos."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import cache, partial

from openpyxl import Workbook

from tests.hostile.case import READ, Case, after
from tests.hostile.photos import cut, flipped, patched, photo, zeros

MIB = 1 << 20
NO_WORKBOOK = "no Excel workbook|is damaged"
TOO_MUCH = "more memory or time"
SHEET = "xl/worksheets/sheet1.xml"
SPREADSHEET = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
EVENT = "BEGIN:VEVENT\r\nUID:a\r\nDTSTART:20990323T091500Z\r\nDURATION:PT90M\r\n{}\r\nEND:VEVENT\r\n"


@cache
def workbook() -> bytes:
    book = Workbook()
    for row in (["number", "name"], ["0001", "Zoë Åberg"], ["S-2", "Łukasz Wójcik"]):
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def with_part(name: str, part: bytes | Callable[[], bytes]) -> bytes:
    """The workbook with another part in it."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook())) as source,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.namelist():
            if entry != name:
                target.writestr(entry, source.read(entry))
        target.writestr(name, part if isinstance(part, bytes) else part())
    return content.getvalue()


def sheet(rows: bytes) -> bytes:
    return f"<worksheet {SPREADSHEET}><sheetData>".encode() + rows + b"</sheetData></worksheet>"


def calendar(*events: str, head: str = "") -> bytes:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{head}{''.join(events)}END:VCALENDAR\r\n".encode()


def event(more: str) -> bytes:
    return calendar(EVENT.format(more))


def zipped(files: dict[str, bytes], *, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", packing) as archive:
        for name, part in files.items():
            archive.writestr(name, part)
    return content.getvalue()


def of_entries(count: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}/1.jpg", b"")
    return content.getvalue()


def overlapping() -> bytes:
    """A zip whose 2000 files are one and the same 10 MB (David Fifield, "A better zip bomb", 2019)."""
    content = zipped({"1/1.jpg": bytes(10 * MIB)})
    start = content.index(b"PK\1\2")
    end = content.rindex(b"PK\5\6")
    directory = content[start:end] * 2000
    return content[:start] + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 2000, 2000, len(directory), start, 0)


def packed_in_itself(depth: int) -> bytes:
    content = bytes(MIB)
    for _ in range(depth):
        content = zipped({"1/a.zip": content})
    return content


def linked() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        entry = zipfile.ZipInfo("1/1.jpg")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return content.getvalue()


def rosters() -> Iterator[Case]:
    def case(name: str, limit: str, says: str, make: Callable[[], bytes]) -> Case:
        return Case(name=f"roster: {name}", limit=limit, says=says, make=make)

    part = f"{NO_WORKBOOK}|^{READ}"
    for share in (0.1, 0.6, 0.99):
        yield case(
            f"workbook, cut off at {share:.0%}",
            "what can be read",
            NO_WORKBOOK,
            after(workbook, partial(cut, share=share)),
        )
    yield case("workbook, bits flipped", "what can be read", part, after(workbook, flipped))
    yield case(
        "workbook of 4 MB of empty rows",
        "200 MB, cells, 30 s",
        ".",
        lambda: with_part(SHEET, lambda: sheet(b"<row></row>" * (4 * MIB // 11))),
    )
    yield case(
        "workbook of 100,000 rows",
        "20,000 rows",
        "rows",
        lambda: with_part(SHEET, lambda: sheet(b"<row><c t='inlineStr'><is><t>a</t></is></c></row>" * 100_000)),
    )
    yield case(
        "workbook of 300 MB", "200 MB unpacked", "too large", lambda: with_part("xl/media/a.bin", bytes(300 * MIB))
    )
    yield case(
        "workbook of 150 MB of shared texts",
        "memory of a reading process",
        ".",
        lambda: with_part(
            "xl/sharedStrings.xml",
            lambda: f"<sst {SPREADSHEET}>".encode() + b"<si><t>aaaaaaaa</t></si>" * (150 * MIB // 24) + b"</sst>",
        ),
    )
    yield case(
        "workbook of one text of 100 MB",
        "memory of a reading process",
        ".",
        lambda: with_part(
            SHEET, lambda: sheet(b"<row><c t='inlineStr'><is><t>" + b"a" * (100 * MIB) + b"</t></is></c></row>")
        ),
    )
    yield case(
        "workbook with 30,000 styles",
        "30 s",
        part,
        lambda: with_part(
            "xl/styles.xml",
            lambda: f"<styleSheet {SPREADSHEET}><cellXfs>".encode() + b"<xf/>" * 30_000 + b"</cellXfs></styleSheet>",
        ),
    )
    yield case(
        "workbook with 50,000 names",
        "30 s",
        f"{part}|{TOO_MUCH}",
        lambda: with_part(
            "xl/workbook.xml",
            lambda: (
                f'<workbook {SPREADSHEET} {RELATIONS}><sheets><sheet name="a" r:id="rId1"/></sheets>'.encode()
                + b"<definedNames>"
                + b"<definedName name='a'>a!$A$1</definedName>" * 50_000
                + b"</definedNames></workbook>"
            ),
        ),
    )
    yield case(
        "workbook whose only row is the last possible",
        "20,000 rows",
        ".",
        lambda: with_part(SHEET, sheet(b"<row r='1048576'><c r='A1048576' t='inlineStr'><is><t>a</t></is></c></row>")),
    )
    yield case(
        "workbook whose cell is in column ZZZ",
        "50 columns",
        ".",
        lambda: with_part(SHEET, sheet(b"<row r='1'><c r='ZZZ1'><v>1</v></c></row>")),
    )
    yield case(
        "workbook, a billion laughs",
        "no entities",
        part,
        lambda: with_part(
            SHEET,
            b'<!DOCTYPE a [<!ENTITY b "aaaaaaaaaa">'
            + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(1, 12))
            + b"]><a>&m;</a>",
        ),
    )
    yield case(
        "workbook that names a file of the server",
        "no entities",
        part,
        lambda: with_part(
            SHEET,
            b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
            + sheet(b"<row><c t='inlineStr'><is><t>&b;</t></is></c></row>"),
        ),
    )
    yield case(
        "workbook, 200,000 elements deep",
        "the parser's depth",
        f"{part}|{TOO_MUCH}",
        lambda: with_part(SHEET, b"<a>" * 200_000),
    )
    yield case(
        "workbook with one file twice",
        "what can be read",
        part,
        lambda: workbook().replace(b"docProps/app.xml", b"xl/workbook.xml\0", 1),
    )
    yield case(
        "workbook, packed by LZMA",
        "what can be read",
        part,
        lambda: zipped({"xl/workbook.xml": b"<a/>"}, packing=zipfile.ZIP_LZMA),
    )
    yield case("one cell of 9 MB", "letters of a cell", ".", lambda: b"number,name\n1," + b"a" * (9 * MIB))
    yield case(
        "one quotation mark, 9 MB",
        "letters of a cell",
        f"quotation marks|{TOO_MUCH}",
        lambda: b'number,name\n1,"' + b"a\n" * (4 * MIB),
    )
    yield case("5 million columns", "50 columns", "columns", lambda: b"," * (5 * MIB))
    yield case("a million rows", "20,000 rows", "rows", lambda: b"number\n" + b"1\n" * MIB)
    yield case(
        "a letter with 4 million marks",
        "letters of a cell",
        ".",
        lambda: b"number,name\n1,a" + "\u0301".encode() * (4 * MIB),
    )
    yield case(
        "marks in the wrong order",
        "letters of a cell",
        ".",
        lambda: b"number,name\n1,a" + ("\u0301\u0323" * MIB).encode(),
    )
    yield case("NULs", "text", "neither a CSV file|no rows", lambda: b"number,name\n1,\0\n" * 999)
    yield case(
        "UTF-16 of odd length", "text", ".", lambda: b"\xff\xfe" + "number,name\n1,Ann\n".encode("utf-16-le") + b"a"
    )
    yield case("UTF-7", "text", ".", lambda: b"number,name\n1,+ADw-script+AD4-\n")
    yield case("web page", "kinds of tables", "web page", lambda: b"<html><table><tr><td>1</td></tr></table>")
    yield case(
        "old workbook", "kinds of tables", "old Excel file", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(999)
    )
    yield case("packed by gzip, 1 GB", "kinds of tables", ".", lambda: gzip.compress(bytes(100 * MIB)))
    yield case("noise", "kinds of tables", ".", lambda: bytes(range(256)) * 4000)


def calendars() -> Iterator[Case]:
    def case(name: str, limit: str, says: str, make: Callable[[], bytes]) -> Case:
        return Case(name=f"calendar: {name}", limit=limit, says=says, make=make)

    whole = event("SUMMARY:CS101\r\nRRULE:FREQ=WEEKLY;COUNT=9")
    part = f"no calendar file|^{READ}"
    for share in (0.3, 0.7):
        yield case(f"cut off at {share:.0%}", "what can be read", part, partial(cut, whole, share))
    yield case("bits flipped", "what can be read", f"{part}|more than", partial(flipped, whole))
    yield case("every second", "rules that are read", READ, lambda: event("RRULE:FREQ=SECONDLY"))
    yield case(
        "a day that never comes",
        "rules that are read",
        READ,
        lambda: event("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
    )
    yield case(
        "the 53rd Monday of a month",
        "rules that are read",
        READ,
        lambda: event("RRULE:FREQ=MONTHLY;BYDAY=53MO;BYSETPOS=366"),
    )
    yield case(
        "10^20 times", "400 times", f"{part}|more than", lambda: event("RRULE:FREQ=DAILY;COUNT=100000000000000000000")
    )
    yield case(
        "until the year 9999",
        "400 times",
        f"{part}|more than",
        lambda: event("RRULE:FREQ=DAILY;UNTIL=99991231T000000Z"),
    )
    yield case(
        "40,000 exceptions",
        "40,000 dates",
        ".",
        lambda: event("RRULE:FREQ=DAILY;COUNT=9\r\nEXDATE:" + ",".join(["20990324T091500Z"] * 40_000)),
    )
    yield case(
        "200,000 dates",
        "40,000 dates",
        "more than|larger than",
        lambda: event("RDATE:" + ",".join(["20990324"] * 200_000)),
    )
    yield case(
        "20,000 events",
        "5000 lectures",
        "more than|larger than",
        lambda: calendar(EVENT.format("SUMMARY:CS101") * 20_000),
    )
    yield case(
        "50,000 components deep",
        "lines, the parser's depth",
        f"{part}|{TOO_MUCH}|more than",
        lambda: b"BEGIN:VCALENDAR\r\n" + b"BEGIN:X\r\n" * 50_000,
    )
    yield case(
        "510 KB of 'BEGIN:' and no zone",
        "30 s",
        f"{part}|{TOO_MUCH}",
        lambda: calendar(head="BEGIN:VTIMEZONE" * 34_000 + "\r\n"),
    )
    yield case(
        "a zone whose rules never end",
        "zones by their names",
        READ,
        lambda: calendar(
            EVENT.format("SUMMARY:CS101"),
            head="BEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n",
        ),
    )
    yield case(
        "a zone that is a path",
        "zones by their names",
        READ,
        lambda: calendar(EVENT.format("SUMMARY:x").replace("DTSTART:", "DTSTART;TZID=../../etc/passwd:")),
    )
    yield case("one line of 2 MB", "2 MB", f"{part}|{TOO_MUCH}", lambda: event("SUMMARY:" + "a" * (2 * MIB - 1000)))
    yield case(
        "a line folded 400,000 times",
        "lines",
        f"{part}|more than|{TOO_MUCH}",
        lambda: event("SUMMARY:" + "a\r\n " * 400_000),
    )
    yield case("a letter with 600,000 marks", "2 MB", part, lambda: event("SUMMARY:a" + "\u0301" * 600_000))
    yield case(
        "100,000 categories",
        "30 s",
        f"{part}|more than",
        lambda: event("CATEGORIES:" + ",".join("a" for _ in range(100_000))),
    )
    yield case("100,000 parameters", "30 s", f"{part}|{TOO_MUCH}", lambda: event("SUMMARY" + ";X=1" * 100_000 + ":a"))
    yield case(
        "an attachment from an address",
        "nothing is fetched",
        READ,
        lambda: event("ATTACH:file:///etc/passwd\r\nURL:http://169.254.169.254/"),
    )
    yield case("NULs", "text", part, lambda: event("SUMMARY:\0\0\0"))
    yield case("web page", "kinds of calendars", "no calendar", lambda: b"<!DOCTYPE html><p>Log in")


def zips() -> Iterator[Case]:
    def case(name: str, limit: str, says: str, make: Callable[[], bytes]) -> Case:
        return Case(name=f"zip: {name}", limit=limit, says=says, make=make)

    whole = partial(zipped, {"1/1.jpg": photo("jpeg")})
    for share in (0.5, 0.95):
        yield case(f"cut off at {share:.0%}", "what can be read", "not a zip", after(whole, partial(cut, share=share)))
    yield case("bits flipped", "what can be read", ".", after(whole, flipped))
    yield case("1 GB in one photo", "100 times its packed size", "packed that small", lambda: packed_zeros(1 << 30))
    yield case(
        "2000 times the same 10 MB",
        "100 times its packed size",
        "packed that small|overlap|no zip|damaged",
        overlapping,
    )
    yield case("21,000 files", "20,000 files", "21000 files", lambda: of_entries(21_000))
    yield case("zips in zips, ten deep", "photos alone", "", lambda: packed_in_itself(10))
    yield case(
        "a path upwards",
        "paths within the zip",
        "leads out of the zip",
        lambda: zipped({"../../etc/cron.d/a.jpg": photo("jpeg")}),
    )
    yield case(
        "a path from the root",
        "paths within the zip",
        "leads out of the zip|^" + READ,
        lambda: zipped({"/etc/a.jpg": photo("jpeg")}),
    )
    yield case(
        "a path of Windows",
        "paths within the zip",
        "leads out of the zip",
        lambda: zipped({"C:\\Windows\\a.jpg": photo("jpeg")}),
    )
    yield case("a link", "files alone", "is a link", linked)
    yield case(
        "a name of 60,000 letters",
        "1000 letters of a path",
        "too long",
        lambda: zipped({"1/" + "a" * 60_000 + ".jpg": photo("jpeg")}),
    )
    yield case(
        "a name of marks alone",
        "names are data",
        READ,
        lambda: zipped({"1/" + "\u0301\u202e" * 100 + ".jpg": photo("jpeg")}),
    )
    yield case(
        "a name with ends of lines", "names are data", READ, lambda: zipped({"1/a\r\nSet-Cookie: a.jpg": photo("jpeg")})
    )
    yield case(
        "locked with a password",
        "what can be read",
        "password",
        lambda: patched(patched(whole(), b"PK\1\2", 8, b"\1\0"), b"PK\3\4", 6, b"\1\0"),
    )
    yield case(
        "packed in an unknown way", "usual packing", "unusual way", lambda: patched(whole(), b"PK\1\2", 10, b"\x63\0")
    )
    yield case(
        "a size of 4 GB that is not there",
        "what can be read",
        ".",
        lambda: patched(whole(), b"PK\1\2", 24, b"\xfe\xff\xff\xff"),
    )
    yield case(
        "a directory at another place",
        "what can be read",
        "not a zip|damaged",
        lambda: patched(whole(), b"PK\5\6", 16, b"\xff\xff\xff\x7f"),
    )
    yield case(
        "a wrong checksum",
        "the checksum",
        "damaged|can't be read|^" + READ,
        lambda: patched(whole(), b"PK\1\2", 16, b"\1\2\3\4"),
    )
    yield case(
        "a directory of 64 bits that lies",
        "what can be read",
        "not a zip|too many files",
        lambda: (
            whole()[:-22]
            + b"PK\6\6"
            + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, 2**62, 2**62)
            + b"PK\6\7"
            + struct.pack("<IQI", 0, len(whole()) - 22, 1)
            + whole()[-22:]
        ),
    )
    yield case("a tar packed by gzip", "kinds of archives", "not a zip", lambda: gzip.compress(b"a" * 999))


def packed_zeros(count: int) -> bytes:
    """A zip of one file of zeros, which is not packed here: its packed bytes are made piece by piece."""
    packed = zeros(count)[2:-4]  # without zlib's own head and tail
    name = b"1/1.jpg"
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 0, len(packed), count, len(name), 0)
    local = b"PK\3\4" + fields + name + packed
    directory = b"PK\1\2" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    return local + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(local), 0)
