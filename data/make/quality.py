"""How well does a model write? Well-formedness and copying, on held-out prompts at temperature 1.

`python data/make/quality.py` prints the report for the model that ships with the course.
"""

import argparse
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from documents import generate_documents

from rlhf_lab.evaluation import wilson_interval
from rlhf_lab.models.loading import context_length, load_language_model
from rlhf_lab.models.sampling import sample
from rlhf_lab.models.tokens import encode_prompts
from rlhf_lab.paths import data_dir
from rlhf_lab.training.optimisation import random_generator
from rlhf_lab.world import TEXT_KINDS, load_corpus, load_prompts, well_formed

LONGEST_COMPLETION = 112  # tokens


def measure_quality(
    model,
    tokenizer,
    prompts: Mapping[str, Sequence[str]],
    training_completions: Collection[str],
    seed: int = 0,
    batch_size: int = 128,
) -> dict[str, dict]:
    """Sample once for each prompt at temperature 1 and report, for each kind of text:

    well_formed (share), well_formed_interval (95 %, Wilson), ended (share with an end token), copied (share of
    completions that are identical to a training completion), distinct (share of different completions), tokens (mean
    length) and prompts (how many).
    """
    report = {}
    for kind, of_kind in prompts.items():
        generator = random_generator(seed)
        texts, ended, tokens = [], 0, 0
        for start in range(0, len(of_kind), batch_size):
            some = list(of_kind[start : start + batch_size])
            room = context_length(model) - max(map(len, encode_prompts(tokenizer, some)))
            rollout = sample(model, tokenizer, some, max_new_tokens=min(LONGEST_COMPLETION, room), generator=generator)
            texts += rollout.texts
            ended += int(rollout.ended.sum())
            tokens += int(rollout.lengths.sum())
        n = len(texts)
        good = sum(well_formed(prompt, text) for prompt, text in zip(of_kind, texts, strict=True))
        report[kind] = {
            "prompts": n,
            "well_formed": good / n,
            "well_formed_interval": [round(bound, 4) for bound in wilson_interval(good, n)],
            "ended": ended / n,
            "copied": sum(text in training_completions for text in texts) / n,
            "distinct": len(set(texts)) / n,
            "tokens": round(tokens / n, 1),
        }
    return report


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=None, help="folder with training.json (default: data/tiny)")
    parser.add_argument("--prompts", type=int, default=700, help="held-out prompts of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="how many samples of each kind to print")
    options = parser.parse_args(arguments)
    folder = options.model or data_dir() / "tiny"
    model, tokenizer = load_language_model(folder)
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    stream = generate_documents(training["seed"], training["documents"]) + load_corpus("train")
    prompts = {kind: load_prompts("heldout", kind)[: options.prompts] for kind in TEXT_KINDS}
    report = measure_quality(model, tokenizer, prompts, {d.completion for d in stream}, options.seed)
    print(json.dumps(report, indent=1))
    for kind in TEXT_KINDS if options.show else ():
        some = prompts[kind][: options.show]
        rollout = sample(model, tokenizer, some, max_new_tokens=LONGEST_COMPLETION, generator=random_generator(1))
        for prompt, text in zip(some, rollout.texts, strict=True):
            print(f"\n[{kind}] {prompt}\n  ->{text}   well-formed: {well_formed(prompt, text)}")


if __name__ == "__main__":
    main()
