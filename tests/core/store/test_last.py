"""Which conversation of a folder is the last one, whatever the clock says."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm.store import entries, migrations
from cloudllm.store.alive import Alive, alive

FOLDERS = ["/f", "/g", "/h"]
# Which conversation; in which folder it is taken up, or else it is gone on with; and when.
ACTS = st.tuples(st.integers(0, 3), st.sampled_from([None, *FOLDERS]), st.integers(0, 5))


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Alive:
    return alive(tmp_path_factory.mktemp("data"))


def expected(homes: list[str], done: list[tuple[int, str | None, int]], folder: str) -> int | None:
    """The one that was gone on with or taken up last, of those that were held in the folder.

    Beside its own folder it remembers the one in which it was taken up last.
    """
    taken_up: dict[int, str] = {}
    here: dict[int, int] = defaultdict(int)  # when each was seen last in its own folder
    there: dict[int, int] = {}  # and where it was taken up
    for number, (which, where, _) in enumerate(done, start=1):
        if where is None:
            here[which] = number
        else:
            taken_up[which] = where
        there[which] = number
    times = {which: here[which] for which, home in enumerate(homes) if home == folder}
    times |= {which: there[which] for which, where in taken_up.items() if where == folder}
    return max(times, key=lambda which: times[which], default=None)


@given(st.lists(st.sampled_from(FOLDERS), min_size=1, max_size=4), st.lists(ACTS, max_size=12))
def test_the_last_one_is_the_same_whatever_the_clock_says(
    living: Alive, homes: list[str], acts: list[tuple[int, str | None, int]]
) -> None:
    begun = [(which, None, 0) for which in range(len(homes))]
    acts = [*begun, *(each for each in acts if each[0] < len(homes))]
    with closing(sqlite3.connect(":memory:")) as connection:
        migrations.migrate(connection)
        for which, home in enumerate(homes):
            entries.begin(connection, key=f"{which}", title=f"{which}", created=0, folder=home)
        for number, (which, where, now) in enumerate(acts, start=1):
            if where is None:
                entries.touch(connection, which + 1, now)
            else:
                entries.use(connection, which + 1, where, now)
            if number < len(homes):
                continue
            for folder in FOLDERS:
                found = entries.last(connection, living, folder)
                last = None if found is None else int(found.title)
                assert last == expected(homes, acts[:number], folder)
