"""litellm's import does not parse its tokenizer's file, and what it keeps of it is the same."""

from __future__ import annotations

import io
import json
import subprocess
import sys
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


COUNTS = """
import asyncio, sys
from cloudllm import gateway
asyncio.run(gateway.ready())
import litellm
made = "tiktoken" in sys.modules and bool(sys.modules["tiktoken"].registry.ENCODINGS)
from litellm.litellm_core_utils.default_encoding import encoding
print(made, encoding.name, encoding.encode("one two three"), litellm.token_counter("x", text="one two"))

import copy, tiktoken
real = tiktoken.get_encoding("cl100k_base")
assert encoding is not real
texts = ["", "one two", "<|endoftext|>", "漢字 🎉 e\u0301", "def f(x):\\n    return x", "ab " * 3_000]
for stand_in in (encoding, copy.copy(encoding)):
    for text in texts:
        tokens = real.encode(text, disallowed_special=())
        assert stand_in.encode(text, disallowed_special=()) == tokens
        assert stand_in.decode(tokens) == text
    assert (stand_in.n_vocab, stand_in.eot_token) == (real.n_vocab, real.eot_token)
"""


def test_the_tokenizer_is_made_when_it_is_used_and_counts_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNTS], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "False cl100k_base [606, 1403, 2380] 2\n"


async def test_G10_the_responses_route_estimates_nothing() -> None:
    await gateway.ready()
    route = import_module("litellm.responses.streaming_iterator")
    assert route._estimate_usage_safely("gpt-4o", "hello", {}, "hello") is None
