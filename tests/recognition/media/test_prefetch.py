import threading
from collections.abc import Generator, Iterator
from typing import cast

import pytest

from recognition.media.prefetch import prefetch


def test_the_same_items_in_the_same_order():
    assert list(prefetch(range(1, 50), 4)) == list(range(1, 50))
    assert list(prefetch([], 4)) == []


def test_items_are_made_while_the_first_is_looked_at_and_no_more_than_asked():
    made = [threading.Event() for _ in range(9)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    following = prefetch(items(), 3)
    assert next(following) == 0
    assert made[3].wait(10)
    cast(Generator[int], following).close()
    assert not made[4].is_set()


def test_a_fault_comes_after_the_items_before_it():
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("damaged")

    following = prefetch(items(), 5)
    assert [next(following), next(following)] == [1, 2]
    with pytest.raises(ValueError, match="damaged"):
        next(following)
