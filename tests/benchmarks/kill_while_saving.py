"""Does a model's folder stay whole if the process that writes it is killed?

A process saves two models of different sizes in turn into one folder, and is killed (kill -9) at a random moment within
two saves. The folder must then load, and equal one of the two models bit for bit. This is done with language models and
with reward models, each of the course's own size.

    python tests/benchmarks/kill_while_saving.py --write      60 kills, some minutes

With --write the counts go to tests/benchmarks/results/kill_while_saving.json. The exit status is 1 if any folder was
not whole. The program also counts the kills that came while files were moved into place: a short moment, and the most
delicate one.
"""

import argparse
import itertools
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from rlhf_lab.models.loading import load_language_model, new_language_model, save_language_model, tiny_config
from rlhf_lab.models.reward_model import RewardModel

RESULTS = Path(__file__).parent / "results" / "kill_while_saving.json"
KINDS = ("language model", "reward model")


def two_models(kind: str, width: int) -> tuple[list, object]:
    """Two models of different sizes, and their tokenizer."""
    _, tokenizer = load_language_model("tiny")
    configs = [tiny_config(tokenizer, layers, width, heads=2) for layers in (4, 3)]
    models = [new_language_model(config, seed) for seed, config in enumerate(configs)]
    if kind == "reward model":
        models = [RewardModel.from_language_model(model, torch.Generator().manual_seed(1)) for model in models]
    return models, tokenizer


def save(model, tokenizer, folder: Path) -> None:
    if isinstance(model, RewardModel):
        model.save(folder, tokenizer)
    else:
        save_language_model(model, tokenizer, folder)


def save_again_and_again(kind: str, width: int, folder: Path, ready) -> None:
    """The process to be killed."""
    torch.set_num_threads(1)
    models, tokenizer = two_models(kind, width)
    ready.set()
    for model in itertools.cycle(models):
        save(model, tokenizer, folder)


def moment(folder: Path) -> str:
    """What the process was doing when it was killed, judged by the files it left."""
    names = {path.name for path in folder.iterdir()}
    return (
        "moving files" if ".finished" in names else "writing files" if ".unfinished" in names else "between two saves"
    )


def is_whole(kind: str, folder: Path, models: list) -> bool:
    """Whether the folder loads as one of the models."""
    try:
        loaded = load_language_model(folder)[0] if kind == KINDS[0] else RewardModel.load(folder)
    except (OSError, ValueError) as error:
        print(f"NOT WHOLE: {error}")
        return False
    state = loaded.state_dict()
    return any(
        state.keys() == other.keys() and all(torch.equal(state[key], other[key]) for key in other)
        for other in (model.state_dict() for model in models)
    )


def trial(kind: str, kills: int, width: int = 160, seed: int = 0) -> dict[str, int]:
    """How many kills left a folder that is not whole, and what the process was doing at each kill."""
    processes, draws, counts = multiprocessing.get_context("forkserver"), random.Random(seed), Counter()
    processes.set_forkserver_preload(["rlhf_lab.models.reward_model"])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        models, tokenizer = two_models(kind, width)
        if kind == "reward model":  # a constant is put elsewhere when it is saved: compare with what was read once
            models = [RewardModel.load(model.save(Path(place) / f"{i}", tokenizer)) for i, model in enumerate(models)]
        started = time.perf_counter()
        for model in models:
            save(model, tokenizer, folder)
        two_saves = time.perf_counter() - started
        for _ in range(kills):
            ready = processes.Event()
            process = processes.Process(target=save_again_and_again, args=(kind, width, folder, ready))
            process.start()
            ready.wait()
            time.sleep(draws.uniform(0.0, two_saves))
            process.kill()
            process.join()
            counts[moment(folder)] += 1
            counts["not whole"] += not is_whole(kind, folder, models)
        save(models[0], tokenizer, folder)
        counts["leftovers after the next save"] = sum(path.name.startswith(".") for path in folder.iterdir())
    names = ("not whole", "leftovers after the next save", "writing files", "moving files", "between two saves")
    return {"kills": kills} | {name: counts[name] for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30, help="of each kind")
    parser.add_argument("--write", action="store_true", help=f"replace {RESULTS.name}")
    options = parser.parse_args()
    found = {kind: trial(kind, options.kills) for kind in KINDS}
    print(json.dumps(found, indent=1))
    if options.write:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(counts["not whole"] or counts["leftovers after the next save"] for counts in found.values()))


if __name__ == "__main__":
    main()
