"""What 200 installed provider plugins cost: the prompt, and the list of them, against none."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

import pytest

from tests.benchmarks.typist import CLOUDLLM, first_echo, interleaved, wall

INSTALLED = 200
ROUNDS = 41

_MODULE = '''"""Acme {number} for cloudllm."""

from cloudllm import Provider, hookimpl


@hookimpl
def cloudllm_providers():
    return [Provider(name="acme-{number}", label="Acme {number}", litellm_route="openai",
                     api_base="https://api-{number}.acme.example/v1", key_env=("ACME_KEY",))]
'''


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A folder without a distribution, and one with 200, as pip leaves them."""
    empty, full = tmp_path_factory.mktemp("none"), tmp_path_factory.mktemp("many")
    for number in range(INSTALLED):
        _install(full, number)
    return str(empty), str(full)


def _install(site: Path, number: int) -> None:
    name = f"cloudllm_acme_{number}"
    information = site / f"{name}-1.{number}.dist-info"
    information.mkdir()
    (site / f"{name}.py").write_text(_MODULE.format(number=number))
    files = {
        "METADATA": f"Metadata-Version: 2.4\nName: cloudllm-acme-{number}\nVersion: 1.{number}\n"
        "Summary: Acme for cloudllm.\nRequires-Python: >=3.11\nRequires-Dist: cloudllm\n\nAcme.\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: hatchling\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        "INSTALLER": "pip\n",
        "RECORD": f"{name}.py,,\n{information.name}/METADATA,,\n",
        "entry_points.txt": f"[cloudllm.providers]\nacme-{number} = {name}\n",
    }
    for file, text in files.items():
        (information / file).write_text(text)


def _undisturbed(seconds: Sequence[float]) -> float:
    """The first quartile: other work on the machine makes a start slower, by more than 5 %."""
    return quantiles(seconds, n=4)[0]


def test_200_provider_plugins_do_not_delay_the_prompt(sites: tuple[str, str]) -> None:
    empty, full = sites
    none, many = interleaved(
        lambda: first_echo([CLOUDLLM], PYTHONPATH=empty),
        lambda: first_echo([CLOUDLLM], PYTHONPATH=full),
        rounds=ROUNDS,
        typical=_undisturbed,
    )
    print(f"\nfirst key echoed: no plugin {none * 1e3:.0f} ms, {INSTALLED} {many * 1e3:.0f} ms,"
          f" ratio {many / none:.3f} (at most 1.05)")  # fmt: skip
    assert many <= 1.05 * none


def test_200_provider_plugins_are_listed_quickly(sites: tuple[str, str]) -> None:
    empty, full = sites
    command = [CLOUDLLM, "plugins", "list"]
    listed = subprocess.check_output(command, env=os.environ | {"PYTHONPATH": full}, text=True)
    assert listed.count(" cloudllm-acme-") == INSTALLED
    none, many = interleaved(
        lambda: wall(command, PYTHONPATH=empty), lambda: wall(command, PYTHONPATH=full)
    )
    print(f"\nplugins list: no plugin {none * 1e3:.0f} ms, {INSTALLED} {many * 1e3:.0f} ms,"
          f" ratio {many / none:.2f} (at most 2)")  # fmt: skip
    assert many <= 2 * none
