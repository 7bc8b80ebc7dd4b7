"""What a file's path says: which camera, which room, from when to when. No file is opened here.

A pattern is a path with fields, like `{camera}/{date:%Y%m%d}/{start:%H%M%S}-{end:%H%M%S}.mp4`:

- `{camera}` and `{room}` match one or more characters of a folder or file name, `*` any number; case is ignored.
- `{date}`, `{start}` and `{end}` are times in the format of `strftime`. A field may occur more than once, and `date`
  and `start` together make one time: `{date:%Y-%m-%d}/{start:%H}/{start:%M.%S}.mp4`. `%s` is Unix time in seconds or
  milliseconds. A number between other characters may lack its zeros: `2-9-2020, 9.21.12pm` fits
  `{date:%m-%d-%Y}, {start:%I.%M.%S%p}`.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise

from campus.common.errors import UserError
from campus.common.visible_text import normalize

DIRECTIVES = {
    "Y": "[12][0-9]{3}",
    "y": "[0-9]{2}",
    "m": "0[1-9]|1[0-2]",
    "d": "0[1-9]|[12][0-9]|3[01]",
    "H": "[01][0-9]|2[0-3]",
    "I": "0[1-9]|1[0-2]",
    "p": r"[AP]\.?M\.?",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "f": "[0-9]{6}|[0-9]{3}",
    "s": "[0-9]{13}|[0-9]{10}",
}
# Of the same, where other characters show how long the number is.
SHORT_DIRECTIVES = {
    "m": "1[0-2]|0?[1-9]",
    "d": "3[01]|[12][0-9]|0?[1-9]",
    "H": "2[0-3]|1[0-9]|0?[0-9]",
    "I": "1[0-2]|0?[1-9]",
}
SPACES = "[ \u00a0\u202f]"  # some systems write another space before am and pm
DEFAULT_FORMATS = {"date": "%Y%m%d", "start": "%H%M%S", "end": "%H%M%S"}
LABEL_FIELDS = ("camera", "room")
TOKEN = re.compile(r"\{([a-z]+)(?::([^{}]*))?\}|(\*)|([^{}*])", re.DOTALL)
MAX_PATH_LENGTH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFields:
    """What a path says; empty or None where it says nothing. `starts` and `ends` are in UTC, `ends` after `starts`."""

    camera: str = ""
    room: str = ""
    starts: datetime | None = None
    ends: datetime | None = None

    @property
    def label(self) -> str:
        """The camera's label at the source: its room, its own name, or both where the pattern has both."""
        return "/".join(word for word in (self.room, self.camera) if word)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the pattern: one character, a field to be read (`group`), or `*`."""

    text: str
    group: str = ""
    directive: str = ""

    @property
    def is_open_ended(self) -> bool:
        """Whether it may have any length."""
        return self.text == "*" or self.group in LABEL_FIELDS


class Pattern:
    """A compiled pattern. An empty one fits every path and says nothing about it."""

    def __init__(self, text: str) -> None:
        """Raises UserError, which says what is wrong with the pattern."""
        self.text = normalize("NFC", text.strip().strip("/"))
        self._tokens = list(_parse(self.text))
        _check(self._tokens)
        slashes = [index for index, token in enumerate(self._tokens) if token.text == "/"]
        # One for each depth of folders, and the last one for the whole path.
        self._regexes = [_compile_regex(self._tokens[:end]) for end in (*slashes, len(self._tokens))]

    def match(self, path: str, zone: tzinfo) -> PathFields | None:
        """What the path says, with its times read in `zone`. None if it does not fit, or names a time that does not
        exist.

        The path may be any text; the work grows linearly with its length. Of the hour that occurs twice in autumn, the
        first one is meant, unless the end says otherwise.
        """
        if not self.text:
            return PathFields()
        found = self._regexes[-1].fullmatch(_to_nfc(path)) if len(path) <= MAX_PATH_LENGTH else None
        if not found:
            return None
        values = found.groupdict()
        starts = ends = None
        if start_values := _values(values, "start"):
            starts = _to_moment(start_values, zone)
            if starts is None:
                return None
        if starts and (end_values := _values(values, "end")):
            ends = _first_end_after(starts, end_values, zone)
            if ends is None:
                return None
        return PathFields(camera=values.get("camera") or "", room=values.get("room") or "", starts=starts, ends=ends)

    def may_contain(self, folder: str, first: date, last: date) -> bool:
        """Whether the folder, or one below it, may contain matching files that start on a day from `first` to `last` in
        the source's zone.
        """
        if not self.text or not folder:
            return True
        depth = folder.count("/")
        if depth >= len(self._regexes) - 1 or len(folder) > MAX_PATH_LENGTH:
            return False
        found = self._regexes[depth].fullmatch(_to_nfc(folder))
        if not found:
            return False
        values = _values(found.groupdict(), "start")
        if "s" in values or not {"Y", "y"} & values.keys():
            return True
        year = _year(values)
        months = [int(values["m"])] if "m" in values else [1, 12]
        try:
            earliest = date(year, months[0], int(values.get("d", 1)))
            latest = date(year, months[-1], int(values.get("d", calendar.monthrange(year, months[-1])[1])))
        except ValueError:
            return "m" not in values
        return earliest <= last and latest >= first

    def format_path(self, fields: PathFields, zone: tzinfo) -> str:
        """An example path with these fields, for people. `*` stays as it is."""
        times = {"start": fields.starts, "end": fields.ends or fields.starts}
        return "".join(_format_token(token, fields, times, zone) for token in self._tokens)


@lru_cache(maxsize=64)
def compile_pattern(text: str) -> Pattern:
    """Raises UserError, which says what is wrong with the pattern."""
    return Pattern(text)


def _parse(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        found = TOKEN.match(text, position)
        if not found:
            raise UserError(
                "A brace in the pattern has no partner. Fields are written like {camera} or {start:%H%M%S}."
            )
        position = found.end()
        name, time_format, star, character = found.groups()
        if star or character:
            yield Token(star or character)
        elif name in LABEL_FIELDS and time_format is None:
            yield Token("", group=name)
        elif name in DEFAULT_FORMATS:
            yield from _parse_time(name, time_format or DEFAULT_FORMATS[name])
        else:
            known = ", ".join(f"{{{word}}}" for word in (*LABEL_FIELDS, *DEFAULT_FORMATS))
            raise UserError("The pattern can't have {field}. It knows: {known} and *.", field=found[0], known=known)


def _parse_time(name: str, time_format: str) -> Iterator[Token]:
    group = "end" if name == "end" else "start"
    for literal, directive in re.findall(r"([^%])|%(.?)", time_format, re.DOTALL):
        if literal == "*":
            raise UserError("A time in the pattern can't contain *.")
        if literal or directive == "%":
            yield Token(literal or "%")
        elif directive in DIRECTIVES:
            yield Token("", group=f"{group}_{directive}", directive=directive)
        else:
            known = " ".join(f"%{letter}" for letter in DIRECTIVES)
            raise UserError(
                "A time in the pattern can't contain {directive}. It knows: {known}.",
                directive=f"%{directive}",
                known=known,
            )


def _check(tokens: list[Token]) -> None:
    if any(first.is_open_ended and second.is_open_ended for first, second in pairwise(tokens)):
        raise UserError("Put something between {camera}, {room} and *; otherwise nobody knows where one of them ends.")
    start, end = ({token.directive for token in tokens if token.group.startswith(name)} for name in ("start_", "end_"))
    for directives in (start, end):
        needs_date = directives is start or bool(directives & {"Y", "y", "m", "d"})
        if directives and not _is_complete(directives, needs_date=needs_date):
            raise UserError(
                "A time in the pattern is incomplete: the start needs year, month, day and hour, like "
                "{date:%Y%m%d}/{start:%H%M%S}."
            )
    if end and not start:
        raise UserError(
            "The pattern says when a recording ends but not when it starts. Add {date:%Y%m%d} and {start:%H%M%S}."
        )


def _is_complete(directives: set[str], *, needs_date: bool) -> bool:
    has_date = bool(directives & {"Y", "y"}) and {"m", "d"} <= directives
    has_hour = "H" in directives or {"I", "p"} <= directives
    return "s" in directives or (has_hour and (has_date or not needs_date))


def _compile_regex(tokens: list[Token]) -> re.Pattern[str]:
    """An open-ended token takes as little as lets what follows match, up to the next one, and never backtracks. So
    matching takes linear time.
    """
    seen: set[str] = set()
    parts: list[str] = []
    depth = 0
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        if token.group in seen:
            parts.append(f"(?P={token.group})")
            continue
        if token.is_open_ended:
            parts.append(")" * depth + "(?>")
            depth = 1
        if token.group:
            seen.add(token.group)
            is_delimited = not (_may_be_digit(before) or _may_be_digit(after))
            directives = DIRECTIVES | SHORT_DIRECTIVES if is_delimited else DIRECTIVES
            parts.append(f"(?P<{token.group}>{directives.get(token.directive, '[^/]+?')})")
        elif token.is_open_ended:
            parts.append("[^/]*?")
        else:
            parts.append(SPACES if token.text == " " else re.escape(token.text))
    return re.compile("".join(parts) + r"\Z" + ")" * depth, re.IGNORECASE)


def _may_be_digit(token: Token | None) -> bool:
    return token is not None and (token.is_open_ended or token.directive not in ("", "p") or token.text.isdigit())


def _to_nfc(path: str) -> str:
    """Macs write letters and their accents one by one."""
    return normalize("NFC", path)


def _values(values: dict[str, str], name: str) -> dict[str, str]:
    return {group.removeprefix(f"{name}_"): value for group, value in values.items() if group.startswith(f"{name}_")}


def _year(values: dict[str, str]) -> int:
    return int(values["Y"]) if "Y" in values else 2000 + int(values["y"])


def _to_moment(values: dict[str, str], zone: tzinfo, day: date | None = None, fold: int = 0) -> datetime | None:
    """The moment in UTC; None if there is no such day. `day` is that of values that are only a time of day."""
    if "s" in values:
        seconds, milliseconds = int(values["s"][:10]), int(values["s"][10:] or 0)
        return datetime.fromtimestamp(seconds, UTC) + timedelta(milliseconds=milliseconds)
    hour = int(values["H"]) if "H" in values else int(values["I"]) % 12 + 12 * values["p"].upper().startswith("P")
    minute, second = int(values.get("M", 0)), int(values.get("S", 0))
    try:
        day = day or date(_year(values), int(values["m"]), int(values["d"]))
        wall = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone, fold=fold)
        return wall.astimezone(UTC) + timedelta(microseconds=int(values.get("f", "").ljust(6, "0")))
    except ValueError:
        return None


def _first_end_after(starts: datetime, values: dict[str, str], zone: tzinfo) -> datetime | None:
    """The first moment after the start that the values can mean: on the same day, in the repeated hour, or on the next
    day.
    """
    has_date = bool(values.keys() & {"m", "s"})
    day = starts.astimezone(zone).date()
    days = [None] if has_date else [day, day + timedelta(days=1)]
    moments = (_to_moment(values, zone, day, fold) for day in days for fold in (0, 1))
    return next((moment for moment in moments if moment and moment > starts), None)


def _format_token(token: Token, fields: PathFields, times: dict[str, datetime | None], zone: tzinfo) -> str:
    if not token.directive:
        return {"camera": fields.camera, "room": fields.room}.get(token.group, token.text)
    moment = times[token.group.split("_")[0]]
    if moment is None:
        return ""
    if token.directive == "s":
        return str(int(moment.timestamp()))
    return moment.astimezone(zone).strftime(f"%{token.directive}")
