"""What follows a commit may fail without taking anything with it."""

import ast

from tests.campus.test_one_door_to_files import MODULES
from tests.conftest import REPOSITORY


def test_what_follows_a_commit_has_a_name() -> None:
    """Django logs the name of a function that failed after a commit. A partial has none, so that its error escapes."""
    calls = [
        (module, node)
        for module in MODULES
        for node in ast.walk(ast.parse((REPOSITORY / module).read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "on_commit"
    ]
    assert calls
    assert not [
        (module, node.lineno)
        for module, node in calls
        if isinstance(node.args[0], ast.Call) and any(keyword.arg == "robust" for keyword in node.keywords)
    ]
