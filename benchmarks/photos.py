"""How right single photos are: `python -m benchmarks.photos PEOPLE STRANGERS [--enrol 10]`.

The first photos of each person make the gallery, which calibrates its threshold from them alone; the others are asked, and
one photo of each stranger. Prints the share whose most similar student is right (rank 1, by the template and by the SVM), the
share identified at the gallery's own threshold, and how many strangers are accepted.
"""

import argparse
from pathlib import Path

import numpy as np

from recognition import gallery
from recognition.people_folder import photos_by_person
from recognition.pipeline import Models, check_photo
from recognition.types import Track, VideoInfo
from recognition.voting import Person, identify

PHOTO = VideoInfo("jpeg", "jpeg", 0, 0, 0, 0.0, 0.0, is_photo=True)


def person(vector: gallery.Floats) -> Person:
    """What one look at somebody is to the vote."""
    one = np.ones(1, np.float32)
    return Person([Track(0, np.zeros(1), np.array([[0, 0, 100, 100]], np.float32), vector[None], one, ())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("people", type=Path)
    parser.add_argument("strangers", type=Path)
    parser.add_argument("--enrol", type=int, default=10)
    options = parser.parse_args()
    models = Models.load()

    def embedding(path: Path) -> gallery.Floats | None:
        """Of any face that is found: what is asked is no enrolment photo, and isn't turned down for its quality."""
        return check_photo(path, models, strict=False).embedding

    photos = photos_by_person(options.people)
    known = {
        name: [v for path in paths[: options.enrol] if (v := check_photo(path, models).embedding) is not None]
        for name, paths in photos.items()
    }
    trained = gallery.train(known, models.embedder.id)
    point = trained.points[gallery.DEFAULT]
    asked = [(name, embedding(path)) for name, paths in photos.items() for path in paths[options.enrol :]]
    strangers = [embedding(path) for path in sorted(options.strangers.iterdir())]
    found = [(name, vector) for name, vector in asked if vector is not None]
    vectors = np.stack([vector for _, vector in found])
    names = np.array(trained.labels)
    truth = np.array([name for name, _ in found])
    by_template, by_svm = (names[m.argmax(axis=1)] == truth for m in (trained.scores(vectors), trained.order(vectors)))
    named = [identify([person(vector)], trained, gallery.PRESETS[gallery.DEFAULT], point.margin)[0].label for vector in vectors]
    accepted = [
        label
        for vector in strangers
        if vector is not None and (label := identify([person(vector)], trained, gallery.PRESETS[gallery.DEFAULT], point.margin)[0].label)
    ]
    right = sum(label == name for label, name in zip(named, truth, strict=True))
    wrong = sum(label not in (None, name) for label, name in zip(named, truth, strict=True))
    print(f"{len(names)} people, {sum(map(len, known.values()))} photos enrolled; {len(asked)} photos asked, a face found in {len(found)}")
    print(f"threshold for one look {point.thresholds[0]:.4f}, margin {point.margin:.4f}")
    print(f"rank 1: template {by_template.sum() / len(asked):.2%}, SVM {by_svm.sum() / len(asked):.2%}")
    print(f"identified {right}/{len(asked)} = {right / len(asked):.2%}, taken for somebody else {wrong}")
    print(f"strangers accepted {len(accepted)} of {len(strangers)}")


if __name__ == "__main__":
    main()
