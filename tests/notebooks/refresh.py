"""Run notebooks top to bottom and keep their outputs, as the pages are committed.

    python tests/notebooks/refresh.py notebooks/00_the_whole_loop.ipynb

Every notebook runs in a kernel of its own, headless, with a simulated rater and in an empty folder for
results, so that nobody's own ratings end up on a page. Widget state is removed: GitHub refuses to draw
a notebook that carries it.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove what changes from run to run without meaning: widget state, timings, versions."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: cell.metadata[k] for k in ("tags", "jupyter") if k in cell.metadata})
        for output in cell.get("outputs", []):
            if "data" in output:
                output["data"].pop("application/vnd.jupyter.widget-view+json", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.output_type != "display_data" or o.get("data")]
    return notebook


def refresh(path: Path) -> float:
    """Execute one notebook in place; returns the seconds it took. An error in a cell is raised, nothing is written."""
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(RLHF_LAB_HOME=home, RLHF_LAB_RATER="simulated", HF_HUB_OFFLINE="1")
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    nbformat.write(clean(notebook), path)
    return time.perf_counter() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    arguments = parser.parse_args()
    for path in arguments.notebooks or sorted(Path("notebooks").glob("*.ipynb")):
        print(f"{path}: {refresh(path):.0f} s")
