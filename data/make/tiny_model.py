"""Makes the tiny model that ships with the course: `python data/make/tiny_model.py`, an hour on one core.

It trains a tokenizer and then a language model on fresh documents of the tiny world. Each is seen once, and none has a
held-out prompt. The seed and the number of steps determine everything. With --minutes, the number of steps is measured
first. It is written to training.json, with the losses and the quality of the model's texts.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import transformers
from documents import MIXTURE, generate_documents
from quality import measure_quality

from rlhf_lab.models.loading import (
    new_language_model,
    save_language_model,
    sharpen,
    tiny_config,
    train_tokenizer,
    trainable_copy,
)
from rlhf_lab.paths import REPOSITORY
from rlhf_lab.training.language_model import LanguageModelConfig, held_out_loss, train_language_model
from rlhf_lab.training.optimisation import random_generator
from rlhf_lab.world import TEXT_KINDS, load_corpus, load_prompts

SHIPPED_STEPS = 6000


@dataclass(frozen=True)
class PretrainConfig:
    """What the tiny model is and how it is trained."""

    vocab_size: int = 4096  # tokens, including 256 bytes and 2 special ones
    layers: int = 4  # transformer blocks
    width: int = 160  # size of a hidden state
    heads: int = 5  # attention heads
    tokenizer_documents: int = 20_000  # documents that the tokenizer is learned from
    batch_size: int = 64  # documents per step
    learning_rate: float = 8e-3  # the peak, for Muon; AdamW takes 3e-3
    muon: bool = True  # Muon instead of AdamW for the matrices of the blocks
    temperature: float = 0.65  # the finished model's logits are permanently divided by this: see `sharpen`
    held_out_documents: int = 256  # of each kind, for the held-out loss
    quality_prompts: int = 700  # held-out prompts of each kind for the quality report
    mixture: tuple[tuple[str, float], ...] = MIXTURE  # share of each kind among the training documents


def pretrain(
    folder: str | Path,
    seed: int = 0,
    steps: int | None = None,
    minutes: float | None = None,
    config: PretrainConfig | None = None,
    report=print,
) -> dict:
    """Train tokenizer and model, write them and training.json into `folder`, and return the content of that file.

    Give either `steps` or `minutes` of training. report is called with lines of text.
    """
    if (steps is None) == (minutes is None):
        raise ValueError("Give either steps or minutes.")
    config = config or PretrainConfig()
    started = time.time()
    texts = (d.prompt + d.completion for d in generate_documents(seed + 1, config.tokenizer_documents))
    tokenizer = train_tokenizer(texts, config.vocab_size)
    model = new_language_model(tiny_config(tokenizer, config.layers, config.width, config.heads), seed)
    report(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(tokenizer)} tokens")

    training = LanguageModelConfig(batch_size=config.batch_size, learning_rate=config.learning_rate, muon=config.muon)
    if steps is None:
        steps = _steps_in(minutes * 60, model, tokenizer, training, seed)
    documents = generate_documents(seed, steps * config.batch_size)
    report(f"{steps} steps, {len(documents):,} documents, generated in {time.time() - started:.0f} s")

    held_out = {kind: load_corpus("heldout", kind)[: config.held_out_documents] for kind in TEXT_KINDS}
    training = replace(training, steps=steps, evaluate_every=max(1, steps // 10))
    every = max(1, steps // 50)

    def evaluate() -> dict:
        return {f"held_out_loss_{kind}": held_out_loss(model, tokenizer, held_out[kind]) for kind in TEXT_KINDS}

    def show(metrics: dict) -> None:
        if metrics["step"] % every == 0 or metrics["step"] == steps:
            held = {k.removeprefix("held_out_loss_"): round(v, 3) for k, v in metrics.items() if "held" in k}
            report(
                f"step {metrics['step']:5d}/{steps}  loss {metrics['loss']:.3f}"
                f"  {metrics['tokens'] / metrics['seconds']:,.0f} tokens/s  {metrics['seconds']:.0f} s  {held or ''}"
            )

    result = train_language_model(
        model,
        tokenizer,
        documents,
        training,
        callback=show,
        evaluate=evaluate,
        generator=random_generator(seed),
    )
    if not result.history:
        raise RuntimeError(result.stopped or "Interrupted before the first step; nothing was written.")
    held_out_loss_of = evaluate()
    report("measuring how well it writes")
    prompts = {kind: load_prompts("heldout", kind)[: config.quality_prompts] for kind in TEXT_KINDS}
    written = {d.completion for d in [*documents, *load_corpus("train")]}
    before = measure_quality(model, tokenizer, prompts, written, seed=seed)
    sharpen(model, config.temperature)
    quality = measure_quality(model, tokenizer, prompts, written, seed=seed)
    summary = {
        "command": command_for(config, seed, steps),
        "seed": seed,
        "steps": steps,
        "finished_steps": result.last["step"],
        "documents": len(documents),
        "tokens": result.last["tokens"],
        "seconds": round(result.last["seconds"], 1),
        "threads": torch.get_num_threads(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "held_out_loss": {k: round(v, 4) for k, v in held_out_loss_of.items()},
        "well_formed_before_sharpening": {kind: q["well_formed"] for kind, q in before.items()},
        "quality": quality,
        "config": asdict(config),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "loss": [[m["step"], round(m["loss"], 4)] for m in result.history[every - 1 :: every]],
    }
    folder = save_language_model(model, tokenizer, folder)
    (folder / "training.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    report(json.dumps(quality, indent=1))
    report(
        f"wrote {folder} in {time.time() - started:.0f} s; well-formed: "
        + ", ".join(f"{kind} {q['well_formed']:.1%}" for kind, q in quality.items())
    )
    return summary


def command_for(config: PretrainConfig, seed: int, steps: int) -> str:
    """The command that repeats this run, with every setting of the command line."""
    return (
        f"python data/make/tiny_model.py --seed {seed} --steps {steps} --vocabulary {config.vocab_size}"
        f" --layers {config.layers} --width {config.width} --heads {config.heads} --batch-size {config.batch_size}"
        f" --learning-rate {config.learning_rate:g} --temperature {config.temperature:g}"
        + ("" if config.muon else " --adamw")
    )


def _steps_in(seconds: float, model, tokenizer, config: LanguageModelConfig, seed: int, trial: int = 12) -> int:
    """How many steps take this long on this machine, measured on a copy of the model (without the first two)."""
    trial_config = replace(config, steps=trial)
    copy = trainable_copy(model)
    documents = generate_documents(seed, trial * config.batch_size)
    result = train_language_model(copy, tokenizer, documents, trial_config, generator=random_generator(seed))
    a_step = (result.history[-1]["seconds"] - result.history[1]["seconds"]) / (trial - 2)
    return max(20, math.floor(seconds / a_step))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "data" / "tiny", help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help=f"optimiser steps (default: {SHIPPED_STEPS})")
    parser.add_argument("--minutes", type=float, help="minutes of training, instead of steps")
    parser.add_argument("--layers", type=int, default=PretrainConfig.layers)
    parser.add_argument("--width", type=int, default=PretrainConfig.width)
    parser.add_argument("--heads", type=int, default=PretrainConfig.heads)
    parser.add_argument("--vocabulary", type=int, default=PretrainConfig.vocab_size)
    parser.add_argument("--learning-rate", type=float, default=PretrainConfig.learning_rate)
    parser.add_argument("--adamw", action="store_true", help="AdamW for all weights, without Muon")
    parser.add_argument("--batch-size", type=int, default=PretrainConfig.batch_size)
    parser.add_argument("--temperature", type=float, default=PretrainConfig.temperature, help="see `sharpen`")
    parser.add_argument("--threads", type=int, help="CPU threads (default: as many as torch takes)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.steps is None and options.minutes is None:
        options.steps = SHIPPED_STEPS
    config = PretrainConfig(
        vocab_size=options.vocabulary,
        layers=options.layers,
        width=options.width,
        heads=options.heads,
        learning_rate=options.learning_rate,
        muon=not options.adamw,
        batch_size=options.batch_size,
        temperature=options.temperature,
    )
    pretrain(
        options.out,
        options.seed,
        options.steps,
        options.minutes,
        config,
        report=lambda line: print(line, flush=True),
    )


if __name__ == "__main__":
    main()
