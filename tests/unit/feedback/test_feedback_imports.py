"""Feedback stands below everything: no torch, no Jupyter, not the world; and neither do panels need torch."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        (
            "rlhf_lab.feedback",
            ["torch", "transformers", "numpy", "IPython", "ipywidgets", "rlhf_lab.world", "rlhf_lab.widgets"],
        ),
        ("rlhf_lab.feedback.agreement", ["torch", "transformers", "scipy", "IPython", "rlhf_lab.world"]),
        ("rlhf_lab.widgets", ["torch", "transformers", "matplotlib", "rlhf_lab.world"]),
    ],
)
def test_imports_little(module, forbidden):
    code = f"import sys, {module}; print([name for name in {forbidden} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr
