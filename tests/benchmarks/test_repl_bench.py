"""A running chat on a terminal: a long reply, pastes, keys while a reply streams, and leaving."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import median, quantiles

import pytest

from tests.benchmarks.replies import END, provider
from tests.benchmarks.typist import CLOUDLLM, PROMPT_TOOLKIT, Typist, interleaved, ratios

CHUNKS = 1_000
KEYS = "".join(map(chr, (*range(0x410, 0x482), *range(0x48A, 0x500))))
"""Each once, and none of them in a reply: what is repainted can't be taken for the echo."""

LINE = "the quick brown fox jumps over the lazy dog, again and again\n"
STARTS = 3

BARE = """
import asyncio, os, sys
import litellm

async def reply(message):
    stream = await litellm.acompletion(
        model="openai/m", messages=[{"role": "user", "content": message}], api_key="none",
        api_base=sys.argv[1], stream=True, stream_options={"include_usage": True},
    )
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            sys.stdout.write(chunk.choices[0].delta.content)
            sys.stdout.flush()

loop = asyncio.new_event_loop()
while True:
    loop.run_until_complete(reply(input("> ")))
    print()
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with provider() as url:
        yield url


@pytest.fixture(scope="module")
def environ(url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    return {
        "CLOUDLLM_HOME": str(home / "cloudllm"),
        "HOME": str(home),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": url,
    }


@pytest.fixture(scope="module")
def chat(environ: dict[str, str]) -> Iterator[Typist]:
    """A chat that has had its first turn."""
    with Typist([CLOUDLLM], **environ) as typist:
        typist.wait_for(b">")
        turn(typist)
        typist.settle()
        yield typist


def turn(typist: Typist, chunks: int = 10, enter: str = "\r\\end\r") -> float:
    """Seconds from a message to the end of its reply on the screen."""
    typist.settle()
    return typist.enter(f"{chunks} 0{enter}", END)


def test_a_long_reply_is_shown_about_as_soon_as_by_bare_litellm(
    chat: Typist, environ: dict[str, str]
) -> None:
    url = environ["OPENAI_BASE_URL"]
    with Typist([sys.executable, "-c", BARE, url], **environ) as bare:
        bare.wait_for(b">")
        floor, ours = interleaved(
            lambda: turn(bare, CHUNKS, "\n"), lambda: turn(chat, CHUNKS), rounds=7
        )
    print(f"\n{CHUNKS} chunks of Markdown: litellm {floor * 1e3:.0f} ms, cloudllm"
          f" {ours * 1e3:.0f} ms, ratio {ours / floor:.2f} (at most 1.3)")  # fmt: skip
    assert ours <= 1.3 * floor


def test_a_key_at_rest_is_echoed_about_as_soon_as_by_a_bare_prompt(chat: Typist) -> None:
    taken: tuple[list[tuple[float, float]], ...] = ([], [])
    with Typist([sys.executable, "-c", PROMPT_TOOLKIT]) as bare:
        for typist in (bare, chat):
            typist.settle()
        for number, key in enumerate(KEYS[:100]):
            for which in (0, 1) if number % 2 else (1, 0):
                typist = (bare, chat)[which]
                before = typist.cpu()
                seconds = typist.type(key)
                typist.listen(0.01)
                taken[which].append((seconds, typist.cpu() - before))
    chat.send("\x03")
    floor, ours = (median(seconds for seconds, _ in each) for each in taken)
    wall, cpu = ratios(*taken)
    print(f"\na key at rest: prompt_toolkit {floor * 1e3:.2f} ms, cloudllm {ours * 1e3:.2f} ms,"
          f" ratio {wall:.2f}, of CPU time {cpu:.2f} (at most 1.10)")  # fmt: skip
    assert wall <= 1.10


def test_pastes_are_in_the_editor_at_once(chat: Typist) -> None:
    bracketed, unbracketed, after = [], [], []
    for _ in range(STARTS):
        bracketed.append(chat.enter(f"\x1b[200~{LINE * 10_000}\x1b[201~Ж", "Ж".encode()))
        chat.settle()
        after.append(chat.type("Я"))
        chat.send("\x03")
        chat.settle()
        unbracketed.append(chat.enter(LINE.replace("\n", "\r") * 1_000 + "Ж", "Ж".encode()))
        chat.settle()
        chat.send("\x03")
        chat.settle()
    print(f"\n10,000 lines pasted: {median(bracketed):.2f} s (at most 0.6), the next key"
          f" {median(after) * 1e3:.0f} ms (at most 50); 1,000 lines unbracketed:"
          f" {median(unbracketed):.2f} s (at most 0.6)")  # fmt: skip
    assert median(bracketed) <= 0.6
    assert median(after) <= 0.050
    assert median(unbracketed) <= 0.6


def test_keys_are_echoed_at_once_while_a_reply_streams(chat: Typist, slowness: float) -> None:
    chat.send("20000 0.001\r\\end\r")
    chat.wait_for(b"Ownership")
    echoes = []
    for key in KEYS:
        echoes.append(chat.type(key))
        chat.listen(0.02)
    chat.send("\x03")  # stops the reply
    chat.settle()
    chat.send("\x03")  # clears the editor
    shares = quantiles(echoes, n=100)
    p95, p99 = shares[94] * 1e3, shares[98] * 1e3
    print(f"\necho of {len(echoes)} keys while streaming: median {median(echoes) * 1e3:.1f} ms,"
          f" p95 {p95:.0f} (at most 30), p99 {p99:.0f} (at most 60)")  # fmt: skip
    assert p95 <= 30 * slowness
    assert p99 <= 60 * slowness


def test_leaving_takes_no_time(environ: dict[str, str], slowness: float) -> None:
    seconds = []
    for _ in range(STARTS):
        with Typist([CLOUDLLM], **environ) as typist:
            typist.wait_for(b">")
            turn(typist)
            typist.settle()
            seconds.append(typist.leave("\x04"))
    print(f"\nleaving: {median(seconds) * 1e3:.0f} ms (at most 50)")
    assert median(seconds) <= 0.050 * slowness
