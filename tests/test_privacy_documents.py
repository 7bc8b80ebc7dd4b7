"""What docs/privacy names is there, and what students are told is one thing."""

import re
from pathlib import Path

import pytest

from campus.consent.default_texts import DEFAULT_TEXTS

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "privacy"
OBLIGATIONS = (FOLDER / "obligations.md").read_text()

# What has to be said in the same words where students are asked and where they are informed.
PROMISES = {
    "en-gb": (
        "notice-to-students.md",
        [
            "not for marks, behaviour, attention or mood, and for nobody outside your classes.",
            "a mathematical description of your face that is made from them, and small pictures of your face from "
            "lectures.",
            "Your consent ends by itself after three years; from then on you are not recognised until you agree again.",
            "he staff who look after your classes.",
            "ou need not agree, and nothing changes for you if you don't",
            "what was noted before stays",
        ],
    ),
    "de": (
        "hinweis-fuer-studierende.md",
        [
            "nicht für Noten, Verhalten, Aufmerksamkeit oder Stimmung, und für niemanden außerhalb Ihrer Kurse.",
            "eine daraus berechnete mathematische Beschreibung Ihres Gesichts und kleine Bilder Ihres Gesichts aus "
            "Vorlesungen.",
            "Ihre Einwilligung endet nach drei Jahren von selbst; von da an werden Sie nicht erkannt, bis Sie wieder "
            "zustimmen.",
            "ie Beschäftigten, die Ihre Kurse betreuen.",
            "Sie müssen nicht zustimmen, und es ändert sich für Sie nichts, wenn Sie es nicht tun",
            "was vorher festgehalten wurde, bleibt",
        ],
    ),
}


def test_every_test_and_file_that_obligations_name_exists() -> None:
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", OBLIGATIONS)
    missing = [
        f"{path}::{test}"
        for path, test in tests
        if not (ROOT / path).exists() or not re.search(rf"\bdef {test}\(", (ROOT / path).read_text())
    ]
    assert missing == []
    assert len(tests) == OBLIGATIONS.count("::"), "a test is named in another way"
    assert [path for path in re.findall(r"`([\w/]+\.py)`", OBLIGATIONS) if not (ROOT / path).exists()] == []


def test_every_obligation_has_a_test_or_says_why_not() -> None:
    lines = [line for line in OBLIGATIONS.splitlines() if re.match(r"\| \d", line)]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len(rows) > 20
    assert [row[0] for row in rows if "::" not in row[3] and not row[3].startswith("none: ")] == []


def test_every_link_leads_somewhere() -> None:
    for page in FOLDER.glob("*.md"):
        for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
            target = (page.parent / link).resolve() if link else page
            assert target.exists(), f"{page.name}: {link}"
            if anchor:
                headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
                anchors = [re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings]
                assert anchor in anchors, f"{page.name}: {link}#{anchor}"


@pytest.mark.parametrize("language", DEFAULT_TEXTS)
def test_the_notices_agree_with_what_students_are_asked(language: str) -> None:
    name, promises = PROMISES[language]
    asked, told = (" ".join(text.split()) for text in (DEFAULT_TEXTS[language], (FOLDER / name).read_text()))
    for promise in promises:
        assert promise in asked
        assert promise in told
