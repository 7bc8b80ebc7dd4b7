"""The coding of the names in a zip. Older programs write them in the code page of their country, and don't say which.

All names of a zip have one coding. charset-normalizer says which ones are likely, and the students' names which one is
right.
"""

import struct
from collections.abc import Callable, Collection, Sequence
from pathlib import PurePosixPath
from zlib import crc32

from charset_normalizer import from_bytes
from django.db import models
from django.utils.translation import gettext_lazy as _

from campus.biometrics.photo_paths import student_folders

UNICODE_PATH_FIELD = 0x7075
MAX_SAMPLED_NAMES = 300


class NameEncoding(models.TextChoices):
    """The code pages of DOS and Windows; the first of equals is taken."""

    UTF8 = "utf-8", _("Unicode (UTF-8)")
    CP437 = "cp437", _("English (DOS)")
    CP850 = "cp850", _("Western European (DOS)")
    CP852 = "cp852", _("Central European (DOS)")
    CP866 = "cp866", _("Cyrillic (DOS)")
    CP857 = "cp857", _("Turkish (DOS)")
    CP737 = "cp737", _("Greek (DOS)")
    CP775 = "cp775", _("Baltic (DOS)")
    CP862 = "cp862", _("Hebrew (DOS)")
    CP720 = "cp720", _("Arabic (DOS)")
    GB18030 = "gb18030", _("Chinese, simplified (GBK)")
    BIG5 = "cp950", _("Chinese, traditional (Big5)")
    CP932 = "cp932", _("Japanese (Shift-JIS)")
    CP949 = "cp949", _("Korean (Windows)")
    CP874 = "cp874", _("Thai (Windows)")
    CP1252 = "cp1252", _("Western European (Windows)")
    CP1250 = "cp1250", _("Central European (Windows)")
    CP1251 = "cp1251", _("Cyrillic (Windows)")
    CP1253 = "cp1253", _("Greek (Windows)")
    CP1254 = "cp1254", _("Turkish (Windows)")
    CP1255 = "cp1255", _("Hebrew (Windows)")
    CP1256 = "cp1256", _("Arabic (Windows)")
    CP1257 = "cp1257", _("Baltic (Windows)")
    CP1258 = "cp1258", _("Vietnamese (Windows)")


def unicode_name(raw_name: bytes, extra: bytes) -> bytes | None:
    """The name in UTF-8 that an entry's extra fields have beside the raw one (Info-ZIP's, APPNOTE 4.6.9); or None."""
    while len(extra) >= 4:
        field, length = struct.unpack_from("<HH", extra)
        content, extra = extra[4 : 4 + length], extra[4 + length :]
        if field == UNICODE_PATH_FIELD and content[:1] == b"\1" and content[1:5] == struct.pack("<L", crc32(raw_name)):
            return content[5:]
    return None


def decode_path(name: bytes, encoding: str) -> PurePosixPath:
    """The path that a name in a zip means. Characters that the coding does not have become �."""
    return PurePosixPath(name.decode(encoding, errors="replace").partition("\0")[0].replace("\\", "/"))


def guess_name_encoding(names: Collection[bytes], is_known: Callable[[Sequence[str]], bool]) -> str:
    """The coding in which most folders are known; among equals, the likeliest for a text of its kind."""
    names = sorted(set(names))[:MAX_SAMPLED_NAMES]
    joined = b"\n".join(names)
    try:
        joined.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return NameEncoding.UTF8
    likely = [match.encoding for match in from_bytes(joined, cp_isolation=NameEncoding.values)]
    possible = {encoding: _count_known(names, encoding, is_known) for encoding in [*likely, *NameEncoding.values]}
    return max(possible, key=possible.__getitem__)


def _count_known(names: Collection[bytes], encoding: str, is_known: Callable[[Sequence[str]], bool]) -> int:
    """How many of the folders are known in this coding; -1 if it can't be theirs."""
    try:
        for name in names:
            name.decode(encoding)
    except UnicodeDecodeError:
        return -1
    return sum(map(is_known, {student_folders(decode_path(name, encoding)) for name in names}))
