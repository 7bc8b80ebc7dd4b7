"""Whose photos a folder holds: by exact number or name, else by the key of either, never by a looser match."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from campus.academics.models import Course, Student
from campus.common.keys import match_key, number_key, sort_key
from campus.common.visible_text import normalize
from recognition.messages import NO_MESSAGE, Message

# Moodle's folders of submissions; their number is Moodle's own.
MOODLE_FOLDER = re.compile(r"(.+)_\d+_assignsubmission_[a-z]+_?", re.IGNORECASE)
NUMBER_FIRST = re.compile(r"(?P<number>\S*?\d\S*?)[\s_,;:-]+(?P<name>.+)")
NUMBER_LAST = re.compile(r"(?P<name>.+?)[\s_,;:(\[-]+(?P<number>[^\s_]*\d[^\s_]*?)[)\]]?")

MAX_FOLDER_CHARACTERS = 300  # of a name that may be a student's
MAX_SIMILAR = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderMatch:
    """The `student` whose folder it is; None where that is not sure, with the `reason`.

    `candidates` are those whose name or number it has, `similar` those whose name differs in accents or order.
    """

    student: Student | None = None
    candidates: list[Student] = field(default_factory=list)
    similar: list[Student] = field(default_factory=list)
    reason: Message = NO_MESSAGE


class StudentFinder:
    """Finds the student of a folder; in `course` only, where one is given."""

    def __init__(self, course: Course | None) -> None:
        self._course = course
        self._on_roster = None if course is None else set(course.students.values_list("pk", flat=True))
        self._by_number: dict[str, Student] = {}
        self._by_words: defaultdict[frozenset[str], list[Student]] = defaultdict(list)
        self._by_email: defaultdict[str, list[Student]] = defaultdict(list)
        self._by_name: defaultdict[str, list[Student]] = defaultdict(list)
        for student in Student.objects.all():
            self._by_number[student.number_key] = student
            self._by_email[match_key(student.email)].append(student)
            self._by_words[_loose_key(student.name)].append(student)
            for name in dict.fromkeys(match_key(name) for name in _spellings(student.name)):
                self._by_name[name].append(student)

    def match(self, folders: Sequence[str]) -> FolderMatch:
        """The folder next to the file counts first, then those above it: a zip may have one around all."""
        for folder in reversed(folders):
            text = _nfc(folder)
            if len(text) > MAX_FOLDER_CHARACTERS:
                continue
            readings = [(found, is_sure) for found, is_sure in self._read(text) if found]
            enrolled = [(self._enrolled(found), is_sure) for found, is_sure in readings if self._enrolled(found)]
            if enrolled:
                return _judge(text, *enrolled[0])
            if readings and self._course:
                found, code = readings[0][0], self._course.code
                reason = Message("{found} is not on the roster of {code}.", found=found[0], code=code)
                return FolderMatch(candidates=found, reason=reason)
        reason = Message("No student has the number or name “{folders}”.", folders=folders[-1] if folders else "")
        words = _loose_key(folders[-1]) if folders else frozenset()
        similar = self._enrolled(self._by_words.get(words, []) if words else [])
        return FolderMatch(reason=reason, similar=similar[:MAX_SIMILAR])

    def _enrolled(self, students: list[Student]) -> list[Student]:
        return [student for student in students if self._on_roster is None or student.pk in self._on_roster]

    def _read(self, text: str) -> Iterator[tuple[list[Student], bool]]:
        """Whom the text may name, the likeliest reading first, and whether it would be sure of a single student."""
        numbered, named = self._with_number(text), self._by_name.get(match_key(text), [])
        yield [student for student in numbered if student.number == text], True
        yield [student for student in named if _nfc(student.name) == text], True
        yield numbered, True
        yield named, True
        yield self._by_email.get(match_key(text), []) if "@" in text else [], True
        submission = MOODLE_FOLDER.fullmatch(text)
        for name in _spellings(submission[1] if submission else text):
            yield self._by_name.get(match_key(name), []), True
        for split in (NUMBER_FIRST.fullmatch(text), NUMBER_LAST.fullmatch(text)):
            if split and not submission:
                numbered = self._with_number(split["number"])
                named = [s for name in _spellings(split["name"]) for s in self._by_name.get(match_key(name), [])]
                both = [student for student in numbered if student in named]
                yield both, True
                yield list(dict.fromkeys([*numbered, *named])), False

    def _with_number(self, text: str) -> list[Student]:
        student = self._by_number.get(number_key(text))
        return [student] if student else []


def _judge(text: str, found: list[Student], is_sure: bool) -> FolderMatch:
    if len(found) == 1 and is_sure:
        return FolderMatch(student=found[0], candidates=found)
    if not is_sure:
        reason = Message("No student has both the number and the name in “{folder}”.", folder=text)
        return FolderMatch(candidates=found, reason=reason)
    reason = Message(
        "Several students are called “{name}”: {numbers}. Name the folder by the student number.",
        name=found[0].name,
        numbers=", ".join(student.number for student in found),
    )
    return FolderMatch(candidates=found, reason=reason)


def _nfc(text: str) -> str:
    return normalize("NFC", text).strip()


def _loose_key(name: str) -> frozenset[str]:
    """The words of a name without numbers and accents, in any order: alike for people who may be different."""
    return frozenset(re.findall(r"[^\W\d_]+", sort_key(name[:MAX_FOLDER_CHARACTERS])))


def _spellings(name: str) -> list[str]:
    """The name as it is, with spaces for underscores, and in the order in which it is spoken (`Surname, First`)."""
    spaced = name.replace("_", " ")
    surname, comma, first = spaced.partition(",")
    spoken = [f"{first} {surname}"] if comma and "," not in first and surname.strip() and first.strip() else []
    return [name, spaced, *spoken]
