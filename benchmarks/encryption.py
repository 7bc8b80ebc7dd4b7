"""What encryption at rest costs: `python -m benchmarks.encryption VIDEO`.

Processes the first minute of a lecture as a worker does, and measures what encrypting and decrypting the files of it
takes: its tracks, all their crops, and a gallery of 1 MiB. Then opens a hundred crops as a page does, encrypted and in
the clear, and decrypts the embeddings of a class of 200 students with 10 photos each. Prints medians, in seconds of the
processor, since other programs may run meanwhile; decoding, which another process does, is left out.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

REPEATS = 20
FACES_ON_A_PAGE = 100
GALLERY_BYTES = 2**20
EMBEDDINGS, EMBEDDING_BYTES = 2000, 512


def median_seconds(work: Callable[[], object]) -> float:
    """The median of several runs, in seconds of the processor."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def process_minute(video: Path) -> tuple[float, bytes, list[bytes]]:
    """Seconds of the processor that the first minute takes, the file of its tracks, and their crops."""
    from recognition.embedding import load_embedder
    from recognition.media.video import plan_segments, probe
    from recognition.pipeline import process_segment
    from recognition.tracking.result_file import dump_segment_result

    info, embedder = probe(video), load_embedder("dlib-resnet-v1")
    segment = plan_segments(video, info)[0]
    process_segment(video, info, segment, embedder)  # compiles and loads what the first one needs
    start = time.process_time()
    result = process_segment(video, info, segment, embedder)
    seconds = time.process_time() - start
    return seconds, dump_segment_result(result), [crop.jpeg for track in result.tracks for crop in track.crops]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encryption", description=__doc__)
    parser.add_argument("video", type=Path, help="a lecture")
    video = parser.parse_args().video
    with TemporaryDirectory() as folder:
        os.environ |= {"ROLLCALL_DATA_DIR": folder, "ROLLCALL_REPORTS_DIR": folder}
        os.environ["DJANGO_SETTINGS_MODULE"] = "campus.settings.dev"
        import django

        django.setup()
        measure(video)


def measure(video: Path) -> None:
    from campus.common.encryption import decrypt, encrypt
    from campus.common.file_responses import picture_response
    from campus.common.storage import local_path, write_media

    seconds, tracks, crops = process_minute(video)
    files = [tracks, *crops, bytes(GALLERY_BYTES)]
    cost = median_seconds(lambda: [decrypt(encrypt(content, "place"), "place") for content in files])
    print(f"a minute of the lecture: {seconds:.1f} s; {len(files)} files, {sum(map(len, files)) / 1e6:.1f} MB")
    print(f"encrypting and decrypting them: {cost * 1000:.1f} ms, {cost / seconds:.2%}")

    names = [f"crops/{n}.jpg" for n in range(FACES_ON_A_PAGE)]
    for n, name in enumerate(names):
        write_media(name, crops[n % len(crops)])
        local_path(f"{name}.clear").write_bytes(crops[n % len(crops)])
    page = median_seconds(lambda: [b"".join(picture_response(name)) for name in names])
    clear = median_seconds(lambda: [local_path(f"{name}.clear").read_bytes() for name in names])
    both = median_seconds(lambda: [decrypt(local_path(name).read_bytes(), f"media:{name}") for name in names])
    print(f"{len(names)} responses with crops: {page * 1000:.1f} ms; decrypting: {(both - clear) * 1000:.1f} ms")

    vectors = [encrypt(os.urandom(EMBEDDING_BYTES), str(n)) for n in range(EMBEDDINGS)]
    took = median_seconds(lambda: [decrypt(vector, str(n)) for n, vector in enumerate(vectors)])
    print(f"decrypting {len(vectors)} embeddings: {took * 1000:.0f} ms")


if __name__ == "__main__":
    main()
