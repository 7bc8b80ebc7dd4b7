"""Hostile recordings."""

import struct
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import av
import numpy as np

from tests.hostile.case import READ, Case, after
from tests.hostile.photos import TOO_MUCH, cut, flipped, patched, photo
from tests.recognition import video_files
from tests.recognition.media.test_devices import remuxed

DAMAGED = (
    "can't be opened|no picture in it|Nothing can be read|cut short|no video in it|no sensible size|of a known kind"
)
PLAYLIST = "a playlist|a text file"
KNOWN_KINDS = "kinds of recordings"
CONTAINERS = {
    "mp4": "h264",
    "matroska": "h264",
    "mpegts": "h264",
    "avi": "mpeg4",
    "flv": "h264",
    "asf": "h264",
    "mov": "hevc",
}
HUGE = struct.pack(">I", 0xFFFFFFFF)


@cache
def video(container: str, codec: str = "h264", seconds: float = 3.0) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lecture"
        return video_files.video(path, codec=codec, container=container, seconds=seconds, size=(64, 48)).read_bytes()


@cache
def bare(kind: str) -> bytes:
    """H.264 without a container, or in an MPEG program stream."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "lecture.mp4"
        source.write_bytes(video("mp4"))
        return remuxed(source, Path(folder) / kind, kind).read_bytes()


def encoded(
    width: int,
    height: int,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    count: int = 3,
    container: str = "mp4",
    **options: str,
) -> bytes:
    """Grey pictures of any size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lecture"
        with av.open(str(path), "w", format=container) as file:
            stream = file.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            stream.options = options
            picture = av.VideoFrame(width, height, pixels)
            for number in range(count):
                picture.pts = number
                picture.time_base = Fraction(1, 10)
                file.mux(stream.encode(picture))
            file.mux(stream.encode())
        return path.read_bytes()


def box(kind: bytes, content: bytes) -> bytes:
    """Of an MP4 file."""
    return struct.pack(">I", len(content) + 8) + kind + content


def nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = box(b"moov", content)
    return box(b"ftyp", b"isom\0\0\2\0isom") + content


def of_tracks(count: int) -> bytes:
    """The first track so many times."""
    content = video("mp4")
    start = content.index(b"moov") - 4
    track = content.index(b"trak") - 4
    length = struct.unpack(">I", content[track : track + 4])[0]
    moov = content[start + 8 : start + struct.unpack(">I", content[start : start + 4])[0]]
    return content[:start] + box(b"moov", moov + content[track : track + length] * count)


def elsewhere(address: bytes) -> bytes:
    """An MP4 file that says that its pictures are in another one."""
    content = video("mp4")
    return patched(patched(content, b"url ", 4, struct.pack(">I", 0)), b"dref", -4, struct.pack(">I", 28)) + address


def endless(container: bytes) -> bytes:
    """A segment of Matroska of unknown length whose parts have themselves unknown lengths."""
    return (
        container
        + (b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" + b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff")
        * 20_000
    )


TEXTS: list[tuple[str, bytes]] = [
    ("HLS, a file of the server", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
    ("HLS, an address inside the network", b"#EXTM3U\n#EXTINF:9,\nhttp://169.254.169.254/meta-data/\n"),
    ("HLS behind empty lines", b"\n\n#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n"),
    ("HLS behind a byte order mark", b"\xef\xbb\xbf#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n"),
    ("HLS with a key from an address", b'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/passwd"\na.ts\n'),
    ("concat", b"ffconcat version 1.0\nfile /etc/passwd\n"),
    ("concat by an address", b"ffconcat version 1.0\nfile 'subfile,,start,0,end,9,,:/etc/passwd'\n"),
    ("SDP", b"v=0\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
    ("DASH", b'<?xml version="1.0"?><MPD><BaseURL>file:///etc/</BaseURL><Period/></MPD>'),
    ("SMIL", b'<smil><body><video src="file:///etc/passwd"/></body></smil>'),
    ("PLS", b"[playlist]\nFile1=file:///etc/passwd\nNumberOfEntries=1\nVersion=2\n"),
    ("ASX", b'<asx version="3.0"><entry><ref href="file:///etc/passwd"/></entry></asx>'),
    ("RTSP address", b"[Reference]\nRef1=rtsp://127.0.0.1/stream\n"),
    ("AviSynth script", b'DirectShowSource("C:\\\\Windows\\\\win.ini")\nreturn last\n'),
    ("FFmpeg's filters", b"movie=/etc/passwd,drawtext=textfile=/etc/passwd:fontsize=20\n"),
    ("FFmpeg's metadata", b";FFMETADATA1\ntitle=x\n[CHAPTER]\nTIMEBASE=1/0\nSTART=0\nEND=1\n"),
    ("numbered pictures", b"%d.jpg with more text to read behind it\n"),
]  # fmt: skip


def cases() -> Iterator[Case]:
    def case(name: str, limit: str, says: str, make: Callable[[], bytes]) -> Case:
        return Case(name=f"recording: {name}", limit=limit, says=says, make=make)

    part = f"{DAMAGED}|^{READ}"
    files = {kind: partial(video, kind, codec) for kind, codec in CONTAINERS.items()}
    files |= {kind: partial(bare, kind) for kind in ("h264", "vob")}
    files |= {codec: partial(video, "matroska", codec) for codec in ("mjpeg", "vp9", "mpeg4")}
    for name, make in files.items():
        yield case(f"{name}, cut off at 60%", "what can be read", part, after(make, partial(cut, share=0.6)))
        yield case(f"{name}, bits flipped", "what can be read", part, after(make, flipped))
        yield case(
            f"{name}, only its first bytes", "what can be read", part, after(make, lambda content: content[:200])
        )
    for name, text in TEXTS:
        yield case(f"playlist: {name}", KNOWN_KINDS, f"{PLAYLIST}|of a known kind|a web page", partial(bytes, text))

    lies: list[tuple[str, bytes, int, bytes]] = [
        ("a clock of 0 ticks a second", b"mvhd", 16, bytes(4)),
        ("a clock of 0 ticks a second in the track", b"mdhd", 16, bytes(4)),
        ("a length of years", b"mdhd", 20, HUGE),
        ("four billion pictures", b"stsz", 12, HUGE),
        ("four billion moments", b"stts", 8, HUGE),
        ("a picture that lasts for years", b"stts", 16, HUGE),
        ("four billion places", b"stco", 8, HUGE),
        ("pictures behind the end", b"stco", 12, HUGE),
        ("four billion runs of pictures", b"stsc", 8, HUGE),
        ("four billion key frames", b"stss", 8, HUGE),
        ("four billion edits", b"elst", 8, HUGE),
        ("pictures of 65,535 x 65,535", b"avc1", 28, b"\xff\xff\xff\xff"),
        ("another coding than it has", b"avc1", 0, b"hvc1"),
        ("an unknown coding", b"avc1", 0, b"????"),
        ("settings of its coding that are none", b"avcC", 4, bytes(30)),
        ("a box that is larger than the file", b"moov", -4, b"\x7f\xff\xff\xff"),
        ("a box of no length", b"moov", -4, bytes(4)),
        ("a box of 64 bits of length", b"mdat", -4, b"\0\0\0\1"),
        ("a track that is sound", b"vide", 0, b"soun"),
    ]  # fmt: skip
    for name, marker, offset, new in lies:
        yield case(
            f"mp4 that claims {name}",
            "what can be read",
            f"{part}|coding|{TOO_MUCH}|pictures a second",
            after(partial(video, "mp4"), partial(patched, marker=marker, offset=offset, new=new)),
        )
    yield case("mp4 whose boxes are 20,000 deep", "FFmpeg's limit on depth", DAMAGED, lambda: nested(20_000))
    yield case("mp4 of 100 tracks", "64 streams", "101 streams", lambda: of_tracks(100))
    yield case(
        "mp4 whose pictures are in another file",
        "no other file is opened",
        part,
        lambda: elsewhere(b"file:///etc/passwd\0"),
    )
    yield case(
        "mp4 of zeros behind its head",
        "the file's own size",
        DAMAGED,
        lambda: box(b"ftyp", b"isom\0\0\2\0isom") + bytes(50 << 20),
    )
    yield case("matroska of endless parts", "what can be read", DAMAGED, lambda: endless(video("matroska")[:40]))
    yield case(
        "transport stream of 100,000 empty packets",
        "what can be read",
        DAMAGED,
        lambda: (b"G\x1f\xff\x10" + b"\xff" * 184) * 100_000,
    )
    yield case("1000 pictures a second", "240 pictures a second", "pictures a second", of_rate(1000))
    yield case("a picture after 50 hours", "12 hours", "lasts 50 hours", long)
    yield case("video of 8K, 4:4:4, 10 bits, 16 references", MEMORY, f"{TOO_MUCH}|^{READ}", eight_k)
    yield case(
        "MJPEG of 8K",
        "33 million pixels",
        f"^{READ}",
        lambda: encoded(7680, 4320, codec="mjpeg", pixels="yuvj420p", count=2),
    )
    yield case(
        "MJPEG of 16K",
        "33 million pixels",
        "million pixels|no sensible size",
        lambda: encoded(15_360, 8640, codec="mjpeg", pixels="yuvj420p", count=1),
    )
    yield case(
        "MJPEG whose pictures claim to be huge",
        "33 million pixels",
        f"{part}|million pixels",
        lambda: patched(video("matroska", "mjpeg"), b"\xff\xc0", 5, b"\xff\xdc\xff\xdc"),
    )
    yield case("pictures that become larger and larger", "33 million pixels", f"{part}|{TOO_MUCH}", growing)
    yield case("three photos one after the other", "33 million pixels", part, lambda: photo("jpeg") * 3)
    yield case("sound alone", KNOWN_KINDS, "no video in it", sound)
    yield case(
        "coding that is not on the list",
        "codings that are read",
        "is not read here",
        lambda: encoded(64, 48, codec="qtrle", pixels="rgb24", container="mov"),
    )
    yield case("XBIN in an AVI", KNOWN_KINDS, "of a known kind", lambda: b"XBIN\x1a" + bytes(5000))
    yield case("noise", KNOWN_KINDS, "of a known kind", lambda: np.random.default_rng(1).bytes(100_000))
    yield case("mp4, then a playlist", "what can be read", f"^{READ}", lambda: video("mp4") + TEXTS[0][1])
    yield case(
        "playlist behind the head of an mp4",
        "what can be read",
        DAMAGED,
        lambda: box(b"ftyp", b"isom\0\0\2\0isom") + TEXTS[0][1],
    )
    yield case("workbook", KNOWN_KINDS, "an Excel workbook", lambda: b"PK\3\4" + bytes(30) + b"xl/workbook.xml")


MEMORY = "memory of a decoding process"


def eight_k() -> bytes:
    return encoded(
        7680,
        4320,
        pixels="yuv444p10le",
        count=8,
        preset="ultrafast",
        **{"x264-params": "ref=16:bframes=0:scenecut=0:no-deblock=1"},
    )


def growing() -> bytes:
    """H.264 whose size changes all the time, up to 4K."""
    sizes = [(64, 48), (640, 480), (64, 2000), (2000, 64), (3840, 2160), (16, 16)]
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for width, height in sizes:
            source = Path(folder) / "one.mp4"
            source.write_bytes(encoded(width, height, count=2, preset="ultrafast"))
            parts.append(remuxed(source, Path(folder) / "one", "h264").read_bytes())
        return b"".join(parts)


def of_rate(rate: int) -> Callable[[], bytes]:
    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            return video_files.video(Path(folder) / "a.mp4", rate=rate, seconds=0.1, size=(64, 48)).read_bytes()

    return make


def long() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return video_files.video(
            Path(folder) / "a.mp4", times=range(0, 50 * 3600, 600), gop=1, size=(64, 48)
        ).read_bytes()


def sound() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return video_files.sound_only(Path(folder) / "a.mp4").read_bytes()
