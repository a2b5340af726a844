"""Plugins: found by metadata, imported one by one when used, each inside its own guard."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from cloudllm.errors import PluginError, UnknownModel, UnknownProvider
from cloudllm.plugins import Plugins
from cloudllm.registry import Registry

Install = Callable[..., None]

GOOD = """
from cloudllm import Provider, hookimpl

@hookimpl
def cloudllm_providers():
    return [Provider(name={name!r}, label="Test", litellm_route="openai")]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution with one provider plugin on the path, as pip would."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def install(
        name: str,
        source: str | None,
        *,
        distribution: str = "",
        module: str = "",
        group: str = "cloudllm.providers",
    ) -> None:
        distribution = distribution or f"cloudllm-{name}"
        module = module or f"plugin_{name}_{uuid4().hex}"  # modules are cached by name
        folder = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        (folder / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
        if source is not None:
            (site / f"{module}.py").write_text(source)

    return install


def test_bundled_providers_are_ordinary_entry_points() -> None:
    plugins = Plugins()
    assert {"anthropic", "echo", "local", "openai"} <= set(plugins.providers)
    for name in ("anthropic", "echo", "local", "openai"):
        assert plugins.provider(name).name == name


def test_listing_imports_no_plugin_and_using_one_imports_no_other() -> None:
    program = (
        "import sys; from cloudllm.plugins import Plugins; plugins = Plugins();"
        "assert 'openai' in plugins.providers;"
        "assert not [m for m in sys.modules if m.startswith('cloudllm_providers')];"
        "plugins.provider('echo');"
        "print(sorted(m for m in sys.modules if m.startswith('cloudllm_providers.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['cloudllm_providers.echo']"


def test_an_unknown_provider_comes_with_a_suggestion() -> None:
    with pytest.raises(UnknownProvider, match=r"unknown provider 'opnai'\. Did you mean openai\?"):
        Plugins().provider("opnai")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise RuntimeError('boom')", "cannot be loaded: RuntimeError: boom"),
        ("raise SystemExit(3)", "cannot be loaded: SystemExit: 3"),
        ("def broken(:", "cannot be loaded: SyntaxError"),
        ("import no_such_package_at_all", "needs the package 'no_such_package_at_all'"),
        (None, "cannot be loaded: ModuleNotFoundError"),
        ("", "offers no provider named 'acme' (it offers: none)"),
        (GOOD.format(name="other"), "offers no provider named 'acme' (it offers: other)"),
        (GOOD.format(name="acme").replace("return [", "return 7 #"), "failed to register"),
        (GOOD.format(name="acme").replace("providers()", "providers(x)"), "failed to register"),
        (GOOD.format(name="acme").replace("return", "raise SystemExit(3)#"), "failed to register"),
    ],
)
def test_G8_a_broken_plugin_is_one_line_and_harms_nothing_else(
    source: str | None, words: str, install: Install
) -> None:
    install("acme", source)
    plugins = Plugins()
    with pytest.raises(PluginError) as caught:
        plugins.provider("acme")
    message = str(caught.value)
    assert words in message
    assert "acme (cloudllm-acme 1.2)" in message
    assert "\n" not in message
    assert plugins.provider("openai").name == "openai"


def test_G8_what_a_plugin_prints_is_swallowed(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("acme", "import sys\nprint('noise')\nprint('noise', file=sys.stderr)\n"
            + GOOD.format(name="acme"))  # fmt: skip
    assert Plugins().provider("acme").label == "Test"
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_during_an_import_is_no_plugin_error(install: Install) -> None:
    install("acme", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Plugins().provider("acme")


def test_a_bundled_name_cannot_be_taken(install: Install) -> None:
    install("openai", GOOD.format(name="openai"), distribution="evil-openai")
    plugins = Plugins()
    assert [plugin.distribution for plugin in plugins.providers["openai"]] == ["cloudllm"]
    assert plugins.provider("openai").label == "OpenAI"


def test_of_two_plugins_with_one_name_neither_loads_until_one_is_denied(install: Install) -> None:
    install("acme", GOOD.format(name="acme"), distribution="acme-one")
    install("acme", GOOD.format(name="acme"), distribution="acme-two")
    with pytest.raises(PluginError, match=r"acme-\w+ 1\.2 and acme-\w+ 1\.2 both offer it"):
        Plugins().provider("acme")
    assert Plugins(deny=["acme-two"]).provider("acme").name == "acme"


def test_third_party_plugins_can_be_switched_off_and_listed(install: Install) -> None:
    install("acme", GOOD.format(name="acme"))
    assert "acme" in Plugins().providers
    assert "acme" not in Plugins(enabled=False).providers
    assert "acme" not in Plugins(deny=["acme"]).providers
    assert "acme" not in Plugins(allow=[]).providers
    assert "acme" in Plugins(allow=["cloudllm-acme"]).providers
    assert "openai" in Plugins(enabled=False, allow=[]).providers


CLIENT = """
from cloudllm import Provider, hookimpl

class Bad(Provider):
    def __init__(self):
        super().__init__(name="acme", label="Bad", litellm_route="openai", default_model="m")

    def client(self, model, settings):
        print("noise")
        {body}

@hookimpl
def cloudllm_providers():
    return [Bad()]
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('boom')", "cannot make a client: ValueError: boom"),
        ("raise SystemExit(77)", "cannot make a client: SystemExit: 77"),
        ("next(iter(()))", "cannot make a client: StopIteration"),
        ("import no_such_package", "needs the package 'no_such_package'"),
        ("return 'a client'", "client() gave str, no Client"),
    ],
)
def test_G8_a_provider_that_fails_to_make_a_client_is_one_line(
    body: str, words: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("acme", CLIENT.format(body=body))
    with pytest.raises(PluginError) as caught:
        Registry().client("acme/m")
    assert words in str(caught.value)
    assert "acme (cloudllm-acme 1.2)" in str(caught.value)
    assert capsys.readouterr() == ("", "")


def test_a_subclass_may_have_its_own_init_and_its_own_errors(install: Install) -> None:
    install("acme", CLIENT.format(body="return super().client(model, settings)"))
    assert Registry().client("acme").id == "acme/m"
    install("strict", CLIENT.replace("acme", "strict").format(
        body="from cloudllm import UnknownModel; raise UnknownModel('no such model')"))  # fmt: skip
    with pytest.raises(UnknownModel, match=r"^no such model$"):
        Registry().client("strict/x")
