"""Thousands of ratings by several processes that are killed again and again, beside a program that locks the file.

Each process rates its own questions through a `RatingSession` and says "saved" after each answer. It is killed
(SIGKILL) at random moments and restarted. Another program locks the database now and then, sometimes for longer than
the store waits. In the end, every answer reported as saved must be there exactly once.

    python tests/benchmarks/long_trial.py --write          10,000 ratings, some minutes; results/long_trial.json
    python tests/benchmarks/long_trial.py --ratings 400 --kills 10

The program ends with status 1 where an answer is lost or doubled, or the file is damaged.
"""

import argparse
import json
import os
import platform
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from contextlib import closing
from pathlib import Path

from rlhf_lab.feedback import FeedbackStore, RatingSession, StoreBusyError, compare_item, compare_value

RESULT = Path(__file__).parent / "results" / "long_trial.json"
TASK = "trial"
LONG = 3.4  # seconds: longer than the store waits for a locked file


def rate(path: str, rater: str, count: int) -> None:
    """One rater's process: answer all questions, and print "?" before each answer and "+" when it is saved."""

    def say(*words: object) -> None:
        os.write(1, (" ".join(map(str, words)) + "\n").encode())  # in one piece, whenever the kill comes

    items = [compare_item(f"{number}", f" {rater} one", f" {rater} two") for number in range(count)]
    session = None
    while session is None or session.view().state == "rate":
        try:
            session = session or RatingSession(FeedbackStore(path), TASK, items, rater, "simulated")
            view = session.view()
            if view.state == "rate":
                say("?", view.prompt)
                if session.answer(compare_value(view, ("left", "right", "tie")[int(view.prompt) % 3]), view.turn):
                    say("+", view.prompt)
        except StoreBusyError:
            say("!")


def lock(path: str) -> None:
    """The other program: lock the file and release it, again and again, with a line of output each time."""
    rng = random.Random(0)
    for turn in range(1_000_000):
        time.sleep(rng.uniform(0.1, 0.8))
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            time.sleep(LONG if turn % 12 == 5 else rng.uniform(0.01, 0.4))
            connection.execute("ROLLBACK")
        print("locked", flush=True)


class Process:
    """One rater's process, restarted after each kill, and its output."""

    def __init__(self, path: Path, rater: str, count: int):
        self.rater, self.saved, self.busy, self.interrupted = rater, [], 0, 0
        self._command = [sys.executable, __file__, "--rate", str(path), rater, str(count)]
        self._thread = threading.Thread(target=self._supervise)
        self.running: subprocess.Popen | None = None
        self._thread.start()

    def _supervise(self) -> None:
        while True:
            with subprocess.Popen(self._command, stdout=subprocess.PIPE) as self.running:
                last = ""
                for line in self.running.stdout:
                    if line.endswith(b"\n"):
                        last, *words = line.decode().split()
                        self.saved += words if last == "+" else []
                        self.busy += last == "!"
            self.interrupted += last == "?"
            if self.running.returncode == 0:
                return
            if self.running.returncode > 0:
                raise RuntimeError(f"The process of {self.rater} failed.")

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()


def trial(path: Path, ratings: int, processes: int, kills: int) -> dict:
    """Run the trial. Returns counts of what happened."""
    rng, started, killed = random.Random(1), time.monotonic(), 0
    share = ratings // processes
    ratings = share * processes
    FeedbackStore(path)
    raters = [Process(path, f"rater{number}", share) for number in range(processes)]
    with subprocess.Popen([sys.executable, __file__, "--lock", str(path)], stdout=subprocess.PIPE) as locker:
        try:
            while not all(one.is_done for one in raters):
                time.sleep(rng.uniform(0, 0.02))
                done = sum(len(one.saved) for one in raters)
                at_work = [one for one in raters if not one.is_done and len(one.saved) < share]
                if killed < kills and done >= (killed + 0.5) * ratings / kills and at_work:
                    process = rng.choice(at_work).running
                    if process is not None and process.poll() is None:
                        process.kill()
                        killed += 1
        finally:
            locker.kill()
            locks = locker.stdout.read().count(b"locked")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no row may be damaged
        kept = [(record.rater_id, record.prompt) for record in FeedbackStore(path).records(TASK)]
    with closing(sqlite3.connect(path)) as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    said = {(one.rater, prompt) for one in raters for prompt in one.saved}
    return {
        "ratings": ratings,
        "processes": processes,
        "killed": killed,
        "killed_in_the_middle_of_an_answer": sum(one.interrupted for one in raters),
        "times_locked": locks,
        "refused_as_busy": sum(one.busy for one in raters),
        "kept": len(kept),
        "kept_but_killed_before_saying_so": len(set(kept) - said),
        "lost": len(said - set(kept)) + ratings - len(set(kept)),
        "doubled": len(kept) - len(set(kept)),
        "integrity": integrity,
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ratings", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--kills", type=int, default=240)
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    parser.add_argument("--rate", nargs=3, metavar=("PATH", "RATER", "COUNT"), help="used by the program itself")
    parser.add_argument("--lock", metavar="PATH", help="used by the program itself")
    chosen = parser.parse_args()
    if chosen.rate:
        path, rater, count = chosen.rate
        rate(path, rater, int(count))
        return 0
    if chosen.lock:
        lock(chosen.lock)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        result = trial(Path(folder) / "feedback.sqlite", chosen.ratings, chosen.processes, chosen.kills)
    result["machine"] = {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    print(json.dumps(result, indent=1))
    if chosen.write:
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(bool(result["lost"] or result["doubled"] or result["integrity"] != "ok"))


if __name__ == "__main__":
    raise SystemExit(main())
