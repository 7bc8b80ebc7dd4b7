"""What is fetched without pip is used only if it is what it was when its hash was written down."""

import base64
import hashlib
import io
import tarfile
import urllib.request
from collections.abc import Callable

import pytest

from tools import fetch_scripts, make_venv

WHEEL = b"a wheel"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], None]:
    def serve_pages(pages: dict[str, bytes]) -> None:
        monkeypatch.setattr(urllib.request, "urlopen", lambda address, timeout: io.BytesIO(pages[address]))

    return serve_pages


def test_pip_is_the_one_that_was_pinned(
    serve: Callable[[dict[str, bytes]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = f'<a href="../../files/{make_venv.PIP_WHEEL}#sha256=0">'.encode()
    serve({"https://index/simple/pip/": page, f"https://index/files/{make_venv.PIP_WHEEL}#sha256=0": WHEEL})
    with pytest.raises(ValueError, match="is not the one that it should be"):
        make_venv.fetch_pip("https://index/simple")
    monkeypatch.setattr(make_venv, "PIP_SHA256", hashlib.sha256(WHEEL).hexdigest())
    assert make_venv.fetch_pip("https://index/simple") == WHEEL
    serve({"https://index/simple/pip/": b'<a href="../../files/pip-9.0.3-py3-none-any.whl">'})
    with pytest.raises(ValueError, match=f"it has no {make_venv.PIP_WHEEL}"):
        make_venv.fetch_pip("https://index/simple")


def test_a_script_is_from_the_package_that_was_pinned(serve: Callable[[dict[str, bytes]], None]) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as files:
        entry = tarfile.TarInfo("package/dist/a.js")
        entry.size = 4
        files.addfile(entry, io.BytesIO(b"run;"))
    content = archive.getvalue()
    pinned = base64.b64encode(hashlib.sha512(content).digest()).decode()
    serve({"https://npm/a/-/a-1.0.tgz": content})
    assert fetch_scripts.fetch(fetch_scripts.Package("a", "1.0", pinned, "dist/a.js"), "https://npm/") == b"run;"
    with pytest.raises(ValueError, match="is not the package that it should be"):
        fetch_scripts.fetch(fetch_scripts.Package("a", "1.0", "0" * 88, "dist/a.js"), "https://npm/")
