"""What a reply costs to show as Markdown, against the same reply shown plainly."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.benchmarks.typist import Typist


def test_markdown_costs_a_few_times_plain_text_and_no_more_in_a_long_reply() -> None:
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "tests.benchmarks.painting"]
    with Typist(command, PYTHONPATH=root) as typist:
        shown = typist.rest().decode(errors="replace")
    found = re.findall(r"^\{.+\}", shown, re.MULTILINE)
    assert found, shown[-2000:]
    cost = json.loads(found[-1])
    ratio, growth = cost["markdown"] / cost["plain"], cost["long"] / cost["markdown"] - 1
    print(f"\nCPU for each KB: printed {cost['printed']:.1f} ms, plain {cost['plain']:.1f}, Markdown"
          f" {cost['markdown']:.1f}, ratio {ratio:.2f} (at most 3), growth to 400 KB"
          f" {growth * 100:.0f} % (at most 15)")  # fmt: skip
    assert ratio <= 3
    assert growth <= 0.15
