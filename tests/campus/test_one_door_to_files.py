"""Only `campus.common.storage` knows in which folders stored files are."""

import ast
from collections.abc import Iterator

from tests.conftest import REPOSITORY

DOOR = "campus/common/storage.py"
FOLDERS = {"MEDIA_ROOT", "REPORTS_DIR"}
# Those who have files in the making, or copies, or ask how much space there is for them.
MAKERS = {
    "campus/cctv/fetching.py",
    "campus/common/storage_copies.py",
    "campus/recordings/services.py",
    "campus/recordings/uploads.py",
    "workers/fetch.py",
    "workers/recorder/supervisor.py",
}
MODULES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for folder in ("campus", "workers")
    for path in (REPOSITORY / folder).rglob("*.py")
    if "settings" not in path.parts
)


def names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                yield name
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
                yield name


def opens_field_by_path(tree: ast.AST) -> bool:
    """Whether a model's file is opened where it would lie on this machine's disk."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="Path" | "open"), args=[ast.Attribute(attr="path", value=ast.Attribute()), *_]
            ):
                return True
    return False


def test_no_other_module_knows_the_folders() -> None:
    used = {module: set(names(ast.parse((REPOSITORY / module).read_text()))) for module in MODULES}
    assert {module for module, found in used.items() if found & FOLDERS} == {DOOR}
    assert {module for module, found in used.items() if "local_path" in found} == MAKERS
    assert not [module for module in MODULES if opens_field_by_path(ast.parse((REPOSITORY / module).read_text()))]
