"""A folder of people: `<name>/1.jpg`, `<name>/2.jpg`, ..."""

import re
from pathlib import Path

from recognition.media.file_kind import PHOTO_SUFFIXES


def photos_by_person(folder: Path, first: int | None = None) -> dict[str, list[Path]]:
    """The photos of each person in order of the numbers in their names; with `first` only so many of each.

    People without photos are there with an empty list; hidden files and folders are not.
    """
    people = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return {person.name: sorted(filter(_is_photo, person.iterdir()), key=_number)[:first] for person in people}


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")


def _number(path: Path) -> tuple[int, str]:
    digits = re.sub(r"\D", "", path.stem)
    return (int(digits[:18]) if digits else 0, path.name)
