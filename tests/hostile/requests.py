"""Hostile requests to the real views, as a registrar who is signed in."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from campus.biometrics.models import SentPhoto
from campus.consent.links import renew_student_link, student_link_token
from tests.campus.conftest import World, jpeg
from tests.hostile.case import Case

JSON = "application/json"
MIB = 1 << 20
NAMES = {
    "a path upwards": "../../../etc/cron.d/rollcall.jpg",
    "a path of Windows": "C:\\Windows\\System32\\x.jpg",
    "a NUL": "photo.jpg\0.exe",
    "ends of lines": "photo\r\nSet-Cookie: a=b\r\n.jpg",
    "a script": "<img src=x onerror=alert(1)>.jpg",
    "a formula": "=1+1.jpg",
    "letters from right to left": "gpj.\u202egpj.exe",
    "a thousand marks on a letter": "a" + "\u0301" * 1000 + ".jpg",
    "half of a pair": "a\udc80.jpg",
    "nothing but marks that nobody sees": "\u200b\u200e\ufeff",
    "5000 letters": "x" * 5000 + ".jpg",
    "a template": "{{ 7 * 7 }}{0.__class__}%s.jpg",
    "a device of Windows": "CON.jpg",
    "points": "..",
    "letters outside the first plane": "\U0001f600\U000e0001\U0010ffff.jpg",
}
SAFE_NAME = r"^400|^201 (?!.*[/\\\x00-\x1f\u202e\ud800-\udfff]).{1,255}$"  # or no file at all


@dataclass(frozen=True, kw_only=True)
class RequestCase(Case):
    """`send` gives the response, of which `says` is to match the status and the sentence, or the stored name."""

    send: Callable[[Client, World], Any] = field(repr=False)
    make: Callable[[], bytes] = bytes


def sentence(response: Any) -> str:
    """The status, and what a person reads of it."""
    if "json" in response.headers.get("Content-Type", ""):
        body = response.json()
        said = body.get("original_name") or body.get("detail") or "" if isinstance(body, dict) else ""
        details = [error.get("detail", "") for error in body.get("errors", [])] if isinstance(body, dict) else []
        return " ".join([str(response.status_code), said, *map(str, details)]).strip()
    page = b"".join(response)
    found = re.search(rb'<div class="note error" role="alert"><p>(.*?)</p>', page, re.DOTALL)
    found = found or re.search(rb"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    return f"{response.status_code} {found[1].decode().strip() if found else ''}".strip()


def add_photo(client: Client, world: World, *, name: str = "a.jpg", content: bytes = b"") -> Any:
    head = 'Content-Disposition: form-data; name="{}"'
    body = b"\r\n".join([
        b"--x", head.format("student").encode(), b"", str(world.student.pk).encode(),
        b"--x", (head.format("file") + f'; filename="{name}"').encode("utf-8", "surrogatepass"), b"",
        content or jpeg(41), b"--x--", b"",
    ])  # fmt: skip
    return client.generic("POST", "/api/v1/photos/", body, content_type="multipart/form-data; boundary=x")


def send_own_photo(client: Client, world: World, *, name: str = "a.jpg", content: bytes = b"", **fields: str) -> Any:
    """By a link, without a login. Gives the stored name, or what the page says."""
    link = renew_student_link(student=world.student, user=world.registrar)
    head = 'Content-Disposition: form-data; name="{}"'
    parts = [b"--x", head.format("consent").encode(), b"", b"yes"]
    for key, text in fields.items():
        parts += [b"--x", head.format(key).encode(), b"", text.encode()]
    file = (head.format("photos") + f'; filename="{name}"').encode("utf-8", "surrogatepass")
    body = b"\r\n".join([*parts, b"--x", file, b"", content or jpeg(41), b"--x--", b""])
    where = reverse("my-data", args=[student_link_token(link)])
    response = Client().generic("POST", where, body, content_type="multipart/form-data; boundary=x")
    stored = SentPhoto.objects.filter(link=link).first()
    return HttpResponse(f"<h1>{stored.original_name}</h1>", status=201) if stored else response


def start_upload(client: Client, world: World, *, metadata: str | None = None, **headers: str) -> Any:
    name = b64encode(b"a.mp4").decode()
    lecture = b64encode(str(world.lecture.pk).encode()).decode()
    known = {"Tus-Resumable": "1.0.0", "Upload-Length": "9"}
    known["Upload-Metadata"] = f"filename {name},lecture {lecture}" if metadata is None else metadata
    return client.post(
        "/api/v1/uploads/", headers=known | {key.replace("_", "-"): text for key, text in headers.items()}
    )


def append(client: Client, world: World, *, content: bytes = b"123", **headers: str) -> Any:
    address = start_upload(client, world).headers["Location"]
    known = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"} | {
        key.replace("_", "-"): text for key, text in headers.items()
    }
    return client.patch(address, content, content_type="application/offset+octet-stream", headers=known)


def cases() -> Iterator[RequestCase]:
    def case(name: str, limit: str, says: str, send: Callable[[Client, World], Any]) -> RequestCase:
        return RequestCase(name=f"request: {name}", limit=limit, says=says, send=send)

    def body(content: bytes, kind: str = JSON, where: str = "/api/v1/students/") -> Callable[[Client, World], Any]:
        return lambda client, world: client.generic("POST", where, content, content_type=kind)

    def get(where: str, **headers: str) -> Callable[[Client, World], Any]:
        return lambda client, world: client.get(
            where, headers={key.replace("_", "-"): text for key, text in headers.items()}
        )

    for what, name in NAMES.items():
        yield case(f"photo whose name has {what}", "names are data", SAFE_NAME, partial(add_photo, name=name))
        yield case(
            f"photo by a link, whose name has {what}", "names are data", SAFE_NAME, partial(send_own_photo, name=name)
        )
    for what, content in {
        "a web page": b"<html><script>",
        "a program": b"\x7fELF",
        "SVG": b"<svg onload='alert(1)'>",
    }.items():
        yield case(f"photo that is {what}", "kinds of photos", "400 .*is no photo", partial(add_photo, content=content))
        yield case(
            f"photo by a link, that is {what}",
            "kinds of photos",
            "400 .*is no photo",
            partial(send_own_photo, content=content),
        )
    yield case("photo of 42 MB by a link", "40 MB", "413", partial(send_own_photo, content=jpeg() + bytes(42 * MIB)))
    yield case(
        "photo by a link, in place of a path", "known photos", SAFE_NAME, partial(send_own_photo, replaces="../../x")
    )
    yield case(
        "photo of 41 MB", "40 MB", "4(00|13) .*larger than", partial(add_photo, content=jpeg() + bytes(41 * MIB))
    )

    deep = "JSON is nested too deeply|JSON"
    yield case("JSON, 100,000 lists deep", "Python's depth", f"400 .*({deep})", body(b"[" * 100_000))
    yield case(
        "JSON, 50,000 objects deep", "Python's depth", f"400 .*({deep})", body(b'{"a":' * 50_000 + b"1" + b"}" * 50_000)
    )
    yield case("JSON of 3 MB", "2 MB", "413 .*MB", body(b'{"name": "' + b"x" * (3 * MIB) + b'"}'))
    yield case("JSON, a number of 5000 digits", "Python's digits", "400", body(b'{"number": ' + b"9" * 5000 + b"}"))
    yield case("JSON, half of a pair", "valid text", "400", body(b'{"name": "\\ud800", "number": "7"}'))
    yield case("JSON, a NUL in a name", "valid text", "400", body(b'{"name": "a\\u0000b", "number": "7"}'))
    yield case(
        "JSON of 100,000 keys",
        "known fields",
        "400|413",
        body(b"{" + b",".join(b'"k%d":1' % n for n in range(100_000)) + b"}"),
    )
    yield case(
        "JSON with one key twice",
        "the last one counts",
        "201|400",
        body(b'{"name": "Ann", "number": "S77", "number": "S78"}'),
    )
    yield case("JSON that is NaN", "valid JSON", "400", body(b"NaN"))
    yield case("JSON in no known coding", "valid JSON", "400|415", body(b"{}", "application/json; charset=utf-99"))
    yield case("JSON in UTF-7", "valid JSON", "400|415", body(b"+AHs-+AH0-", "application/json; charset=utf-7"))
    yield case(
        "XML that names a file",
        "JSON and forms only",
        "415",
        body(b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", "application/xml"),
    )
    yield case(
        "YAML that makes objects",
        "JSON and forms only",
        "415",
        body(b"!!python/object/apply:os.system ['id']", "application/yaml"),
    )
    yield case("pickle", "JSON and forms only", "415", body(b"cos\nsystem\n(S'id'\ntR.", "application/x-python-pickle"))
    yield case(
        "name of 1 million letters",
        "255 letters",
        "400 .*characters",
        body(b'{"number": "7", "name": "' + b"x" * MIB + b'"}'),
    )
    yield case(
        "name of 300,000 marks on a letter",
        "255 letters",
        "400",
        body(b'{"number": "7", "name": "a' + "\u0301".encode() * 300_000 + b'"}'),
    )

    form, parts = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
    opened = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a'
    part = b'--x\r\nContent-Disposition: form-data; name="%d"\r\n\r\n1\r\n'
    photos = "/api/v1/photos/"
    yield case(
        "form of 5000 fields", "1000 fields", "4", body(b"&".join(b"a%d=1" % n for n in range(5000)), form, "/login/")
    )
    yield case("form of 3 MB", "2 MB", "413|400|403", body(b"a=" + b"x" * (3 * MIB), form, "/login/"))
    yield case(
        "parts without an end",
        "valid multipart",
        "400",
        body(opened, parts, photos),
    )
    yield case(
        "5000 parts", "1000 fields", "4", body(b"".join(part % n for n in range(5000)) + b"--x--", parts, photos)
    )
    yield case(
        "parts with a head of 1 MB",
        "valid multipart",
        "4",
        body(b"--x\r\nContent-Disposition: form-data; name=" + b"a" * MIB + b"\r\n\r\n1\r\n--x--", parts, photos),
    )
    yield case("parts of no boundary", "valid multipart", "400", body(b"--x", "multipart/form-data", photos))
    yield case(
        "parts in base64 that is none",
        "valid multipart",
        "400",
        body(
            opened + b'"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n--x--',
            parts,
            photos,
        ),
    )
    yield case(
        "300 MB to the login",
        "2 MB",
        "4",
        lambda client, world: client.generic(
            "POST", "/login/", b"a=" + b"x" * 100, content_type=form, CONTENT_LENGTH=str(300 * MIB)
        ),
    )

    yield case("upload of 10^17 bytes", "64 GB", "413", partial(start_upload, Upload_Length="1" + "0" * 17))
    yield case("upload of -1 bytes", "whole numbers", "400", partial(start_upload, Upload_Length="-1"))
    yield case(
        "upload of a number with 5000 digits", "whole numbers", "400", partial(start_upload, Upload_Length="9" * 5000)
    )
    yield case("upload of Arabic digits", "whole numbers", "400", partial(start_upload, Upload_Length="\u0669"))
    yield case("upload with odd metadata", "base64", "400", partial(start_upload, metadata="filename !!!, , lecture"))
    yield case(
        "upload into the lecture 9...9",
        "own lectures",
        "400",
        partial(start_upload, metadata="lecture " + b64encode(b"9" * 40).decode()),
    )
    yield case("bytes at another place", "the place that is reached", "409", partial(append, Upload_Offset="5"))
    yield case("bytes before the start", "whole numbers", "400", partial(append, Upload_Offset="-1"))
    yield case(
        "more bytes than were announced", "the announced size", "413|400|409", partial(append, content=b"x" * 100)
    )
    yield case("a checksum of no known kind", "SHA-1 and SHA-256", "400", partial(append, Upload_Checksum="crc32 AAAA"))
    yield case(
        "a checksum that is wrong",
        "the checksum",
        "460",
        partial(append, Upload_Checksum="sha256 " + b64encode(bytes(32)).decode()),
    )

    yield case("search for a NUL", "valid text", "200|400", get("/students/?q=%00"))
    yield case("search for bytes that are no text", "valid text", "200", get("/students/?q=%ff%fe%80"))
    yield case(
        "search for 100,000 letters", "the length of an address", "200|400|414", get("/students/?q=" + "a" * 100_000)
    )
    yield case(
        "search with a regular expression",
        "search is for text",
        "200",
        get("/api/v1/students/?search=" + "(a%2B)%2B%24" * 20),
    )
    yield case(
        "search with SQL",
        "parameters",
        "200",
        get("/api/v1/students/?search=%27%29%3B+DROP+TABLE+academics_student%3B--"),
    )
    yield case("page 10^30", "pages that exist", "404|200", get("/api/v1/students/?page=1" + "0" * 30))
    yield case("a million a page", "200 a page", "200", get("/api/v1/students/?page_size=1000000"))
    yield case(
        "order by a password", "fields to order by", "200|400", get("/api/v1/students/?ordering=lecturers__password")
    )
    yield case(
        "the key of another table",
        "keys of this table",
        "404",
        get("/api/v1/courses/00000000-0000-0000-0000-000000000000/"),
    )
    yield case("a key of 40 digits", "keys of this table", "404", get("/api/v1/courses/" + "9" * 40 + "/"))
    yield case("a path upwards", "known addresses", "404|400", get("/static/..%2f..%2f..%2fetc/passwd"))
    yield case("an address of 100,000 letters", "known addresses", "404|414", get("/" + "a/" * 50_000))
    yield case(
        "a range that is none",
        "valid ranges",
        "200|206|416",
        lambda client, world: client.get(f"/photos/{world.photo.pk}/", headers={"Range": "bytes=" + "0-," * 5000}),
    )
    yield case("another host", "ALLOWED_HOSTS", "400", get("/", Host="evil.example.org"))
    yield case(
        "5000 languages",
        "known languages",
        "200",
        get("/students/", Accept_Language=",".join(f"x{n}" for n in range(5000))),
    )
    yield case(
        "an Idempotency-Key of 5000 letters",
        "200 letters",
        "400",
        lambda client, world: client.post(
            "/api/v1/students/", b"{}", content_type=JSON, headers={"Idempotency-Key": "x" * 5000}
        ),
    )
    yield case(
        "a cookie of 60 KB", "known sessions", "200|302|400", get("/students/", Cookie="sessionid=" + "x" * 60_000)
    )
    yield case(
        "a token that is none",
        "known tokens",
        "401",
        get("/api/v1/students/", Authorization="Bearer " + "\u00ff" * 3000),
    )
    yield case(
        "another verb in a header",
        "POST stays POST",
        "40",
        lambda client, world: client.post(
            f"/api/v1/courses/{world.course.pk}/",
            b"{}",
            content_type=JSON,
            headers={"X-HTTP-Method-Override": "DELETE"},
        ),
    )
