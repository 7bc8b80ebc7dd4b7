"""The documents lead to what is there, and each picture is shown and small."""

import re
from pathlib import Path

from tests.conftest import REPOSITORY

DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
MAX_PICTURE_BYTES = 80_000


def targets(document: Path) -> list[Path]:
    """The files of this repository that the document links to or shows."""
    found = re.findall(r"\]\(([^)\s#]+)(?:#[\w-]*)?\)", document.read_text())
    return [document.parent / target for target in found if "://" not in target]


def test_no_link_leads_nowhere():
    assert [
        f"{document.name}: {target.name}"
        for document in DOCUMENTS
        for target in targets(document)
        if not target.exists()
    ] == []


def test_every_picture_is_shown_and_small():
    pictures = set((REPOSITORY / "docs" / "pictures").iterdir())
    assert pictures
    assert pictures <= {target for document in DOCUMENTS for target in targets(document)}
    assert [picture.name for picture in pictures if picture.stat().st_size > MAX_PICTURE_BYTES] == []
