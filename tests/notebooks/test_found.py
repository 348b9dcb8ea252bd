"""What a page says it found, it has found: each number of a `**Found.**` paragraph is in an output above it.

Or in the results file that the paragraph names. Rounding is allowed, and a share may be said in per cent.
"""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NUMBER = re.compile(r"(?<![\w.,])([-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)(\s?%)?")


def numbers(text):
    """(value, decimals, whether it is in per cent) of each number in a text."""
    found = []
    for digits, percent in NUMBER.findall(text):
        plain = digits.replace("−", "-").replace(",", "")
        decimals = len(plain.partition(".")[2]) if "e" not in plain else 12
        found.append((float(plain), decimals, bool(percent)))
    return found


def is_said_by(number, outputs):
    """Whether one of the outputs' numbers, rounded as the prose rounds it, is this number. A sign may be in words."""
    value, decimals, percent = number
    slack = 0.5 * 10**-decimals * (1 + 1e-6) + 1e-9
    for other, _, other_percent in outputs:
        for scaled in (other, other * 100 if percent and not other_percent else other):
            if abs(abs(scaled) - abs(value)) <= slack:
                return True
    return False


def spoken(output):
    if output["output_type"] == "stream":
        return "".join(output["text"])
    data = output.get("data", {})
    html = re.sub(r"<style.*?</style>|<[^>]*>", " ", "".join(data.get("text/html", "")), flags=re.DOTALL)
    return "".join(data.get("text/plain", "")) + "\n" + html


def numbers_in(value):
    """The numbers anywhere in a results file."""
    if isinstance(value, dict | list):
        return [n for each in (value.values() if isinstance(value, dict) else value) for n in numbers_in(each)]
    if isinstance(value, str):
        return numbers(value)
    return [(float(value), 12, False)] if isinstance(value, int | float) else []


def unfounded(notebook, root=ROOT):
    """The numbers that a page says were found and that nothing above says."""
    said, missing = [], []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            said += [number for output in cell["outputs"] for number in numbers(spoken(output))]
            continue
        for paragraph in "".join(cell["source"]).split("\n\n"):
            if not paragraph.strip().startswith("**Found"):
                continue
            files = re.findall(r"data/results/[\w./-]+\.json", paragraph)
            known = said + [n for f in files for n in numbers_in(json.loads((root / f).read_text(encoding="utf-8")))]
            plain = re.sub(r"`[^`]*`|\$[^$]*\$|\([^()]*\b(?:19|20)\d\d\b[^()]*\)|\[[^]]*\]\([^)]*\)", " ", paragraph)
            missing += [(n[0], " ".join(paragraph.split())[:90]) for n in numbers(plain) if not is_said_by(n, known)]
    return missing


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_number_that_was_found_is_in_an_output_above(path):
    assert not unfounded(json.loads(path.read_text(encoding="utf-8")))


def cell(kind, source, printed=""):
    outputs = [{"output_type": "stream", "text": [printed]}]
    return {"cell_type": kind, "source": [source], **({"outputs": outputs} if kind == "code" else {})}


@pytest.mark.parametrize(
    ("printed", "claim", "is_founded"),
    [
        ("accuracy 0.8333", "the accuracy is 0.83.", True),
        ("accuracy 0.8333", "the accuracy is 83 %.", True),
        ("accuracy 0.8333", "the accuracy is 0.84.", False),
        ("share 83.4 %", "83 % win.", True),
        ("share 83.4 %", "84 % win.", False),
        ("KL -1.25", "it loses 1.2 nats.", True),
        ("1,024 texts", "all 1024 texts", True),
        ("no number", "in 17 of them", False),
        ("no number", "as `x[17]` says, for $n = 17$ (Gao et al. 2022, figure 17)", True),
        ("no number", "half of them", True),
    ],
)
def test_this_test_notices(printed, claim, is_founded):
    page = {"cells": [cell("code", "x", printed), cell("markdown", f"Words 99.\n\n**Found.** Here {claim}")]}
    assert (unfounded(page) == []) == is_founded


def test_an_output_further_down_does_not_count():
    page = {"cells": [cell("markdown", "**Found.** It is 17."), cell("code", "x", "17")]}
    assert unfounded(page) and not unfounded({"cells": page["cells"][::-1]})


def test_a_results_file_counts_where_the_paragraph_names_it(tmp_path):
    (tmp_path / "data" / "results").mkdir(parents=True)
    (tmp_path / "data" / "results" / "x.json").write_text('{"runs": [{"kl": 2.345}], "note": "40 %"}')
    page = {"cells": [cell("markdown", "**Found.** At 2.3 nats, 40 % (`data/results/x.json`).")]}
    assert (
        unfounded(page, tmp_path) == [] != unfounded({"cells": [cell("markdown", "**Found.** At 2.3 nats.")]}, tmp_path)
    )
