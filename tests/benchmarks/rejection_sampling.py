"""Does rejection-sampling SFT keep gaining, round after round, and is the picking the cause?

Notebook 05 runs two rounds with one seed. This runs several rounds with several seeds. Each has a matched control,
trained on the same number of its own samples, but picked at random. Every round has new prompts. All policies of a seed
are measured on the same held-out prompts with the same random numbers.

    python tests/benchmarks/rejection_sampling.py --write      five seeds, four rounds, about a quarter of an hour
    python tests/benchmarks/rejection_sampling.py --seeds 1 --rounds 2

With --write the rows go to data/results/, where notebook 05 reads them.
"""

import argparse
import json
import time

import torch
from lessons.shared_task import load_task

from rlhf_lab.paths import data_dir
from rlhf_lab.training.best_of_n import best_index_per_prompt, random_index_per_prompt, rejection_sampling_examples
from rlhf_lab.training.language_model import LanguageModelConfig, train_language_model

EACH, COUNT = 8, 128  # samples of each prompt, prompts in a round: those of notebook 05, and its settings
SETTINGS = LanguageModelConfig(epochs=2, batch_size=16, completion_only_loss=True, learning_rate=3e-4, weight_decay=0.0)
MEASURED = 256  # held-out samples


def rounds_of(task, picks: str, seed: int, rounds: int) -> list[dict]:
    """One row for each round of one policy that learns from its best samples, or from random ones."""
    start, policy, rows = task.measure(task.model, MEASURED, seed=1000 + seed), task.new_policy(), []
    for number in range(rounds):
        generator = torch.Generator().manual_seed(100 * seed + number)
        first = (seed * rounds + number) * COUNT % (len(task.prompts) - COUNT)
        asked = [prompt for prompt in task.prompts[first : first + COUNT] for _ in range(EACH)]
        rollout = task.write(policy, asked, generator)
        if picks == "best":
            kept = best_index_per_prompt(task.reward(rollout), EACH)
        else:
            kept = random_index_per_prompt(torch.zeros(len(rollout)), EACH, generator)
        examples = rejection_sampling_examples(rollout, kept)
        train_language_model(policy, task.tokenizer, examples, SETTINGS, generator=generator)
        measured = task.measure(policy, MEASURED, seed=1000 + seed)
        gain = float((measured.gold - start.gold).mean())
        rows.append({"picks": picks, "seed": seed, "round": number + 1, "gold_gain": gain, **measured.summary()})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--write", action="store_true", help="keep the rows for notebook 05")
    options = parser.parse_args()
    task, started, rows = load_task(own=False), time.perf_counter(), []
    for seed in range(options.seeds):
        for picks in ("best", "random"):
            rows += rounds_of(task, picks, seed, options.rounds)
    rows = [{key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()} for row in rows]
    result = {
        "samples_a_prompt": EACH,
        "prompts_a_round": COUNT,
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "rows": rows,
    }
    if options.write:
        path = data_dir() / "results" / "rejection_sampling.json"
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
