"""Does the first notebook follow the person who clicks, whoever that is?

Simulated people with different tastes play notebook 00: sixteen comparisons each, through the same session
that the panel drives, with random mistakes; then the notebook's own reward model and training. Each then
judges, blind and on held-out prompts, the trained model against the starting model. The judge is the taste
itself, without its mistakes.

    python tests/benchmarks/tastes.py                         every taste, three seeds, about half an hour
    python tests/benchmarks/tastes.py --tastes food --seeds 1
    python tests/benchmarks/tastes.py --from a.json b.json    the table of runs that were kept with --runs

With --write the table goes where notebook 00 and the README show it.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch
from lessons.whole_loop import LONGEST_REVIEW, WholeLoop, fit_reader, fit_reward, improve, write_questions

from rlhf_lab.evaluation import WinRate, win_rate_by
from rlhf_lab.feedback import FeedbackStore, RatingSession, rate_with
from rlhf_lab.models.loading import load_language_model
from rlhf_lab.models.sampling import sample
from rlhf_lab.paths import REPOSITORY, data_dir
from rlhf_lab.world import TASTES, SimulatedRater, load_prompts, well_formed

COMPARISONS = 200  # held-out prompts, one comparison each, a run


def play(taste_name: str, seed: int) -> dict:
    """One simulated person plays the notebook once."""
    torch.manual_seed(seed)  # nothing should depend on it; every generator is passed in
    settings = WholeLoop(seed=seed)
    model, tokenizer = load_language_model("tiny")
    taste = TASTES[taste_name]

    started = time.perf_counter()
    reader = fit_reader(tokenizer, settings)
    questions = write_questions(model, tokenizer, reader, settings)
    prepared = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        store = FeedbackStore(Path(folder) / "feedback.sqlite")
        session = RatingSession(store, "tastes", questions.queue, rater_id=taste_name, source="simulated", seed=seed)
        rate_with(session, SimulatedRater(taste, seed=seed))
        records = session.records
    started = time.perf_counter()
    posterior, reward = fit_reward(records, reader, questions, settings)
    policy, result = improve(model, tokenizer, reward, settings=settings)
    trained = time.perf_counter() - started

    prompts = load_prompts("heldout", "review")[:COMPARISONS]
    before = sample(model, tokenizer, prompts, max_new_tokens=LONGEST_REVIEW, generator=_generator(seed, 1))
    after = sample(policy, tokenizer, prompts, max_new_tokens=LONGEST_REVIEW, generator=_generator(seed, 2))
    rate = win_rate_by(taste.utility, prompts, after.texts, before.texts)
    return {
        "taste": taste_name,
        "seed": seed,
        "answers": len(records),
        "wins": rate.wins,
        "ties": rate.ties,
        "losses": rate.losses,
        "win_rate": rate.estimate,
        "well_formed": sum(map(well_formed, prompts, after.texts)) / len(prompts),
        "well_formed_before": sum(map(well_formed, prompts, before.texts)) / len(prompts),
        "kl": result.last["kl"],
        "reward": result.last["reward"],
        "words": statistics.mean(len(text.split()) for text in after.texts),
        "seconds_preparing": round(prepared, 1),
        "seconds_training": round(trained, 1),
        "threads": torch.get_num_threads(),
        "weights": {name: round(float(w), 2) for name, w in zip(reader.names, posterior.weights()[0], strict=True)},
        "samples": after.texts[:3],
    }


def summarise(runs: list[dict]) -> dict:
    """The table: one row per taste, over its seeds."""
    rows = []
    for taste in dict.fromkeys(run["taste"] for run in runs):
        of_taste = [run for run in runs if run["taste"] == taste]
        pooled = WinRate(*(sum(run[key] for run in of_taste) for key in ("wins", "ties", "losses")))
        rows.append(
            {
                "taste": taste,
                "description": TASTES[taste].description,
                "win_rate": round(pooled.estimate, 4),
                "interval": [round(bound, 4) for bound in pooled.interval],
                "by_seed": [round(run["win_rate"], 3) for run in of_taste],
                "well_formed": round(statistics.mean(run["well_formed"] for run in of_taste), 4),
                "kl": round(statistics.mean(run["kl"] for run in of_taste), 2),
                "seconds_training": round(statistics.mean(run["seconds_training"] for run in of_taste), 1),
            }
        )
    return {
        "command": "python tests/benchmarks/tastes.py --write",
        "answers": runs[0]["answers"],
        "comparisons": COMPARISONS * len({run["seed"] for run in runs}),
        "seeds": len({run["seed"] for run in runs}),
        "threads": runs[0].get("threads", torch.get_num_threads()),
        "mean_win_rate": round(statistics.mean(row["win_rate"] for row in rows), 4),
        "slowest_training": max(run["seconds_training"] for run in runs),
        "tastes": rows,
    }


def write(table: dict) -> None:
    """Put the table into data/results/tastes.json and into the README, between its two marks."""
    target = data_dir() / "results" / "tastes.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    lines = [
        f"| taste | prefers the trained model | 95 % interval | each of {table['seeds']} seeds | well-formed |",
        "|---|---|---|---|---|",
    ]
    for row in table["tastes"]:
        low, high = row["interval"]
        seeds = ", ".join(f"{share:.0%}" for share in row["by_seed"])
        lines.append(
            f"| {row['taste']} | {row['win_rate']:.0%} | {low:.0%} to {high:.0%} | {seeds} | {row['well_formed']:.0%} |"
        )
    lines += [
        "",
        f"On average {table['mean_win_rate']:.0%}, {table['comparisons']} comparisons for each taste, after"
        f" {table['slowest_training']:.0f} seconds of training or less on {table['threads']}"
        f" core{'s' * (table['threads'] != 1)}.",
    ]
    readme = REPOSITORY / "README.md"
    start, end = "<!-- taste table -->\n", "<!-- end of the taste table -->"
    before, rest = readme.read_text(encoding="utf-8").split(start)
    readme.write_text(before + start + "\n".join(lines) + "\n" + end + rest.split(end)[1], encoding="utf-8")


def _generator(seed: int, stream: int) -> torch.Generator:
    return torch.Generator().manual_seed(1_000_003 * stream + seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tastes", nargs="*", default=list(TASTES), choices=list(TASTES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="replace data/results/tastes.json")
    parser.add_argument("--runs", type=Path, help="also keep every run, with samples, in this file")
    parser.add_argument("--from", dest="kept", nargs="*", type=Path, default=[], help="run nothing, take these runs")
    options = parser.parse_args()
    runs = [run for file in options.kept for run in json.loads(file.read_text())]
    runs.sort(key=lambda run: (run["seed"], list(TASTES).index(run["taste"])))
    for seed in range(options.first_seed, options.first_seed + options.seeds if not runs else 0):
        for taste in options.tastes:
            run = play(taste, seed)
            runs.append(run)
            weights = {k: v for k, v in run["weights"].items() if abs(v) > 0.3}
            print(
                f"{taste:>12} seed {seed}: preferred {run['win_rate']:.0%} ({run['ties']} ties), well-formed"
                f" {run['well_formed']:.0%}, KL {run['kl']:.1f}, {run['words']:.0f} words,"
                f" {run['seconds_preparing']:.0f} + {run['seconds_training']:.0f} s {weights}",
                flush=True,
            )
            if options.runs:
                options.runs.write_text(json.dumps(runs, indent=1))
    table = summarise(runs)
    print(json.dumps({k: v for k, v in table.items() if k != "tastes"}))
    for row in table["tastes"]:
        print(f"{row['taste']:>12} {row['win_rate']:.0%} {row['interval']} {row['by_seed']} {row['well_formed']:.0%}")
    if options.write:
        write(table)


if __name__ == "__main__":
    main()
