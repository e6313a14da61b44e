"""An iterator that works ahead in a thread of its own."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

_END = object()
_LOOK_SECONDS = 0.1


def prefetch(items: Iterable[T], ahead: int = 2) -> Generator[T, None, None]:
    """Give the same items in the same order, made ahead in a thread.

    The thread ends when the iterator is closed or given up, at the latest when the item that it makes is ready.

    Args:
        items: iterated in the thread only.
        ahead: how many wait at most.

    Yields:
        T: the items; an error of theirs is raised when its turn comes.
    """
    ready: queue.Queue[object] = queue.Queue(ahead)
    stopped = threading.Event()
    faults: list[BaseException] = []

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as fault:  # raised again where the items are used
            faults.append(fault)
        put(_END)

    thread = threading.Thread(target=work, daemon=True, name="prefetch")
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            yield item  # type: ignore[misc]
        if faults:
            raise faults[0]
    finally:
        stopped.set()
        thread.join()
