"""What a file is, by its first bytes: how to read it, or what it is instead of a recording."""

from pathlib import Path

from recognition.errors import UnreadableRecording
from recognition.messages import Message
from recognition.sandbox.source_file import SourceFile

PHOTO = "photo"
HEAD_BYTES = 4096
SHORTEST_TEXT_BYTES = 16  # fewer characters may be anything
TAIL_BYTES = 1 << 16  # where a zip file lists what is in it
JPEG_STREAM_BYTES = 1 << 24  # in which a stream of JPEG pictures has several

PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "TIFF", "BMP", "JPEG2000")  # Pillow's names

# What files that can be read are called. The content decides; these are for lists of files that are elsewhere.
PHOTO_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".png",
        ".webp",
        ".heic",
        ".heif",
        ".avif",
        ".gif",
        ".tif",
        ".tiff",
        ".bmp",
        ".jp2",
        ".j2k",
        ".jpx",
    ]
)
VIDEO_SUFFIXES = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".qt",
        ".3gp",
        ".3g2",
        ".mkv",
        ".webm",
        ".avi",
        ".divx",
        ".ts",
        ".mts",
        ".m2ts",
        ".m2t",
        ".tp",
        ".trp",
        ".mpg",
        ".mpeg",
        ".mpe",
        ".m2p",
        ".ps",
        ".vob",
        ".dat",
        ".dav",
        ".flv",
        ".f4v",
        ".asf",
        ".wmv",
        ".264",
        ".h264",
        ".avc",
        ".265",
        ".h265",
        ".hevc",
        ".m1v",
        ".m2v",
        ".mpv",
        ".mxf",
        ".dv",
        ".dif",
        ".ivf",
        ".mjpg",
        ".mjpeg",
    ]
)

HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}
HEIF_SEQUENCE_BRANDS = (b"ftyphevc", b"ftyphevx", b"ftypmsf1")
JPEG_START = b"\xff\xd8\xff"
PHOTO_SIGNATURES = (
    JPEG_START,
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
)
CANON_RAW = b"CR"  # in a TIFF file
MOV_ATOMS = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
VIDEO_SIGNATURES = {
    b"\x1a\x45\xdf\xa3": "matroska",
    b"FLV\x01": "flv",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02": "mxf",
    b"DHAV": "dhav",
    b"DAHUA": "dhav",
    b"\0\0\x01\xb3": "mpegvideo",
    b"\x1f\x07\0": "dv",
    b"DKIF": "ivf",
}
START_CODES = (b"\0\0\0\x01", b"\0\0\x01")
FIRST_UNITS = 8
NEXT_JPEG = b"\xff\xd9\xff\xd8\xff"  # the end of a picture, and the next one
MULTI_PICTURE = b"MPF\0"  # in a photo that has more than one, as phones and 3D cameras take it
PACK_START = b"\0\0\x01\xba"  # of an MPEG program stream; recorders put a head of their own before it
TRANSPORT_PACKET_SIZES = (188, 192, 204)

OTHER_SIGNATURES = {
    b"%PDF": Message("a PDF document"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": Message("an Office file"),
    b"{\\rtf": Message("a text document"),
    b"Rar!\x1a": Message("a packed folder"),
    b"7z\xbc\xaf\x27\x1c": Message("a packed folder"),
    b"\x1f\x8b": Message("a packed file"),
    b"BZh": Message("a packed file"),
    b"\xfd7zXZ": Message("a packed file"),
    b"ID3": Message("a sound file"),
    b"fLaC": Message("a sound file"),
    b"\xff\xfb": Message("a sound file"),
    b"\xff\xf3": Message("a sound file"),
    b"#!AMR": Message("a sound file"),
    b"MThd": Message("a sound file"),
    b"\xff\xf1": Message("a sound file"),
    b"OggS": Message("an Ogg file"),
    b".RMF": Message("a RealMedia file"),
    b"FWS": Message("a Flash animation"),
    b"CWS": Message("a Flash animation"),
    b"8BPS": Message("a Photoshop file"),
    b"gimp xcf": Message("a GIMP picture"),
    b"\xff\x0a": Message("a JPEG XL picture"),
    b"\0\0\0\x0cJXL ": Message("a JPEG XL picture"),
    b"<svg": Message("a drawing (SVG)"),
    b"%!PS": Message("a PostScript document"),
    b"YUV4MPEG2": Message("an uncompressed video (Y4M)"),
    b"\xb7\xd8\x00\x20\x37\x49\xda\x11": Message("a recording of Windows Media Center"),
    b"MZ": Message("a program"),
    b"\x7fELF": Message("a program"),
    b"#EXTM3U": Message("a playlist, which only says where a video is"),
    b"ffconcat": Message("a playlist, which only says where a video is"),
    b"SQLite format 3\0": Message("a database"),
    b"<!DOCTYPE html": Message("a web page"),
    b"<!doctype html": Message("a web page"),
    b"<html": Message("a web page"),
}
ZIP_CONTENTS = {
    b"ppt/slides/": Message("a PowerPoint file"),
    b"word/document": Message("a Word document"),
    b"xl/workbook": Message("an Excel workbook"),
    b"opendocument.presentation": Message("a presentation"),
    b"opendocument.text": Message("a text document"),
    b"opendocument.spreadsheet": Message("a spreadsheet"),
}


def is_photo(head: bytes) -> bool:
    """Whether a file that begins with `head` (16 bytes or more) is a photograph of a kind that is read."""
    return (
        (head.startswith(PHOTO_SIGNATURES) and head[8:10] != CANON_RAW)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS)
        or (head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" and int.from_bytes(head[14:18], "little") in range(12, 129))
    )


def reader_for(path: Path) -> str:
    """The name of FFmpeg's reader for the recording, or PHOTO.

    Raises UnreadableRecording, which says what the file is where that is known.
    """
    with SourceFile(path) as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise UnreadableRecording("The file is empty. Copy or upload it again.")
    if head.startswith(JPEG_START) and _is_jpeg_stream(path):
        return "mjpeg"
    if is_photo(head):
        return PHOTO
    if reader := _video_reader(head):
        return reader
    if not any(head):
        raise UnreadableRecording(
            "The file begins with nothing but zeros: it was never written, or not copied. Copy it again."
        )
    if kind := _name_of_other(path, head):
        raise UnreadableRecording("This is {kind}. Choose a usual video or photo, such as MP4 or JPEG.", kind=kind)
    raise UnreadableRecording(
        "The file is no video or photo of a known kind. Use a usual one, such as MP4, MKV, AVI, TS, JPEG or PNG."
    )


def _is_jpeg_stream(path: Path) -> bool:
    """Whether three pictures or more follow each other without a container, as cameras store them."""
    with SourceFile(path) as file:
        start = file.read(JPEG_STREAM_BYTES)
    return start.count(NEXT_JPEG) > 1 and MULTI_PICTURE not in start[:TAIL_BYTES]


def _video_reader(head: bytes) -> str:
    if head[4:8] in MOV_ATOMS and head[8:11] != b"crx":
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    for signature, reader in VIDEO_SIGNATURES.items():
        if head.startswith(signature):
            return reader
    # A capture of a transport stream may begin in the middle of a packet. Every packet begins with G.
    for size in TRANSPORT_PACKET_SIZES:
        if len(head) > 2 * size and any(set(head[i::size]) == {ord("G")} for i in range(size)):
            return "mpegts"
    if head.startswith(PACK_START):
        return "mpeg"
    return _elementary_stream_reader(head) or ("mpeg" if PACK_START in head else "")


def _elementary_stream_reader(head: bytes) -> str:
    """For H.264 or H.265 as it comes out of a camera, without a container: the first units are parameter sets."""
    if not head.startswith(START_CODES):
        return ""
    units = [unit[:1] for unit in head.split(b"\0\0\x01")[1:FIRST_UNITS] if unit]
    if b"\x67" in units or b"\x27" in units or b"\x47" in units:
        return "h264"
    return "hevc" if b"\x42" in units else ""


def _name_of_other(path: Path, head: bytes) -> Message | None:
    for signature, name in OTHER_SIGNATURES.items():
        if head.startswith(signature):
            return name
    if head[8:12] in (b"WAVE", b"AIFF", b"AIFC"):
        return Message("a sound file")
    if head[4:11] == b"ftypcrx" or head[8:10] == CANON_RAW:
        return Message("a raw photo of a camera")
    if head.startswith(b"PK"):
        with SourceFile(path) as file:
            file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
            listing = head + file.read(TAIL_BYTES)
        return next((name for part, name in ZIP_CONTENTS.items() if part in listing), Message("a packed folder"))
    try:
        text = head[:-3].decode()  # its last letter may be cut in two
    except UnicodeDecodeError:
        return None
    is_text = "\0" not in text and (text.isprintable() or "\n" in text)
    if is_text and "<svg" in text:
        return Message("a drawing (SVG)")
    return Message("a text file") if is_text and len(head) > SHORTEST_TEXT_BYTES else None
