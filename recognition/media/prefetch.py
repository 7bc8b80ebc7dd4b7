"""Prepare items in advance, so that the steps of a pipeline overlap."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetch(items: Iterable[T], count: int) -> Iterator[T]:
    """The same items, `count` of them prepared in advance by a thread. None of them may be None.

    An exception that an item causes is raised when its turn comes.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "prefetch") as pool:
        pending = deque(pool.submit(next, source, None) for _ in range(count))
        while (item := pending.popleft().result()) is not None:
            pending.append(pool.submit(next, source, None))
            yield item
