"""Keeps litellm from making tokenizers: each step of that holds up every other thread.

And with them the keys that are typed meanwhile (litellm 1.106). Of the two megabytes of one it makes
JSON of JSON, `json.dumps(json.load(...))` in `litellm/utils.py`, some 60 ms each; nothing that we
call needs more than the text. The second one, of `litellm_core_utils/default_encoding.py`, takes
some 130 ms in one piece; it is handed from call to call, and used only where a provider does not
count by itself, as Anthropic does not count its reasoning. The third one, of a newer model of
OpenAI's, is for an estimate on the responses route, where no usage was reported; it takes as long,
in the event loop, and we never take an estimate for a report.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import PurePath
from types import ModuleType
from typing import Any

_FILE = "anthropic_tokenizer.json"
_MODULE = "litellm.litellm_core_utils.default_encoding"
_RESPONSES, _ESTIMATE = "litellm.responses.streaming_iterator", "_estimate_usage_safely"


class _Text(str):
    """What stands in the file, for the value that it means."""

    __slots__ = ()


@contextmanager
def tokenizer() -> Iterator[None]:
    """While this lasts, `json.load` gives that file's text and `json.dumps` gives it back."""
    load, dumps = json.load, json.dumps

    def load_text(file: Any, **options: Any) -> Any:  # noqa: ANN401 - its signature
        is_it = PurePath(str(getattr(file, "name", ""))).name == _FILE
        return _Text(file.read()) if is_it else load(file, **options)

    def dump_text(value: Any, **options: Any) -> str:  # noqa: ANN401 - its signature
        return str(value) if isinstance(value, _Text) else dumps(value, **options)

    json.load = load_text  # type: ignore[assignment]
    json.dumps = dump_text  # type: ignore[assignment]
    try:
        yield
    finally:
        json.load, json.dumps = load, dumps


class Encoding:
    """Stands for litellm's default tokenizer, which is made when it is used after all."""

    name = "cl100k_base"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the tokenizer's
        with _lock:
            if sys.modules.get(_MODULE) is _stand_in:
                del sys.modules[_MODULE]
            return getattr(import_module(_MODULE).encoding, name)


_lock = threading.Lock()
_stand_in = ModuleType(_MODULE)
_stand_in.encoding = Encoding()  # type: ignore[attr-defined]


def spare_encoding() -> None:
    """Have litellm take the stand-in, unless it has the tokenizer already."""
    sys.modules.setdefault(_MODULE, _stand_in)


def spare_estimate() -> None:
    """Have the responses route, if this litellm has imported it, estimate nothing."""
    route = sys.modules.get(_RESPONSES)
    if hasattr(route, _ESTIMATE):
        setattr(route, _ESTIMATE, _unknown)


def _unknown(*_: object, **__: object) -> None:
    """What it takes for an estimate that has failed."""
