"""Images are named by tag and digest."""

from base64 import b64encode

import pytest
import yaml

from tools.fetch_scripts import PACKAGES
from tools.make_sbom import describe_script
from tools.pin_images import DEPLOY, FILES, pin

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64


@pytest.mark.parametrize("name", FILES)
def test_every_image_of_others_is_named_by_its_digest(name: str) -> None:
    asked: list[str] = []

    def digest_of(image: str) -> str:
        asked.append(image)
        return OLD

    once = pin((DEPLOY / name).read_text(), digest_of)
    again = pin(once, lambda _image: NEW)
    if name == "compose.yaml":
        services = yaml.safe_load(again)["services"].values()
        images = [service["image"] for service in services if "build" not in service]
    else:
        images = [line.removeprefix("FROM ") for line in again.splitlines() if line.startswith("FROM ")]
    assert images == [f"{image}@{NEW}" for image in asked]
    assert all(":" in image and "latest" not in image for image in asked)


def test_a_script_of_the_pages_is_in_the_bill_of_materials_with_the_hash_of_its_package() -> None:
    component = describe_script(PACKAGES[0])
    assert component["purl"] == "pkg:npm/tus-js-client@4.3.1"
    assert b64encode(bytes.fromhex(component["hashes"][0]["content"])).decode() == PACKAGES[0].sha512
