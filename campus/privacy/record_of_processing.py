"""The record of processing activities (GDPR, Art. 30), written from the registry of personal data."""

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from django.utils import translation

from campus.privacy.registry import MODELS
from campus.privacy.registry_entry import Entry
from campus.privacy.registry_folders import ELSEWHERE, FOLDERS
from campus.privacy.retention_terms import TERMS, Kind

INTRODUCTION: Final = """# Record of processing

For the data-protection officer: what Rollcall keeps of whom, why, and for how long (GDPR, Art. 30(1)). It is written
from the program's own registry (`campus/privacy/registry.py`) by `python manage.py record_of_processing`; a test fails
when a field or a folder is not in it, or when this page is out of date.

The institution adds its name and contact, its data-protection officer, the legal basis, and who receives attendance.
Terms are those that Rollcall comes with; the institution's own are on the page “Retention”. Photos, crops, embeddings,
galleries, tracks, documents and secrets are encrypted at rest ([threat-model.md](../threat-model.md)); nothing leaves
the institution's servers but e-mails and the webhooks that it sets up.

“Erased by” is what removes it when a student is erased; where nothing does, the reason.
"""


def write_record() -> str:
    """The whole document, in Markdown."""
    with translation.override("en-gb"):
        parts = [
            INTRODUCTION,
            _section("In the database", _of_models(), "table: fields"),
            _section("In files", FOLDERS.items(), "folder"),
            _section("Elsewhere", ELSEWHERE.items(), "where"),
            _about_nobody(),
        ]
    return "\n".join(parts)


def _of_models() -> Iterable[tuple[str, Entry]]:
    for label, entry in MODELS.items():
        if entry.personal:
            yield f"{label}: {', '.join(entry.personal.split()).replace('_', ' ')}", entry


def _section(title: str, entries: Iterable[tuple[str, Entry]], what: str) -> str:
    lines = [f"## {title}", ""]
    for purpose, rows in groupby(sorted(entries, key=lambda row: row[1].purpose), key=lambda row: row[1].purpose):
        lines += [f"### {purpose[:1].upper()}{purpose[1:]}", "", f"| {what} | of whom | kept | erased by |"]
        lines += ["|---|---|---|---|"]
        lines += [
            f"| {name} | {', '.join(entry.whose) or 'nobody'} | {_term(entry)} | {_eraser(entry)} |"
            for name, entry in rows
        ]
        lines.append("")
    return "\n".join(lines)


def _term(entry: Entry) -> str:
    if not isinstance(entry.term, Kind):
        return entry.term
    term = TERMS[entry.term]
    return f"{term.days} {term.after}" if term.days else "until the institution sets a term"


def _eraser(entry: Entry) -> str:
    return f"step {entry.steps.replace(' ', ', ')}" if entry.steps else f"not: {entry.kept}"


def _about_nobody() -> str:
    names = ", ".join(label for label, entry in MODELS.items() if not entry.personal)
    return f"## Tables about nobody\n\n{names}.\n"
