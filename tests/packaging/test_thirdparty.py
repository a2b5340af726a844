"""Third-party distributions, really installed by pip, beside cloudllm in an environment of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudllm.testing import Reply, WireServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_DISTRIBUTIONS = Path(__file__).parent / "thirdparty"
_KEY = "sk-acme-secret"


@dataclass(frozen=True)
class Installed:
    """A virtual environment that holds cloudllm's wheel and the two third-party distributions."""

    folder: Path

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment; the current one's variables hold, `environ` adds."""
        program, *arguments = command
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=os.environ | environ,
        )


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install everything once; the dependencies are those of the environment that runs the tests."""
    top = tmp_path_factory.mktemp("thirdparty")
    sources = shutil.copytree(_DISTRIBUTIONS, top / "sources")
    folder = top / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    reused = folder / "lib" / version / "site-packages" / "reused.pth"
    reused.write_text(sysconfig.get_path("purelib") + "\n")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install"]
    offline = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *offline, str(wheel), *map(str, sorted(sources.iterdir()))], check=True)
    return Installed(folder)


@pytest.fixture
def server() -> Iterator[WireServer]:
    """Acme AI, on the loopback interface."""
    with WireServer() as server:
        server.default = Reply(text="Hello from Acme.")
        yield server


def test_environment_runs_the_wheel_and_not_the_checkout(installed: Installed) -> None:
    done = installed.run("python", "-c", "import cloudllm; print(cloudllm.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(installed.folder)


def test_installed_provider_answers(installed: Installed, server: WireServer) -> None:
    done = installed.run(
        "cloudllm", "ask", "-m", "acme/acme-1", "hi", ACME_API_KEY=_KEY, ACME_BASE_URL=server.url
    )
    assert (done.returncode, done.stdout.strip()) == (0, "Hello from Acme."), done.stderr
    (request,) = server.requests
    assert request.body["model"] == "acme-1"
    assert request.body["messages"][-1] == {"role": "user", "content": "hi"}


def test_G7_key_travels_in_the_authorization_header_alone(
    installed: Installed, server: WireServer
) -> None:
    done = installed.run(
        "cloudllm", "ask", "-m", "acme/acme-1", "hi", ACME_API_KEY=_KEY, ACME_BASE_URL=server.url
    )
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {_KEY}"
    elsewhere = {name: value for name, value in request.headers.items() if name != "authorization"}
    assert _KEY not in f"{request.path} {elsewhere} {request.body} {done.stdout} {done.stderr}"


def test_missing_key_is_one_line_that_says_where_to_get_one(installed: Installed) -> None:
    done = installed.run("cloudllm", "ask", "-m", "acme/acme-1", "hi")
    assert (done.returncode, done.stdout) == (3, "")
    assert "ACME_API_KEY" in done.stderr
    assert "https://acme.example/keys" in done.stderr
    assert "Traceback" not in done.stderr


def test_provider_is_imported_only_when_it_is_used(installed: Installed) -> None:
    script = (
        "import sys\n"
        "from cloudllm.plugins import Plugins\n"
        "plugins = Plugins()\n"
        "(acme,), (broken,) = plugins.providers['acme'], plugins.providers['broken']\n"
        "assert (acme.distribution, acme.version) == ('cloudllm-acme', '0.1.0')\n"
        "assert broken.distribution == 'cloudllm-broken'\n"
        "plugins.provider('echo')\n"
        "assert not {'cloudllm_acme', 'cloudllm_broken'} & set(sys.modules)\n"
        "print(plugins.provider('acme').label, 'cloudllm_acme' in sys.modules)\n"
    )
    done = installed.run("python", "-c", script)
    assert done.stdout.strip() == "Acme AI True", done.stderr


def test_G8_broken_plugin_harms_no_other_provider(installed: Installed) -> None:
    done = installed.run("cloudllm", "ask", "-m", "echo/echo", "still here")
    assert done.returncode == 0, done.stderr
    assert "still here" in done.stdout
    assert "broken" not in done.stderr


def test_G8_broken_plugin_is_named_in_one_line_when_it_is_used(installed: Installed) -> None:
    done = installed.run("cloudllm", "ask", "-m", "broken/x", "hi")
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    naming = [line for line in done.stderr.splitlines() if "cloudllm-broken" in line]
    assert len(naming) == 1, done.stderr
    assert "the broken plugin was imported" in naming[0]
    assert "Traceback" not in done.stderr
