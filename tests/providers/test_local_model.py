"""The provider `local` with the real model: it answers, streams, is reused, and goes away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudllm import (
    Client,
    CloudLLMError,
    ConfigurationError,
    Deadlines,
    Message,
    ProviderSettings,
    Request,
    Role,
    StreamEnded,
    TextDelta,
    gateway,
)
from cloudllm_providers.local import LocalSettings, cloudllm_providers, engine
from cloudllm_providers.local.pull import pull
from cloudllm_providers.local.weights import SMOLLM2

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def weights_file() -> Path:
    """The real weights, fetched once into a folder that outlives the run."""
    pytest.importorskip("xllamacpp", reason="the extra `local` is not installed")
    shared = Path(tempfile.gettempdir()) / "cloudllm-test-weights"
    folder = Path(os.environ.get("TEST_WEIGHTS_FOLDER", shared))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDLLM_HOME", str(folder))
        path = SMOLLM2.path
        try:
            if not (path.exists() and SMOLLM2.intact(path)):
                pull(SMOLLM2, lambda _done, _total: None)
        except CloudLLMError as error:
            pytest.skip(f"no weights for the local model: {error}")
    return path


@pytest.fixture
def smollm2(weights_file: Path) -> None:
    """The weights in this test's own home."""
    SMOLLM2.path.parent.mkdir(parents=True)
    SMOLLM2.path.symlink_to(weights_file)


@pytest.fixture(scope="module", autouse=True)
def no_process_stays() -> Iterator[None]:
    yield
    engine.stop_all()


def make_client(model: str = "smollm2", options: LocalSettings | None = None) -> Client:
    return cloudllm_providers()[0].client(model, ProviderSettings(options=options))


def chat(client: Client, *, key: str | None = None, **body: object) -> list[dict[str, object]]:
    """One streamed chat by plain HTTP; the decoded events."""
    assert client.api_key is not None
    question = {"role": "user", "content": "What is the capital of France?"}
    system = {"role": "system", "content": "You are a helpful assistant."}
    body = {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 16, **body}
    request = urllib.request.Request(
        f"{client.api_base}/chat/completions",
        data=json.dumps({"model": client.model, "messages": [system, question], **body}).encode(),
        headers={
            "Authorization": f"Bearer {key or client.api_key.get_secret_value()}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        lines = [line.decode().strip() for line in response]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


@pytest.mark.usefixtures("smollm2")
def test_client_is_on_loopback_with_a_random_key_and_the_real_context() -> None:
    client = make_client()
    assert client.id == "local/smollm2"
    assert client.route == "openai"
    assert client.hosts == {"127.0.0.1"}
    assert str(client.api_base).startswith("http://127.0.0.1:")
    assert client.info is not None
    assert client.info.context_limit == 4096
    assert "sk-local" not in repr(client)


@pytest.mark.usefixtures("smollm2")
def test_chat_streams_and_reports_usage() -> None:
    events = chat(make_client())
    texts = [event["choices"][0]["delta"].get("content") for event in events if event["choices"]]  # type: ignore[index]
    assert len([text for text in texts if text]) > 1
    usage = next(event["usage"] for event in events if event.get("usage"))
    assert usage["prompt_tokens"] > 0  # type: ignore[index]
    assert usage["completion_tokens"] > 0  # type: ignore[index]


@pytest.mark.usefixtures("smollm2")
def test_wrong_key_is_refused() -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        chat(make_client(), key="sk-wrong")
    caught.value.close()
    assert caught.value.code == 401


@pytest.mark.usefixtures("smollm2")
def test_clients_of_one_model_share_a_server_also_across_threads() -> None:
    with ThreadPoolExecutor(4) as threads:
        clients = list(threads.map(lambda _: make_client(), range(8)))
    assert len({client.api_base for client in clients}) == 1


def test_any_gguf_runs_by_path(weights_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "mödel with blanks.gguf"
    path.symlink_to(weights_file)
    client = make_client(str(path))
    assert client.model == str(path)
    assert chat(client)


@pytest.mark.usefixtures("smollm2")
def test_context_is_never_more_than_the_model_was_trained_for() -> None:
    info = make_client(options=LocalSettings(context=9000)).info
    assert info is not None
    assert info.context_limit == 8192


@pytest.mark.usefixtures("smollm2")
def test_server_that_died_is_started_again() -> None:
    first = make_client()
    for server in engine._servers.values():
        server.process.kill()
        server.process.wait()
    assert make_client().api_base != first.api_base


def test_cut_file_is_refused_with_llama_cpps_reason(weights_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    with weights_file.open("rb") as whole:
        path.write_bytes(whole.read(40_000_000))
    with pytest.raises(ConfigurationError, match="corrupted or incomplete"):
        make_client(str(path))


SILENT = """
import os, sys
from cloudllm import ProviderSettings
from cloudllm_providers.local import cloudllm_providers, engine
cloudllm_providers()[0].client("smollm2", ProviderSettings())
(process,) = engine._processes
sys.stdout.write(str(process.pid))
sys.stdout.flush()
LEAVE
"""


@pytest.mark.usefixtures("smollm2")
@pytest.mark.parametrize("leave", ["", "os._exit(0)", "os.kill(os.getpid(), 9)", "sys.exit(3)"])
def test_server_ends_with_the_program_and_prints_nothing(leave: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SILENT.replace("LEAVE", leave)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    assert_ends(int(done.stdout))


def assert_ends(process: int) -> None:
    """Wait until no process has this id, at most five seconds."""
    ended = threading.Event()
    for _ in range(50):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        ended.wait(0.1)
    pytest.fail(f"process {process} still runs")


@pytest.mark.usefixtures("smollm2")
async def test_gateway_streams_the_local_model() -> None:
    messages = (
        Message(Role.SYSTEM, "You are a helpful assistant."),
        Message(Role.USER, "What is the capital of France?"),
    )
    request = Request(messages=messages, max_output_tokens=16)
    events = [event async for event in gateway.stream(make_client(), request, Deadlines())]
    assert any(isinstance(event, TextDelta) for event in events)
    ended = events[-1]
    assert isinstance(ended, StreamEnded)
    assert ended.finish_reason in {"stop", "length"}
    assert ended.usage is not None
    assert ended.usage.output_tokens > 0
