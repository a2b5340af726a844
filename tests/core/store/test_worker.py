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
        last = threading.Event()
        for number in range(200):
            made.put(partial(done.append, number))
        made.put(last.set)
        assert last.wait(10)
        made.put(idle.clear)  # it may have been idle in between
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


def test_what_is_for_later_comes_after_what_is_put_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "_LINGER", 0.01)
    idle, done = threading.Event(), list[str]()
    made = Worker(idle.set)
    made.put_later(0.1, partial(done.append, "later"))
    made.put_later(0.05, partial(done.append, "sooner"))
    made.put(partial(done.append, "now"))
    assert idle.wait(10)
    assert done == ["now", "sooner", "later"]


def test_no_thread_begins_before_there_is_something_to_do() -> None:
    before = threads()
    Worker(lambda: None)
    assert threads() == before
