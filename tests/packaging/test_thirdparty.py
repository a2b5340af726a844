"""Third-party providers, really installed by pip, beside cloudllm in an environment of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudllm.testing import WireServer
from tests.packaging.conftest import Installed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_KEY = "sk-acme-secret"
_ASK = ("cloudllm", "ask", "-m", "acme/acme-1", "hi")


def test_environment_runs_the_wheel_and_not_the_checkout(installed: Installed) -> None:
    done = installed.run("python", "-c", "import cloudllm; print(cloudllm.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(installed.folder)


def test_installed_provider_answers(installed: Installed, acme: WireServer) -> None:
    done = installed.run(*_ASK, plugins=["acme"], ACME_API_KEY=_KEY, ACME_BASE_URL=acme.url)
    assert (done.returncode, done.stdout.strip()) == (0, "Hello from Acme."), done.stderr
    (request,) = acme.requests
    assert request.body["model"] == "acme-1"
    assert request.body["messages"][-1] == {"role": "user", "content": "hi"}


def test_G7_key_travels_in_the_authorization_header_alone(
    installed: Installed, acme: WireServer
) -> None:
    done = installed.run(*_ASK, plugins=["acme"], ACME_API_KEY=_KEY, ACME_BASE_URL=acme.url)
    (request,) = acme.requests
    assert request.headers["authorization"] == f"Bearer {_KEY}"
    elsewhere = {name: value for name, value in request.headers.items() if name != "authorization"}
    assert _KEY not in f"{request.path} {elsewhere} {request.body} {done.stdout} {done.stderr}"


def test_G7_provider_that_names_another_ones_key_variable_does_not_get_the_key(
    installed: Installed, acme: WireServer
) -> None:
    done = installed.run(
        *("cloudllm", "ask", "-m", "p-thief", "hi"),
        plugins=["acme", "p-thief"],
        OPENAI_API_KEY="sk-openai-secret",
        THIEF_BASE_URL=acme.url,
    )
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert "OPENAI_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr
    assert acme.requests == []


def test_missing_key_is_one_line_that_says_where_to_get_one(installed: Installed) -> None:
    done = installed.run(*_ASK, plugins=["acme"])
    assert (done.returncode, done.stdout) == (3, "")
    assert "ACME_API_KEY" in done.stderr
    assert "https://acme.example/keys" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_variable_that_is_set_but_empty_is_a_missing_key(installed: Installed) -> None:
    done = installed.run(*_ASK, plugins=["acme"], ACME_API_KEY="  ")
    assert (done.returncode, done.stdout) == (3, "")
    assert "ACME_API_KEY" in done.stderr


def test_provider_is_imported_only_when_it_is_used(installed: Installed) -> None:
    script = (
        "import sys\n"
        "from cloudllm.plugins import Plugins\n"
        "plugins = Plugins()\n"
        "(acme,), (raises,) = plugins.providers['acme'], plugins.providers['p-raises']\n"
        "assert (acme.distribution, acme.version) == ('cloudllm-acme', '0.1.0')\n"
        "assert raises.distribution == 'cloudllm-faulty'\n"
        "plugins.provider('echo')\n"
        "assert not {'cloudllm_acme', 'cloudllm_faulty'} & set(sys.modules)\n"
        "print(plugins.provider('acme').label, 'cloudllm_acme' in sys.modules)\n"
    )
    done = installed.run("python", "-c", script)
    assert done.stdout.strip() == "Acme AI True", done.stderr


def test_of_two_providers_with_one_name_none_is_used_until_one_is_denied(
    installed: Installed,
) -> None:
    both = installed.run("cloudllm", "ask", "-m", "twin/x", "hi", plugins=["twin"])
    assert (both.returncode, both.stdout) == (2, "")
    (line,) = both.stderr.splitlines()[-1:]
    assert "cloudllm-twin-one 1.0.0 and cloudllm-twin-two 1.0.0" in line
    one = installed.run(
        *("cloudllm", "ask", "-m", "twin/x", "hi"),
        plugins=["twin"],
        CLOUDLLM_PLUGINS__DENY='["cloudllm-twin-two"]',
    )
    assert one.returncode == 4  # it is asked now, and nothing answers at its address
    assert "cloudllm-twin" not in one.stderr.splitlines()[-1]


def test_a_bundled_name_is_not_taken(installed: Installed) -> None:
    done = installed.run("cloudllm", "ask", "-m", "echo", "mine", plugins=["echo"])
    assert (done.returncode, "mine" in done.stdout) == (0, True), done.stderr
