"""What a class learns from one lecture: python -m benchmarks.learning FIRST.mp4 SECOND.mp4 --people FOLDER

Two lectures of the same people by different photos (`make_lecture.py --photos A:B`), each with its JSON. Attendance of
the first is taken and confirmed truthfully; then that of the second is taken, without and with what was learnt.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.lectures import Truth
from recognition import check_enrolment_photos, load_embedder, process_segment, train_gallery, vote
from recognition.embedding.stored_crops import embed_stored_crops
from recognition.identification.lecture_faces import fit_students
from recognition.media.video import plan_segments, probe
from recognition.people_folder import photos_by_person
from recognition.types import Attendance
from recognition.vectors import Floats, normalise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=1, help="enrolled of each, the first ones")
    parser.add_argument("--embedder", default="dlib-resnet-v1")
    options = parser.parse_args()
    embedder = load_embedder(options.embedder)
    truths = [Truth.load(path) for path in (options.first, options.second)]
    files = photos_by_person(options.people, options.photos)
    photos = {
        label: [
            photo.embedding for photo in check_enrolment_photos(files[label], embedder) if photo.embedding is not None
        ]
        for label in truths[0].roster
    }
    results = []
    for path in (options.first, options.second):
        info = probe(path)
        results.append((info, [process_segment(path, info, part, embedder) for part in plan_segments(path, info)]))
    (first_info, first), (second_info, second) = results
    gallery = train_gallery(photos, embedder.id)
    attendance = vote(first, gallery, truths[0].roster, first_info)
    print("first lecture:", describe(attendance, truths[0]))
    print("second lecture:", describe(vote(second, gallery, truths[1].roster, second_info), truths[1]))
    pictures = [
        (presence.label, crop.jpeg)
        for presence in attendance.presences
        if (presence.present or presence.to_confirm) and presence.label in truths[0].present
        for crop in presence.crops
    ]
    vectors = embed_stored_crops([jpeg for _, jpeg in pictures], embedder)
    lectures = learn([label for label, _ in pictures], vectors, photos, embedder.id)
    learnt = train_gallery(photos, embedder.id, lectures=lectures)
    print(f"learnt {len(lectures)} students; second lecture:", end=" ")
    print(describe(vote(second, learnt, truths[1].roster, second_info), truths[1]))


def learn(
    labels: list[str], vectors: Floats, photos: Mapping[str, list[Floats]], embedder: str
) -> dict[str, list[Floats]]:
    """Label -> [mean vector of the student's confirmed faces that look like the photos]."""
    known = [label for label, own in photos.items() if own]
    templates = np.stack([normalise(np.mean(photos[label], axis=0)) for label in known])
    students = np.array([known.index(label) for label in labels])
    faces: dict[str, list[Floats]] = {}
    for label, vector, fits in zip(labels, vectors, fit_students(vectors, students, templates, embedder), strict=True):
        if fits:
            faces.setdefault(label, []).append(vector)
    return {label: [normalise(np.mean(own, axis=0))] for label, own in faces.items()}


def describe(attendance: Attendance, truth: Truth) -> str:
    present = {presence.label for presence in attendance.presences if presence.present}
    to_confirm = {presence.label for presence in attendance.presences if presence.to_confirm}
    at_once = sum((label in present) == (label in truth.present) for label in truth.roster if label not in to_confirm)
    return json.dumps(
        {
            "roster": len(truth.roster),
            "right at once": at_once,
            "after answers": at_once + len(to_confirm),
            "absent taken for present": len(present - truth.present),
        }
    )


if __name__ == "__main__":
    main()
