"""Hostile photos."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
import pillow_heif
from PIL import ExifTags, Image

from tests.hostile.case import READ, Case, after
from tests.recognition import video_files

pillow_heif.register_heif_opener()

DAMAGED = "damaged or incomplete|of a known kind|This is a video"
TOO_LARGE = "million are read|absurdly large"
TOO_MUCH = "more memory or time"
PIXELS = "64 million pixels"
MEMORY = "memory of a decoding process"
KINDS = {
    "jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "heic": "HEIF", "avif": "AVIF",
    "gif": "GIF", "tiff": "TIFF", "bmp": "BMP", "jpeg2000": "JPEG2000",
}  # fmt: skip


@cache
def photo(kind: str, width: int = 160, height: int = 120) -> bytes:
    return save(Image.fromarray(video_files.picture(77, width, height)), kind)


def save(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, KINDS[kind], **options)
    return content.getvalue()


def cut(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


def flipped(content: bytes, flips: int = 40, start: int = 24) -> bytes:
    """With some bits flipped behind the first bytes, by which the kind is known."""
    damaged = bytearray(content)
    for place in np.random.default_rng(len(content)).integers(start, len(content), flips).tolist():
        damaged[place] ^= 1 << place % 8
    return bytes(damaged)


def replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new, 1)


def patched(content: bytes, marker: bytes, offset: int, new: bytes) -> bytes:
    """With other bytes so far behind a marker."""
    at = content.index(marker) + offset
    return content[:at] + new + content[at + len(new) :]


def chunk(kind: bytes, data: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, depth: int = 8, colours: int = 2, body: bytes = b"", more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def zeros(count: int, level: int = 9) -> bytes:
    """So many zeros, packed."""
    packer = zlib.compressobj(level)
    part = bytes(1 << 20)
    return b"".join(
        [*(packer.compress(part[: min(1 << 20, count - at)]) for at in range(0, count, 1 << 20)), packer.flush()]
    )


def claim_size(kind: str) -> bytes:
    """A small photo whose header says that it is huge."""
    content, size = photo(kind), struct.pack(">HH", 65_500, 65_500)
    ispe = struct.pack(">II", 60_000, 60_000)
    match kind:
        case "jpeg":
            return patched(content, b"\xff\xc0", 5, size)
        case "png":
            return png(60_000, 60_000)
        case "webp":
            return patched(content, b"\x9d\x01\x2a", 3, struct.pack("<HH", 16_383, 16_383))
        case "heic" | "avif":
            return patched(content, b"ispe", 8, ispe)
        case "gif":
            return patched(content, b"GIF8", 6, struct.pack("<HH", 65_500, 65_500))
        case "tiff":
            return tiff(
                [(256, 4, 60_000), (257, 4, 60_000), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (279, 4, 9)]
            )
        case "bmp":
            return patched(content, b"BM", 18, struct.pack("<ii", 60_000, 60_000))
        case _:
            return patched(patched(content, b"ihdr", 4, ispe), b"\xff\x4f\xff\x51", 8, ispe)


def tiff(tags: list[tuple[int, int, int]], *, count: int = 1, following: int = 0) -> bytes:
    entries = b"".join(struct.pack("<HHII", tag, kind, count, value) for tag, kind, value in tags)
    return struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)


def of_passes(count: int, width: int, height: int) -> bytes:
    """A progressive JPEG whose last pass is repeated."""
    content = save(Image.new("RGB", (width, height)), "jpeg", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * count + content[-2:]


def of_pictures(kind: str, count: int) -> bytes:
    """An animation."""
    first, *others = (Image.new("P" if kind == "gif" else "RGB", (16, 16), n % 200) for n in range(count))
    return save(first, kind, save_all=True, append_images=others, duration=20)


def with_exif(entries: int) -> bytes:
    """A JPEG whose EXIF has so many entries, each of which claims gigabytes, and whose directories form a circle."""
    tags = [(n % 0xFFFF, 2, 8) for n in range(entries)]
    exif = b"Exif\0\0" + tiff(tags, count=2**31, following=8)
    content = photo("jpeg")
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return exif


def packed(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


# What begins like a photo or not at all: name, sentence, content.
OTHERS: list[tuple[str, str, bytes]] = [
    ("nothing", "empty", b""),
    ("zeros", "nothing but zeros", bytes(100_000)),
    ("SVG that names a file", "a drawing", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    ("SVG with entities", "a drawing", b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>'),
    ("PostScript that runs a program", "a PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (w) file\n" * 9),
    ("PDF", "a PDF", b"%PDF-1.7\n" + b"x" * 999),
    ("web page", "a web page", b"<!DOCTYPE html><script>alert(1)</script>" + b" " * 99),
    ("program for Linux", "a program", b"\x7fELF\2\1\1" + bytes(999)),
    ("program for Windows", "a program", b"MZ" + b"x" * 999),
    ("shell script", "a text file", b"#!/bin/sh\nrm -rf /\n" * 9),
    ("Photoshop file", "a Photoshop", b"8BPS\0\1" + bytes(99)),
    ("icon", "of a known kind", b"\0\0\1\0\1\0" + bytes([1]) * 99),
    ("Radiance picture", "text|of a known kind", b"#?RADIANCE\n\n-Y 99999 +X 99999\n" + b"\xff" * 99),
    ("packed by gzip", "a packed file", b"\x1f\x8b\x08\0" + zeros(1 << 20)),
    ("database", "a database", b"SQLite format 3\0" + bytes(999)),
]  # fmt: skip
SCRIPT = b"/*<script>alert(document.cookie)</script><?php system($_GET[0]); ?>*/"


def cases() -> Iterator[Case]:
    def case(name: str, limit: str, says: str, make: Callable[[], bytes]) -> Case:
        return Case(name=f"photo: {name}", limit=limit, says=says, make=make)

    for kind in KINDS:
        for share in (0.02, 0.5, 0.98):
            yield case(
                f"{kind}, cut off at {share:.0%}",
                "what can be read",
                f"{DAMAGED}|^{READ}",
                after(partial(photo, kind), partial(cut, share=share)),
            )
        yield case(
            f"{kind}, bits flipped",
            "what can be read",
            f"{DAMAGED}|{TOO_LARGE}|^{READ}",
            after(partial(photo, kind), flipped),
        )
        yield case(f"{kind} that claims to be huge", PIXELS, f"{TOO_LARGE}|{DAMAGED}", partial(claim_size, kind))
    for name, says, content in OTHERS:
        yield case(name, "kinds of photos", says, partial(bytes, content))

    row = 8001 * 3
    yield case(
        "png of 484 million pixels in 60 KB",
        PIXELS,
        TOO_LARGE,
        lambda: png(22_000, 22_000, depth=1, colours=0, body=zeros(22_000 * 2751)),
    )
    yield case(
        "png of 64 million pixels in 190 KB", PIXELS, READ, lambda: png(8000, 8000, body=zeros(8000 * (row - 2)))
    )
    yield case(
        "png of 64 million pixels of 64 bits",
        MEMORY,
        READ,
        lambda: png(8000, 8000, depth=16, colours=6, body=zeros(8000 * 64_001, 1)),
    )
    yield case(
        "png, 100 MB of text in it",
        "Pillow's limit on text",
        f"{DAMAGED}|^{READ}",
        lambda: png(9, 9, body=zeros(9 * 28), more=chunk(b"zTXt", b"a\0\0" + zeros(100 << 20))),
    )
    yield case(
        "png, 100 MB colour profile",
        "Pillow's limit on text",
        f"{DAMAGED}|^{READ}",
        lambda: png(9, 9, body=zeros(9 * 28), more=chunk(b"iCCP", b"a\0\0" + zeros(100 << 20))),
    )
    yield case(
        "png whose pixels never end",
        "the picture's own size",
        f"{DAMAGED}|^{READ}",
        lambda: png(9, 9, body=zeros(100 << 20)),
    )
    yield case("jpeg of 12,000 passes", "100 passes", "passes", lambda: of_passes(12_000, 64, 48))
    yield case("jpeg of 90 passes over 4 million pixels", "100 passes", READ, lambda: of_passes(80, 2000, 2000))
    yield case("jpeg, EXIF in a circle, each entry of gigabytes", "the file's own size", READ, lambda: with_exif(5000))
    yield case(
        "jpeg with a comment of 60 KB, 300 times",
        "memory of a decoding process",
        READ,
        lambda: photo("jpeg")[:2] + (b"\xff\xfe\xff\xff" + b"x" * 65_533) * 300 + photo("jpeg")[2:],
    )
    yield case(
        "jpeg of 50 million pixels, turned, as a phone takes it",
        PIXELS,
        READ,
        lambda: save(Image.new("RGB", (8160, 6120)), "jpeg", exif=turned()),
    )
    yield case("gif of 3000 pictures", "the first picture", READ, lambda: of_pictures("gif", 3000))
    yield case("gif of 16 million pixels in 20 KB", PIXELS, READ, lambda: save(Image.new("P", (4000, 4000)), "gif"))
    yield case("webp of 3000 pictures", "the first picture", READ, lambda: of_pictures("webp", 3000))
    yield case(
        "webp of 64 million pixels",
        PIXELS,
        TOO_MUCH,
        lambda: save(Image.new("RGB", (16_000, 4000)), "webp", lossless=True, method=0),
    )
    yield case(
        "tiff whose pages form a circle",
        "the first picture",
        f"{DAMAGED}|{TOO_MUCH}",
        lambda: tiff([(256, 4, 9), (257, 4, 9)], following=8),
    )
    yield case(
        "tiff of two billion strips",
        "the file's own size",
        DAMAGED,
        lambda: tiff([(256, 4, 99), (257, 4, 99), (273, 4, 8), (279, 4, 8)], count=2**31),
    )
    yield case(
        "tiff of 49 million numbers with a point",
        MEMORY,
        TOO_MUCH,
        lambda: save(Image.new("F", (7000, 7000)), "tiff", compression="tiff_adobe_deflate"),
    )
    yield case(
        "bmp packed by run length, 60 million pixels",
        PIXELS,
        f"{DAMAGED}|^{READ}|{TOO_MUCH}",
        lambda: bmp_of_runs(7000, 8000),
    )
    yield case(
        "jpeg 2000 of 64 million pixels in one colour",
        MEMORY,
        f"{DAMAGED}|{TOO_MUCH}|^{READ}",
        lambda: patched(
            patched(photo("jpeg2000"), b"ihdr", 4, struct.pack(">II", 8000, 8000)),
            b"\xff\x4f\xff\x51",
            8,
            struct.pack(">II", 8000, 8000),
        ),
    )
    yield case(
        "heic of 64 million pixels, claimed",
        MEMORY,
        f"{DAMAGED}|{TOO_MUCH}|^{READ}",
        lambda: patched(photo("heic"), b"ispe", 8, struct.pack(">II", 8000, 8000)),
    )
    yield case(
        "avif of 64 million pixels, claimed",
        MEMORY,
        TOO_MUCH,
        lambda: patched(photo("avif"), b"ispe", 8, struct.pack(">II", 8000, 8000)),
    )

    for name, make in {
        "jpeg, then a zip": lambda: photo("jpeg") + packed("../../x.sh", b"#!/bin/sh"),
        "jpeg with a script in it": lambda: (
            photo("jpeg")[:2] + b"\xff\xfe" + struct.pack(">H", len(SCRIPT) + 2) + SCRIPT + photo("jpeg")[2:]
        ),
        "png, then a web page": lambda: photo("png") + b"<html>" + SCRIPT,
        "bmp, then a program": lambda: photo("bmp") + b"\x7fELF" + bytes(99),
    }.items():
        yield case(name, "the picture alone counts", READ, make)
    yield case(
        "gif that is a script", "what can be read", f"{DAMAGED}|{TOO_LARGE}|^{READ}", lambda: b"GIF89a=1;" + SCRIPT
    )
    yield case("PDF, then a jpeg", "kinds of photos", "a PDF", lambda: b"%PDF-1.7\n" + photo("jpeg"))
    yield case("zip, then a jpeg", "kinds of photos", "a packed folder", lambda: packed("a", b"b") + photo("jpeg"))
    yield case("raw photo of a camera", "kinds of photos", "raw photo", lambda: b"II*\0\x10\0\0\0CR" + bytes(999))


def bmp_of_runs(width: int, height: int) -> bytes:
    line = b"\xff\0" * (width // 255) + bytes([width % 255, 0]) + b"\0\0"
    body = line * height + b"\0\1"
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    start = 14 + len(header) + 1024
    return struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + header + bytes(1024) + body
