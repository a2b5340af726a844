"""The store's thread: it keeps the order, and is there only while there is something to do."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from cloudllm.store import worker
from cloudllm.store.worker import Worker


def threads() -> int:
    return sum(each.name == "cloudllm-store" for each in threading.enumerate())


def test_it_keeps_the_order_and_ends_when_there_is_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_LINGER", 0.01)
    idle, done = threading.Event(), list[int]()
    made = Worker(idle.set)
    for _ in range(3):
        idle.clear()
        done.clear()
        for number in range(200):
            made.put(partial(done.append, number))
        assert idle.wait(10)
        assert done == list(range(200))


def test_what_comes_while_it_tidies_up_is_not_left_lying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_LINGER", 0.01)
    late = threading.Event()

    def tidy_up() -> None:
        if not late.is_set():
            made.put(late.set)

    made = Worker(tidy_up)
    made.put(lambda: None)
    assert late.wait(10)


def test_no_thread_begins_before_there_is_something_to_do() -> None:
    before = threads()
    Worker(lambda: None)
    assert threads() == before
