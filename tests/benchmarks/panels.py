"""How long does a panel take from the click to the next question, with 10,000 records in the store?

This uses a real JupyterLab and a real browser. The panel's rater has given all 10,000 answers to the same task. This is
the hardest case, because the session looks through all of them. If the panel needs a draft, one is made first. The time
is measured on the page, from the last click until the browser hands over a frame that shows the next question. The
kernel does nothing else.

    python tests/benchmarks/panels.py                  five panels, three minutes
    python tests/benchmarks/panels.py --panels compare --answers 20

The limit is 100 ms at the median, on an idle machine; the exit status is 1 if a panel is slower. The last column says
how long it takes just to write one record to this disk. On a busy disk that is most of the time.
"""

import argparse
import math
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))
from lab_page import Lab, find_chromium, running_lab
from panel_cases import CASES, Case, wait_for_number

from rlhf_lab.feedback import FeedbackStore, RatingSession, Record, question

LIMIT = 100  # milliseconds
TIMED = """
async ([root, button]) => {
    const counter = root.querySelector('.rlhf-counter');
    const before = counter.textContent;
    const changed = new Promise(resolve => {
        const observer = new MutationObserver(() => {
            if (counter.textContent !== before) { observer.disconnect(); resolve(); }
        });
        observer.observe(counter, {childList: true, characterData: true, subtree: true});
    });
    const started = performance.now();
    button.click();
    await changed;
    await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));  // after the next frame
    return performance.now() - started;
}
"""


def fill(path: Path, case: Case, records: int) -> float:
    """Answers of the panel's own rater to `records` questions that come before the panel's.

    Written in memory, where the system has a folder for that, and copied. Gives milliseconds for one more record on
    the disk itself, of another task.
    """
    item = question("Before:", [" one", " two", " three"][: case.texts])
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else path.parent
    store = FeedbackStore(memory / f"{path.parent.parent.name}-{path.name}")
    session = RatingSession(store, case.task, [item], kind=case.kind)
    blank = Record(
        rater_id=session.rater_id,
        source=session.source,
        session_id="before",
        task_id=case.task,
        kind=case.kind,
        item_id=item.item_id,
        prompt=item.prompt,
        candidates=item.candidates,
        display_order=tuple(candidate.id for candidate in item.candidates),
        status="skipped",
    )
    answered = replace(blank, status="submitted", value=case.value(blank))
    for number in range(records):
        store.append(replace(answered, uid=f"before-{number}", item_id=f"before-{number}"))
    shutil.move(store.path, path)
    store, times = FeedbackStore(path), []
    for number in range(15):
        started = time.perf_counter()
        store.append(replace(answered, uid=f"other-{number}", task_id="other"))
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def measure(lab: Lab, case: Case, answers: int, records: int) -> tuple[list[float], float]:
    """Milliseconds per answer, and for just one write to the disk."""
    path = lab.server.home / f"{case.kind}.sqlite"
    write = fill(path, case, records)
    setup, panel_cell = case.cells(items=answers + 3)
    many = (
        "from dataclasses import replace\n"
        f"before = [replace(items[0], item_id=f'before-{{i}}') for i in range({records})]\n"
        f"session = RatingSession(FeedbackStore({str(path)!r}), {case.task!r}, before + items, kind={case.kind!r})"
    )
    lab.open_notebook(lab.write_notebook(f"{case.kind}.ipynb", setup, many, panel_cell))
    lab.run_all()
    panel = lab.panel(case.heading)
    panel.wait_for()
    wait_for_number(panel, records + 1)
    button = panel.get_by_role("button", name=case.last, exact=True)
    times = []
    for _ in range(answers + 1):
        lab.wait_until_settled(panel)
        case.click(lab, panel)
        lab.wait_until_idle()
        times.append(lab.page.evaluate(TIMED, [panel.element_handle(), button.element_handle()]))
    kept = len(FeedbackStore(path).records(case.task))
    assert kept == records + answers + 1, f"{kept} answers kept, expected {records + answers + 1}"
    return times[1:], write  # the first one warms up


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    kinds = [case.kind for case in CASES]
    parser.add_argument("--panels", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--answers", type=int, default=40, help="timed answers for each panel")
    parser.add_argument("--records", type=int, default=10_000, help="records in the store before the first of them")
    chosen = parser.parse_args()
    chromium = find_chromium()
    if not chromium:
        print("There is no Chromium on the PATH.")
        return 2
    slow = []
    with tempfile.TemporaryDirectory() as folder:
        notebooks = Path(folder) / "empty"
        notebooks.mkdir()
        with running_lab(notebooks, Path(folder), chromium) as lab:
            print(f"click to redrawn, milliseconds, {chosen.records} records in the store\n")
            print("| panel   | median |  95 % | largest | one write |")
            print("|---------|--------|-------|---------|-----------|")
            for case in CASES:
                if case.kind not in chosen.panels:
                    continue
                times, write = measure(lab, case, chosen.answers, chosen.records)
                times.sort()
                middle, late = statistics.median(times), times[math.ceil(0.95 * len(times)) - 1]
                print(f"| {case.kind:<7} | {middle:6.0f} | {late:5.0f} | {times[-1]:7.0f} | {write:9.1f} |", flush=True)
                if middle >= LIMIT:
                    slow.append(case.kind)
    if slow:
        print(f"\nSlower than {LIMIT} ms at the median: {', '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
