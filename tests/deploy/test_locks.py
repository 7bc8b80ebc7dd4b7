"""The locks name every package that is installed, with its version and its hashes."""

import re
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "locks").glob("*.txt"))


def read_requirements(path: Path) -> Iterator[Requirement]:
    """The packages of a list or a lock, without the comments and hashes."""
    for line in path.read_text().splitlines():
        if line[:1].isalnum():
            yield Requirement(re.split(r" \\\\?$| --hash", line)[0])


def versions(path: Path) -> set[tuple[str, str]]:
    return {(canonicalize_name(package.name), str(package.specifier)) for package in read_requirements(path)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_has_the_listed_packages_and_versions_and_the_hashes_of_all(lock: Path) -> None:
    assert versions(ROOT / lock.name) <= versions(lock), "a list was changed: make lock"
    for entry in re.findall(r"^\w.*(?:\n .*)*", lock.read_text(), re.MULTILINE):
        assert re.fullmatch(r"[\w.-]+==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry)


def test_every_list_has_its_lock() -> None:
    assert {path.name for path in ROOT.glob("requirements*.txt")} - {path.name for path in LOCKS} == {
        # One package, and three, whose hashes are beside them.
        "requirements-facenet.txt",
        "requirements-ldap.txt",
    }


def test_no_two_locks_disagree() -> None:
    """Only a package whose version depends on that of Python has two; TensorFlow has two names."""
    found: dict[str, set[str]] = {}
    for lock in LOCKS:
        if lock.stem != "requirements-audit":  # is in an environment of its own
            for package in read_requirements(lock):
                if "python" not in str(package.marker):
                    name = canonicalize_name(package.name).removesuffix("-cpu")
                    found.setdefault(name, set()).add(str(package.specifier))
    assert {name: several for name, several in found.items() if len(several) > 1} == {}
    assert "tensorflow" in found


def test_what_a_locked_package_needs_is_locked() -> None:
    """They are installed without looking for more."""
    locked = {
        canonicalize_name(package.name): package
        for lock in ("requirements", "requirements-dev")
        for package in read_requirements(ROOT / "locks" / f"{lock}.txt")
        if package.marker is None or package.marker.evaluate()
    }
    missing = []
    for name in locked:
        for line in distribution(name).requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                found = locked.get(canonicalize_name(needed.name))
                if not found or not needed.specifier.contains(str(found.specifier).removeprefix("==")):
                    missing.append(f"{name} needs {line}")
    assert missing == []
