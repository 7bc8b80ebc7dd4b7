"""What the path of a file says: which camera, which room, from when to when. Pure arithmetic of names; nothing is
opened here.

A pattern is a path with fields, like `{camera}/{date:%Y%m%d}/{start:%H%M%S}-{end:%H%M%S}.mp4`:

- `{camera}` and `{room}` match one or more characters of a folder or file name, `*` any number; case is ignored.
- `{date}`, `{start}` and `{end}` are times in the format of `strftime`. A field may occur more than once, and `date`
  and `start` together make one time: `{date:%Y-%m-%d}/{start:%H}/{start:%M.%S}.mp4`. `%s` is Unix time in seconds or
  milliseconds.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise

from campus.common.errors import UserError

DIRECTIVES = {
    "Y": "[12][0-9]{3}",
    "y": "[0-9]{2}",
    "m": "0[1-9]|1[0-2]",
    "d": "0[1-9]|[12][0-9]|3[01]",
    "H": "[01][0-9]|2[0-3]",
    "I": "0[1-9]|1[0-2]",
    "p": "AM|PM",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "f": "[0-9]{6}|[0-9]{3}",
    "s": "[0-9]{13}|[0-9]{10}",
}
FORMATS = {"date": "%Y%m%d", "start": "%H%M%S", "end": "%H%M%S"}
WORDS = ("camera", "room")
ATOM = re.compile(r"\{([a-z]+)(?::([^{}]*))?\}|(\*)|([^{}*])", re.DOTALL)
LONGEST_PATH = 1000


@dataclass(frozen=True, slots=True)
class PathFields:
    """What a path says. Empty or None: nothing about it. `starts` and `ends` are moments in UTC, and `ends` comes after
    `starts`.
    """

    camera: str = ""
    room: str = ""
    starts: datetime | None = None
    ends: datetime | None = None

    @property
    def label(self) -> str:
        """What a camera of the source is called: by its room, by its own name, or by both where the pattern has
        both.
        """
        return "/".join(word for word in (self.room, self.camera) if word)


@dataclass(frozen=True, slots=True)
class Token:
    """A footage file of the pattern: one character, something to be read (`group`), or anything."""

    text: str
    group: str = ""
    directive: str = ""

    @property
    def open(self) -> bool:
        """Whether it is as long as what comes next allows."""
        return self.text == "*" or self.group in WORDS


class Pattern:
    """A compiled pattern. One without any field fits every path and says nothing of it."""

    def __init__(self, text: str) -> None:
        """Raises UserError, a sentence that says what is wrong with the pattern."""
        self.text = text.strip().strip("/")
        self._atoms = list(_atoms(self.text))
        _check(self._atoms)
        ends = [index for index, atom in enumerate(self._atoms) if atom.text == "/"]
        # One for each depth: of the folders, and last of the whole path.
        self._depths = [_regex(self._atoms[:end]) for end in (*ends, len(self._atoms))]

    def match(self, path: str, zone: tzinfo) -> PathFields | None:
        """What the path says, its times read as those of `zone`. None: it does not fit, or says a time that there is
        not.

        Any text may come; the work grows with its length only. Of the hour that comes twice in autumn, the first is
        meant, unless the end says otherwise.
        """
        if not self.text:
            return PathFields()
        found = self._depths[-1].fullmatch(path) if len(path) <= LONGEST_PATH else None
        if not found:
            return None
        values = found.groupdict()
        starts = ends = None
        if said := _values(values, "start"):
            starts = _moment(said, zone)
            if starts is None:
                return None
        if starts and (said := _values(values, "end")):
            ends = _end(said, starts, zone)
            if ends is None:
                return None
        return PathFields(values.get("camera") or "", values.get("room") or "", starts, ends)

    def may_contain(self, folder: str, first: date, last: date) -> bool:
        """Whether files that fit, and start on a day from `first` to `last` in the source's zone, may lie in or under
        the folder.
        """
        if not self.text or not folder:
            return True
        depth = folder.count("/")
        if depth >= len(self._depths) - 1 or len(folder) > LONGEST_PATH:
            return False
        found = self._depths[depth].fullmatch(folder)
        if not found:
            return False
        said = _values(found.groupdict(), "start")
        if "s" in said or not {"Y", "y"} & said.keys():
            return True
        year = _year(said)
        months = [int(said["m"])] if "m" in said else [1, 12]
        try:
            earliest = date(year, months[0], int(said.get("d", 1)))
            latest = date(year, months[-1], int(said.get("d", calendar.monthrange(year, months[-1])[1])))
        except ValueError:
            return "m" not in said
        return earliest <= last and latest >= first

    def format_path(self, fields: PathFields, zone: tzinfo) -> str:
        """What a file of these fields is called: an example for people. `*` stays as it is."""
        times = {"start": fields.starts, "end": fields.ends or fields.starts}
        return "".join(_written(atom, fields, times, zone) for atom in self._atoms)


@lru_cache(maxsize=64)
def compile_pattern(text: str) -> Pattern:
    """Read a pattern. Raises UserError, a sentence that says what is wrong with it."""
    return Pattern(text)


def _atoms(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = ATOM.match(text, at)
        if not found:
            raise UserError(
                "A brace in the pattern has no partner. Fields are written like {camera} or {start:%H%M%S}."
            )
        at = found.end()
        name, how, star, character = found.groups()
        if star or character:
            yield Token(star or character)
        elif name in WORDS and how is None:
            yield Token("", group=name)
        elif name in FORMATS:
            yield from _time_atoms(name, how or FORMATS[name])
        else:
            known = ", ".join(f"{{{word}}}" for word in (*WORDS, *FORMATS))
            raise UserError("The pattern can't have {field}. It knows: {known} and *.", field=found[0], known=known)


def _time_atoms(name: str, how: str) -> Iterator[Token]:
    group = "end" if name == "end" else "start"
    for literal, directive in re.findall(r"([^%])|%(.?)", how, re.DOTALL):
        if literal == "*":
            raise UserError("Within a time of the pattern no * can stand.")
        if literal or directive == "%":
            yield Token(literal or "%")
        elif directive in DIRECTIVES:
            yield Token("", group=f"{group}_{directive}", directive=directive)
        else:
            known = " ".join(f"%{letter}" for letter in DIRECTIVES)
            raise UserError(
                "A time of the pattern can't have {directive}. It knows: {known}.",
                directive=f"%{directive}",
                known=known,
            )


def _check(atoms: list[Token]) -> None:
    if any(first.open and second.open for first, second in pairwise(atoms)):
        raise UserError("Between {camera}, {room} and * something has to stand, else nobody knows where one ends.")
    start, end = ({atom.directive for atom in atoms if atom.group.startswith(name)} for name in ("start_", "end_"))
    for said in (start, end):
        if said and not _complete(said, dated=said is start or bool(said & {"Y", "y", "m", "d"})):
            raise UserError(
                "A time in the pattern is not whole: the start needs year, month, day and hour, like "
                "{date:%Y%m%d}/{start:%H%M%S}."
            )
    if end and not start:
        raise UserError(
            "The pattern says when a recording ends but not when it starts. Add {date:%Y%m%d} and {start:%H%M%S}."
        )


def _complete(said: set[str], *, dated: bool) -> bool:
    hour = "H" in said or {"I", "p"} <= said
    return "s" in said or (hour and (not dated or (bool(said & {"Y", "y"}) and {"m", "d"} <= said)))


def _regex(atoms: list[Token]) -> re.Pattern[str]:
    """Each open atom takes as little as lets what follows, up to the next one, fit, and never tries again: so the time
    is linear.
    """
    seen: set[str] = set()
    parts: list[str] = []
    depth = 0
    for atom in atoms:
        if atom.group in seen:
            parts.append(f"(?P={atom.group})")
            continue
        if atom.open:
            parts.append(")" * depth + "(?>")
            depth = 1
        if atom.group:
            seen.add(atom.group)
            parts.append(f"(?P<{atom.group}>{DIRECTIVES.get(atom.directive, '[^/]+?')})")
        else:
            parts.append("[^/]*?" if atom.open else re.escape(atom.text))
    return re.compile("".join(parts) + r"\Z" + ")" * depth, re.IGNORECASE)


def _values(values: dict[str, str], name: str) -> dict[str, str]:
    return {group.removeprefix(f"{name}_"): value for group, value in values.items() if group.startswith(f"{name}_")}


def _year(said: dict[str, str]) -> int:
    return int(said["Y"]) if "Y" in said else 2000 + int(said["y"])


def _moment(said: dict[str, str], zone: tzinfo, day: date | None = None, fold: int = 0) -> datetime | None:
    """The moment in UTC; None where there is no such day. `day`: the day of what says a time of day only."""
    if "s" in said:
        return datetime.fromtimestamp(int(said["s"][:10]), UTC) + timedelta(milliseconds=int(said["s"][10:] or 0))
    hour = int(said["H"]) if "H" in said else int(said["I"]) % 12 + 12 * (said["p"].upper() == "PM")
    try:
        day = day or date(_year(said), int(said["m"]), int(said["d"]))
        wall = datetime(
            day.year, day.month, day.day, hour, int(said.get("M", 0)), int(said.get("S", 0)), tzinfo=zone, fold=fold
        )
        return wall.astimezone(UTC) + timedelta(microseconds=int(said.get("f", "").ljust(6, "0")))
    except ValueError:
        return None


def _end(said: dict[str, str], starts: datetime, zone: tzinfo) -> datetime | None:
    """The first moment after the start that is meant by the time: of its day, of the hour that comes again, or of the
    next day.
    """
    dated = bool(said.keys() & {"m", "s"})
    day = starts.astimezone(zone).date()
    days = [None] if dated else [day, day + timedelta(days=1)]
    moments = (_moment(said, zone, day, fold) for day in days for fold in (0, 1))
    return next((moment for moment in moments if moment and moment > starts), None)


def _written(atom: Token, fields: PathFields, times: dict[str, datetime | None], zone: tzinfo) -> str:
    if not atom.directive:
        return {"camera": fields.camera, "room": fields.room}.get(atom.group, atom.text)
    moment = times[atom.group.split("_")[0]]
    if moment is None:
        return ""
    if atom.directive == "s":
        return str(int(moment.timestamp()))
    return moment.astimezone(zone).strftime(f"%{atom.directive}")
