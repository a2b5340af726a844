"""Markdown of any length as a model writes it; as a program, a provider that streams it.

The message says what is wanted: `CHUNKS DELAY`, chunks of four characters, and the seconds between
two of them. The last paragraph is `finis.`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from cloudllm.testing import Received, Reply, WireServer

END = b"finis."
CHUNK = 4
_LAST = "\n\nfinis."
_SECTION = """\
## {n}. Ownership and moves

Every value has *one* owner, and when the owner goes **out of scope** the value is dropped; see
`Drop` and [the book](https://example.com/book/{n}). Passing `value{n}` to a function moves it, so
that the caller can not use it again: 所有权 is checked when the program is compiled 🦀.

- Borrow with `&value` to read it
- Borrow with `&mut value` to change it
  - one borrower at a time
  - or any number of readers
- [x] Clone when both need their own

```python
def take(values: list[int], limit: int = {n}) -> list[int]:
    \"\"\"The first values, doubled.\"\"\"
    taken = [2 * value for value in values[:limit]]  # a copy
    return taken if taken else [limit]
```

| what | reads | writes | owners |
|---|:-:|:-:|---:|
| `T` | yes | yes | {n} |
| `&T` | yes | no | many |
| `&mut T` | yes | yes | one |

> A rule is a rule: what is borrowed is given back,
> and nothing outlives the value that it came from.

1. Write the function.
2. Let the compiler complain about line {n}.
3. Mend it.

"""


def markdown(characters: int) -> str:
    """That many characters of a reply: whole sections, filled up with prose, and the end."""
    wanted = characters - len(_LAST)
    text = ""
    for number in count(1):
        section = _SECTION.format(n=number)
        if len(text) + len(section) > wanted:
            break
        text += section
    filler = "word " * (wanted // 5)
    return text + filler[: wanted - len(text)] + _LAST


def chunks(text: str) -> list[str]:
    """The text in pieces of four characters."""
    return [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]


@contextmanager
def provider() -> Iterator[str]:
    """The address of a provider in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate("")


def _reply(request: Received) -> Reply:
    number, delay = request.body["messages"][-1]["content"].split()
    return Reply(text=chunks(markdown(CHUNK * int(number))), delay=float(delay))


def _serve() -> None:
    with WireServer(port=0) as server:
        server.default = _reply
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve()
