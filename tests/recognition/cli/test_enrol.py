"""What `enrol` prints of a gallery, and the photos that a person keeps."""

import shutil
from pathlib import Path

import pytest

from recognition.__main__ import main
from recognition.cli.enrol import format_report, format_share
from recognition.identification.gallery import train_gallery
from tests.recognition.people import EMBEDDER, embeddings_of


def test_the_report_says_rates_the_learning_curve_and_what_is_lacking() -> None:
    photos = {f"student {n}": list(embeddings_of(n, 6)) for n in range(12)}
    photos |= {"few": list(embeddings_of(20, 2)), "none": []}
    text = "\n".join(format_report(train_gallery(photos, EMBEDDER).report))
    for part in (
        "balanced",
        "0.100 %",
        "   1 photo ",
        "of 12 students",
        "10 photos  too few to say: 0 have 13 or more",
    ):
        assert part in text
    assert "1 with fewer than 5 photos: few" in text
    assert "1 with no usable photo: none" in text
    assert "too few photos" in "\n".join(format_report(train_gallery({"a": photos["few"][:1]}, EMBEDDER).report))


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.000123, "0.0123 %"), (0.02346, "2.35 %"), (0.5, "50.0 %"), (1, "100 %")]
)
def test_shares_have_three_digits(share: float, text: str) -> None:
    assert format_share(share) == text


def test_a_photo_that_looks_mislabelled_is_kept_when_asked_to(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = tmp_path / "people"
    for person in ("Tony_Blair", "Serena_Williams", "Hugo_Chavez"):
        (people / person).mkdir(parents=True)
        for number in range(1, 5):
            shutil.copy(shared_data / "people" / person / f"{number}.jpg", people / person)
    wrong = people / "Tony_Blair" / "9.jpg"
    shutil.copy(shared_data / "people" / "Hugo_Chavez" / "9.jpg", wrong)
    command = ["enrol", str(people), str(tmp_path / "gallery")]
    assert main(command) == 0
    assert f"{wrong}: It looks more like Hugo_Chavez" in capsys.readouterr().err
    assert main([*command, "--keep", str(wrong)]) == 0
    assert "It looks more like" not in capsys.readouterr().err
