"""Checkpoints of another run, and damaged ones: what differs is named, and nothing of it reaches model or optimiser."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import torch
from hostile import Tools, hostile
from safetensors import safe_open
from safetensors.torch import save_file

from rlhf_lab.models.loading import frozen_copy, new_language_model, tiny_config
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.objectives.kl import AdaptiveKL
from rlhf_lab.training.algorithms import GRPO, PPO, RLOO, ClippedRatio
from rlhf_lab.training.checkpoint import FILE_NAME
from rlhf_lab.training.language_model import LanguageModelConfig, train_language_model
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy
from rlhf_lab.training.reward_model import RewardModelConfig, train_reward_model
from rlhf_lab.training.reward_objectives import Pairs, PairsWithTies

DOCUMENTS = [SimpleNamespace(prompt="The", completion=f" {word}.") for word in ("fox", "goat", "bell", "door")]
PAIRS = [
    SimpleNamespace(prompt="The", chosen=a.completion, rejected=b.completion, strength=1)
    for a, b in pairwise(DOCUMENTS)
]


def length(rollout) -> torch.Tensor:
    return rollout.lengths.float()


def shortness(rollout) -> torch.Tensor:
    return -rollout.lengths.float()


# --- Three loops, each with what can be another one ---------------------------------------------------


def language_model(tools: Tools, **other: object) -> None:
    settings = LanguageModelConfig(steps=2, batch_size=2)
    names = {"model", "documents", "checkpoint", "resume"}
    config = replace(settings, **{key: value for key, value in other.items() if key not in names})
    train_language_model(
        other.get("model", tools.model),
        tools.tokenizer,
        other.get("documents", DOCUMENTS),
        config,
        checkpoint=other.get("checkpoint", tools.folder),
        resume=other.get("resume", True),
    )


def reward_model(tools: Tools, **other: object) -> None:
    names = {"outputs", "pairs", "objective", "resume"}
    settings = RewardModelConfig(epochs=2, batch_size=2)
    train_reward_model(
        RewardModel.from_language_model(tools.model, outputs=other.get("outputs", 1)),
        tools.tokenizer,
        other.get("pairs", PAIRS),
        replace(settings, **{key: value for key, value in other.items() if key not in names}),
        objective=other.get("objective", Pairs()),
        checkpoint=tools.folder,
        resume=other.get("resume", True),
    )


def policy(tools: Tools, **other: object) -> None:
    names = {"reference", "reward", "prompts", "algorithm", "resume"}
    settings = PolicyGradientConfig(steps=1, batch_size=4, samples_per_prompt=2, max_new_tokens=3)
    train_policy(
        tools.model,
        other.get("reference", frozen_copy(new_language_model(tools.model.config, seed=5))),
        other.get("reward", length),
        tools.tokenizer,
        other.get("prompts", tools.prompts),
        other.get("algorithm", RLOO),
        replace(settings, **{key: value for key, value in other.items() if key not in names}),
        checkpoint=tools.folder,
        resume=other.get("resume", True),
    )


def another(name: str, loop: Callable, *words: str, first: dict | None = None, then: Callable | None = None, **other):
    """A run, and one that goes on with something else."""

    def call(tools: Tools) -> None:
        loop(tools, **(first or {}), resume=False)
        changed = {
            key: value(tools) if callable(value) and key in ("model", "reference") else value
            for key, value in other.items()
        }
        (then or loop)(tools, **changed)

    hostile(f"going on with {name}", call, ValueError, FILE_NAME, "Go on with what" if then else "", *words)


def wider(tools: Tools):
    return new_language_model(tiny_config(tools.tokenizer, layers=2, width=32, heads=2))


def deeper(tools: Tools):
    return new_language_model(tiny_config(tools.tokenizer, layers=3, width=16, heads=2))


def partly_frozen(tools: Tools):
    tools.model.transformer.h[0].requires_grad_(False)
    return tools.model


def in_16_bits(tools: Tools):
    return tools.model.bfloat16()


another("other documents", language_model, "documents: 4 with", "then, 4 with", documents=DOCUMENTS[::-1])
another("a document more", language_model, "documents: 4 with", "then, 5 with", documents=[*DOCUMENTS, DOCUMENTS[0]])
another("another batch size", language_model, "config.batch_size: 2 then, 3", batch_size=3)
another("another number of steps", language_model, "steps: 2 then, 5", steps=5)
another("another learning rate", language_model, "config.learning_rate: 0.003 then, 0.001", learning_rate=1e-3)
another("fine-tuning", language_model, "completion_only_loss: False then, True", completion_only_loss=True)
another(
    "another optimiser", language_model, "config.muon: False then, True now", "optimiser: AdamW then, Muon", muon=True
)
another("a wider model", language_model, "another shape", "(320, 16) there and (320, 32) here", model=wider)
another("a deeper model", language_model, "another shape", "h.2.", "is missing there", model=deeper)
another("a layer that is frozen", language_model, "trained: 28 with", "then, 16 with", model=partly_frozen)
another("16 bits", language_model, "dtype: torch.float32 then, torch.bfloat16", model=in_16_bits)
another("a reward model's training", language_model, "loop: train_language_model then, train_reward", then=reward_model)
another("a policy's training", language_model, "loop: train_language_model then, train_policy", then=policy)

turned = [SimpleNamespace(prompt=p.prompt, chosen=p.rejected, rejected=p.chosen, strength=1) for p in PAIRS]
stronger = [SimpleNamespace(prompt=p.prompt, chosen=p.chosen, rejected=p.rejected, strength=3) for p in PAIRS]
another("pairs turned round", reward_model, "examples: 3 with", pairs=turned)
another("stronger preferences", reward_model, "examples: 3 with", pairs=stronger)
another("another objective", reward_model, "objective: Pairs then, PairsWithTies", objective=PairsWithTies())
another("another margin", reward_model, "objective.margin: 0.0 then, 1.0", objective=Pairs(margin=1.0))
another(
    "another model of ties",
    reward_model,
    "propensity=0",
    "propensity=2",
    first={"objective": PairsWithTies()},
    objective=PairsWithTies(propensity=2.0),
)
another("an ensemble", reward_model, "another shape", "head.weight is (1, 16) there and (3, 16) here", outputs=3)
another("resamples", reward_model, "config.bootstrap: False then, True", bootstrap=True)
another("an average", reward_model, "config.average_last: 0.0 then, 0.5", average_last=0.5)

another("GRPO after RLOO", policy, "algorithm.advantage.baseline: leave_one_out then, group_relative", algorithm=GRPO)
another("PPO after RLOO", policy, "algorithm.advantage: CompletionAdvantage then, GeneralisedAdvantage", algorithm=PPO)
another(
    "a wider clip",
    policy,
    "algorithm.surrogate.high: 0.2 then, 0.4",
    first={"algorithm": PPO},
    algorithm=replace(PPO, surrogate=ClippedRatio(high=0.4)),
)
another("another reward", policy, "reward: length then, shortness", reward=shortness)
another("other prompts", policy, "prompts: 4 with", "then, 1 with", prompts=["The"])
another("another price", policy, "config.kl_coefficient: 0.05 then, 0.5", kl_coefficient=0.5)
another("a price that adapts", policy, "config.adaptive_kl: None then, AdaptiveKL", adaptive_kl=AdaptiveKL(1.0))
another("longer texts", policy, "config.max_new_tokens: 3 then, 4", max_new_tokens=4)
another(
    "another reference",
    policy,
    "reference: GPT2LMHeadModel with weights",
    reference=lambda tools: frozen_copy(deeper(tools)),
)
another(
    "no reference",
    policy,
    "reference: GPT2LMHeadModel",
    "then, None now",
    first={"algorithm": replace(RLOO, kl_in=None)},
    algorithm=replace(RLOO, kl_in=None),
    reference=None,
)


def another_judge(tools: Tools) -> None:
    """The same function of a reward model with other weights."""
    judges = [RewardModel.from_language_model(tools.model, torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    policy(tools, reward=judges[0].score_rollout, resume=False)
    policy(tools, reward=judges[1].score_rollout)


hostile("going on with another judge", another_judge, ValueError, "reward.of: RewardModel with weights")

# --- Damaged ones ------------------------------------------------------------------------------------


def damaged(name: str, change: Callable[[dict, dict], tuple[dict, dict]], *words: str, loop: Callable = language_model):
    """A checkpoint whose tensors or metadata were changed."""

    def call(tools: Tools) -> None:
        loop(tools, resume=False)
        path = tools.folder / FILE_NAME
        with safe_open(path, framework="pt") as file:
            tensors, about = {key: file.get_tensor(key).clone() for key in file.keys()}, file.metadata()
        tensors, about = change(tensors, about)
        save_file(tensors, path, metadata=about)
        loop(tools)

    hostile(f"a checkpoint {name}", call, ValueError, FILE_NAME, *words)


def only(keep: Callable[[str], bool]) -> Callable:
    return lambda tensors, about: ({key: value for key, value in tensors.items() if keep(key)}, about)


def changed(key: str, value: object) -> Callable:
    return lambda tensors, about: (tensors | {key: value(tensors[key])}, about)


def said(**entries: object) -> Callable:
    return lambda tensors, about: (tensors, {k: v for k, v in (about | entries).items() if v is not None})


damaged("without moments", only(lambda key: "optimizer" not in key), "damaged", "of 112 tensors it has 28")
damaged("without some moments", only(lambda key: not key.startswith("optimizer/3/")), "of 112 tensors it has 109")
damaged(
    "that says it has no moments",
    lambda tensors, about: (
        found := {key: value for key, value in tensors.items() if "optimizer" not in key},
        about | {"tensors": json.dumps(len(found))},
    ),
    "no moments of the optimiser",
)
damaged("without a weight", only(lambda key: "wpe" not in key or "optimizer" in key), "of 112 tensors it has 111")
damaged(
    "with moments of another shape",
    changed("optimizer/0/exp_avg", lambda x: x[:5]),
    "moments of another optimiser",
    "exp_avg of parameter 0",
)
damaged("with moments turned round", changed("optimizer/0/exp_avg_sq", lambda x: x.mT.contiguous()), "exp_avg_sq")
damaged("with a single number for moments", changed("optimizer/2/exp_avg", lambda x: x.sum()), "has the shape ()")
damaged("with moments in 16 bits", changed("optimizer/1/exp_avg", lambda x: x.half()), "moments of another optimiser")
damaged(
    "with moments that are NaN", changed("optimizer/1/exp_avg", lambda x: x * float("nan")), "not finite", "optimizer/1"
)
damaged(
    "with weights that are NaN", changed("module/model.transformer.ln_f.bias", lambda x: x / 0.0), "not finite", "ln_f"
)
damaged(
    "without a random state",
    lambda tensors, about: (
        {k: v for k, v in tensors.items() if k != "generator"},
        about | {"tensors": json.dumps(len(tensors) - 1)},
    ),
    "no random state",
    loop=policy,
)
damaged("with another random state", changed("generator", lambda x: x[:100]), "no random state", loop=policy)
damaged("that says nothing of its run", said(identity=None), "does not say which run")
damaged("whose state is no JSON", said(state="{step: 1"), "does not say which run")


def overwritten(content: bytes) -> Callable[[Tools], None]:
    def call(tools: Tools) -> None:
        (tools.folder / FILE_NAME).write_bytes(content)
        language_model(tools)

    return call


def cut_short(tools: Tools) -> None:
    language_model(tools, resume=False)
    overwritten((tools.folder / FILE_NAME).read_bytes()[:3000])(tools)


hostile("a checkpoint cut short", cut_short, ValueError, FILE_NAME, "damaged, or cut short")
hostile("a checkpoint of no bytes", overwritten(b""), ValueError, FILE_NAME, "damaged, or cut short")
hostile("no checkpoint", language_model, FileNotFoundError, "no checkpoint in")
hostile("going on from nowhere", lambda tools: language_model(tools, checkpoint=None), ValueError, "from where")


def below_a_file(tools: Tools) -> None:
    (tools.folder / "taken").write_text("a file")
    language_model(tools, checkpoint=tools.folder / "taken", resume=False)


hostile("checkpoints where a file is", below_a_file, ValueError, "No checkpoint can be saved in", "taken")
