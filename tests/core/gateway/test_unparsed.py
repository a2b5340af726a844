"""litellm's import does not parse its tokenizer's file, and what it keeps of it is the same."""

from __future__ import annotations

import io
import json
from importlib import import_module, resources

from cloudllm import gateway
from cloudllm.gateway import unparsed


async def test_litellm_keeps_the_text_of_its_tokenizer() -> None:
    await gateway.ready()
    kept = import_module("litellm.utils").claude_json_str
    folder = resources.files("litellm.litellm_core_utils.tokenizers")
    text = folder.joinpath("anthropic_tokenizer.json").read_text(encoding="utf-8")
    assert type(kept) is str
    assert json.loads(kept) == json.loads(text)


def test_all_other_json_is_what_it_was() -> None:
    before = json.load, json.dumps
    with unparsed.tokenizer():
        assert json.dumps({"a": "ä"}, ensure_ascii=False) == '{"a": "ä"}'
        assert json.load(io.StringIO('{"a": 1}')) == {"a": 1}
    assert (json.load, json.dumps) == before
