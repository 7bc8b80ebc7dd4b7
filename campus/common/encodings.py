"""Which encoding a text file without a mark is in.

Spreadsheet programs save CSV in the encoding of their country. charset-normalizer says which encodings are possible;
a roster is too short for its statistics to choose among them. What decides is how many of the words could be names:
spelt in one language's letters, with capitals where names have them.
"""

import re
import unicodedata
from collections.abc import Callable

from charset_normalizer import from_bytes
from django.utils.translation import gettext_lazy

from campus.common.visible_text import normalize

# What people may choose. Among equals the earlier one is guessed.
ENCODINGS = {
    "utf-8": gettext_lazy("Unicode (UTF-8)"),
    "utf-16-le": gettext_lazy("Unicode (UTF-16)"),
    "utf-16-be": gettext_lazy("Unicode (UTF-16, big-endian)"),
    "cp1252": gettext_lazy("Western European (Windows)"),
    "cp1254": gettext_lazy("Turkish (Windows)"),
    "cp1250": gettext_lazy("Central European (Windows)"),
    "iso8859_2": gettext_lazy("Central European (ISO)"),
    "cp1257": gettext_lazy("Baltic (Windows)"),
    "cp1251": gettext_lazy("Cyrillic (Windows)"),
    "cp1253": gettext_lazy("Greek (Windows)"),
    "cp1255": gettext_lazy("Hebrew (Windows)"),
    "cp1256": gettext_lazy("Arabic (Windows)"),
    "koi8_r": gettext_lazy("Cyrillic (KOI8-R)"),
    "cp866": gettext_lazy("Cyrillic (DOS)"),
    "cp949": gettext_lazy("Korean (Windows)"),
    "gb18030": gettext_lazy("Chinese, simplified (GBK)"),
    "big5": gettext_lazy("Chinese, traditional (Big5)"),
    "cp932": gettext_lazy("Japanese (Shift-JIS)"),
    "euc_jp": gettext_lazy("Japanese (EUC)"),
    "iso2022_jp": gettext_lazy("Japanese (ISO 2022)"),
    "cp874": gettext_lazy("Thai (Windows)"),
    "mac_roman": gettext_lazy("Western European (Mac)"),
    "cp850": gettext_lazy("Western European (DOS)"),
    "cp852": gettext_lazy("Central European (DOS)"),
}
# The letters beyond A to Z of the languages that use an encoding.
_ICELANDIC = "áðéíóúýþæö"
_WESTERN = (
    "äöüß",
    "àâæçéèêëîïôœùûüÿ",
    "áéíóúüñ",
    "àáâãçéêíòóõôúü",
    "àçèéíïòóúü·",
    "àèéìíòóù",
    "åäöéü",
    "æøåéöü",
    _ICELANDIC,
    "äëïöüéèó",
)
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíľňóôšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţșț", "äöüß")
_CYRILLIC = (
    "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "абвгдђежзијклљмнњопрстћуфхцчџш",
)
_LETTERS: dict[str, tuple[str, ...]] = {
    "cp1252": _WESTERN,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp1250": _CENTRAL,
    "iso8859_2": _CENTRAL,
    "cp852": _CENTRAL,
    "cp1254": ("çğıİöşüâîû", "äöüß"),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äöõüšž"),
    "cp1251": _CYRILLIC,
    "koi8_r": _CYRILLIC,
    "cp866": _CYRILLIC,
    "cp1253": ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋ",),
    "cp1255": ("אבגדהוזחטיךכלםמןנסעףפץצקרשת",),
    "cp1256": ("ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگکی",),
    "cp874": ("".join(map(chr, [*range(0xE01, 0xE3B), *range(0xE40, 0xE4F)])),),
}


def _is_common_in_japanese(char: str) -> bool:
    return "\u3041" <= char <= "\u30ff" or 0x88 <= _lead_byte(char, "shift_jis") <= 0x98


def _lead_byte(char: str, encoding: str) -> int:
    """The first of the two bytes of a character; 0 where the encoding does not have it."""
    try:
        encoded = char.encode(encoding)
    except UnicodeEncodeError:
        return 0
    return encoded[0] if len(encoded) == 2 else 0


# The common characters of those languages whose characters are too many to list.
_COMMON: dict[str, Callable[[str], bool]] = {
    "gb18030": lambda char: 0xB0 <= _lead_byte(char, "gb2312") <= 0xD7,
    "big5": lambda char: 0xA4 <= _lead_byte(char, "big5") <= 0xC6,
    "cp932": _is_common_in_japanese,
    "euc_jp": _is_common_in_japanese,
    "cp949": lambda char: "\uac00" <= char <= "\ud7a3" and _lead_byte(char, "euc_kr") > 0,
}
_FINAL_LETTERS = frozenset("ςךםןףץ")  # only at the end of a word
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0e31-\u0e4e])*")
_PUNCTUATION = frozenset("’‘‚“”„–—«»·°ªº\u00a0、，・ー（）")  # noqa: RUF001
_MAX_SAMPLE_LINES, _MAX_SAMPLE_LINE_BYTES = 300, 10_000


def guess_encoding(content: bytes) -> str:
    """Which one of ENCODINGS a text in an old encoding is most likely in."""
    lines = [line for line in content.splitlines() if not line.isascii()]
    short = [line for line in lines if len(line) <= _MAX_SAMPLE_LINE_BYTES]
    sample = b"\n".join(short[:_MAX_SAMPLE_LINES]) or b"".join(lines[:1])[:_MAX_SAMPLE_LINE_BYTES]
    legacy = [name for name in ENCODINGS if name in _LETTERS or name in _COMMON]
    ranks: dict[str, tuple[float, float, int]] = {}
    for match in from_bytes(sample, cp_isolation=legacy, preemptive_behaviour=False):
        for name in match.could_be_from_charset:
            ranks[name] = (_share_of_names(str(match), name), -match.chaos, -legacy.index(name))
    return max(ranks, key=ranks.__getitem__, default=legacy[0])


def _share_of_names(text: str, encoding: str) -> float:
    """The share of the words with other letters than A to Z that could be names, from 0 to 1. Other characters that no
    name has count as words that are none.
    """
    text = normalize("NFC", text)
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    strange = [char for char in _WORD.sub("", text) if not char.isascii() and char not in _PUNCTUATION]
    return sum(_rate_name(word, encoding) for word in words) / max(len(words) + len(strange), 1)


def _rate_name(word: str, encoding: str) -> float:
    if encoding in _COMMON:
        return sum(map(_COMMON[encoding], word)) / len(word)
    alphabets = _LETTERS[encoding]
    letters = {char for char in word.replace("İ", "i").lower() if not char.isascii()}
    is_mixed = any(char.isascii() for char in word) and "LATIN" not in unicodedata.name(alphabets[0][0])
    possible = [alphabet for alphabet in alphabets if letters <= set(alphabet)]
    if is_mixed or not possible or any(char in _FINAL_LETTERS for char in word[:-1]):
        return 0.0
    if possible == [_ICELANDIC]:
        return 0.9  # read as Icelandic, most Turkish names could be names too
    return 1.0 if word.istitle() or word.isupper() or word.lower() == word.upper() else 0.5
