"""The pool of a worker's processes reads their results whatever happens to the broker meanwhile."""

import os
import pickle
import struct
from collections.abc import Iterator

import pytest
from celery.concurrency.asynpool import WORKER_UP  # type: ignore[attr-defined]  # not in the stubs
from kombu.asynchronous import Hub

from workers.pool import AsynPool


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def run(hub: Hub) -> None:
    """Let the event loop handle what has arrived."""
    loop = hub.create_loop()
    for _ in range(4):
        next(loop)


def message(pid: int) -> bytes:
    body = pickle.dumps((WORKER_UP, (pid,)))
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize("half", [2, 4, 10, 25])
def test_a_result_that_is_half_read_when_the_broker_is_lost_is_read_to_its_end(
    pipe: tuple[int, int], half: int
) -> None:
    (reader, writer), hub, read = pipe, Hub(), list[int]()
    handler = AsynPool.ResultHandler(
        *[None, None, {}, *[None] * 6], fileno_to_outq={reader: "a process"}, on_process_alive=read.append
    )

    def connect() -> None:
        hub.reset()
        handler.register_with_event_loop(hub)
        hub.add_reader(reader, handler.handle_event, reader)

    first, second = message(1), message(2)
    connect()
    os.write(writer, first[:half])
    run(hub)
    connect()
    os.write(writer, first[half:] + second)
    run(hub)
    assert read == [1, 2]


def test_a_process_that_has_the_pipe_of_one_that_died_starts_anew(pipe: tuple[int, int]) -> None:
    (reader, writer), hub, read = pipe, Hub(), list[int]()
    processes: dict[int, object] = {reader: "a process that dies"}
    handler = AsynPool.ResultHandler(
        *[None, None, {}, *[None] * 6], fileno_to_outq=processes, on_process_alive=read.append
    )
    handler.register_with_event_loop(hub)
    hub.add_reader(reader, handler.handle_event, reader)
    os.write(writer, message(1)[:10])
    run(hub)
    processes[reader] = "its successor"
    hub.add_reader(reader, handler.handle_event, reader)
    os.write(writer, message(2))
    run(hub)
    assert read == [2]
