"""Sampling, language-model, policy-gradient and reward training: inputs that cannot work, and what is said of them."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from hostile import Tools, hostile

from rlhf_lab.models.loading import frozen_copy, new_language_model, tiny_config, train_tokenizer, trainable_copy
from rlhf_lab.models.log_probs import completion_log_probs
from rlhf_lab.models.precision import BrokenModelError
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.models.sampling import Rollout, sample
from rlhf_lab.models.value_head import ValueHead
from rlhf_lab.objectives.kl import AdaptiveKL
from rlhf_lab.training.algorithms import GRPO, PPO, RLOO, GeneralisedAdvantage
from rlhf_lab.training.language_model import LanguageModelConfig, train_language_model
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy
from rlhf_lab.training.reward_model import RewardModelConfig, train_reward_model

SHORT = PolicyGradientConfig(steps=1, batch_size=4, samples_per_prompt=2, max_new_tokens=4)


@dataclass(frozen=True)
class Text:
    prompt: str = "Story:"
    completion: str = " The goat sleeps."


@dataclass(frozen=True)
class Pair:
    chosen: str = " goat"
    rejected: str = " door"
    prompt: str = "Story:"


def draw(t: Tools, prompts="own", model=None, tokenizer="own", **settings):
    prompts = t.prompts if isinstance(prompts, str) else prompts
    tokenizer = t.tokenizer if isinstance(tokenizer, str) else tokenizer
    return sample(t.model if model is None else model, tokenizer, prompts, **{"max_new_tokens": 4} | settings)


def improve(
    t: Tools,
    *,
    policy=None,
    reference="own",
    reward=lambda r: r.lengths.float(),
    algorithm=RLOO,
    config=None,
    **changes,
):
    """One step of the policy gradient; changes are of the configuration or of other arguments."""
    policy = t.model if policy is None else policy
    reference = frozen_copy(t.model) if isinstance(reference, str) else reference
    others = {k: changes.pop(k) for k in ("value_head", "callback", "evaluate", "generator") if k in changes}
    config = replace(SHORT, **changes) if config is None else config
    train_policy(policy, reference, reward, t.tokenizer, t.prompts, algorithm, config, **others)


def learn(t: Tools, documents=(Text(),), model=None, generator=None, evaluate=None, **settings):
    config = LanguageModelConfig(**{"steps": 1} | settings)
    model = t.model if model is None else model
    train_language_model(model, t.tokenizer, documents, config, generator=generator, evaluate=evaluate)


def judge(t: Tools, pairs=(Pair(),), change=lambda model: None, **settings):
    reward_model = RewardModel.from_language_model(t.model)
    change(reward_model)
    train_reward_model(reward_model, t.tokenizer, pairs, RewardModelConfig(**settings))


def with_weights(model, number: float):
    """A copy whose weights are all this number times as large."""
    model = trainable_copy(model)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(number)
    return model


def with_one_nan(model):
    model = trainable_copy(model)
    with torch.no_grad():
        next(model.parameters())[3, 2] = math.nan
    return model


def without(tokenizer, token: str):
    """The tokenizer with no such special token."""
    other = train_tokenizer(["The goat sleeps."] * 3, vocab_size=len(tokenizer))
    setattr(other, token, None)
    return other


def other_vocabulary(t: Tools):
    tokenizer = train_tokenizer(["The goat sleeps."] * 3, vocab_size=len(t.tokenizer) - 20)
    return new_language_model(tiny_config(tokenizer, layers=1, width=16, heads=2)).requires_grad_(False)


# --- Sampling ----------------------------------------------------------------------------------------

hostile(
    "sampling from model and tokenizer in one",
    lambda t: draw(t, model=(t.model, 1)),
    ValueError,
    "tuple",
    "model, tokenizer =",
)
hostile("sampling from a model's name", lambda t: draw(t, model="tiny"), ValueError, "got a str", "load_language_model")
hostile(
    "sampling from weights of NaN",
    lambda t: draw(t, model=with_one_nan(t.model)),
    BrokenModelError,
    "1 of the",
    "not finite",
    "Load it again",
)
hostile(
    "sampling from weights of 1e25",
    lambda t: draw(t, model=with_weights(t.model, 1e25)),
    BrokenModelError,
    "first for prompt 0",
    "far too large",
)
hostile("sampling from weights on meta", lambda t: draw(t, model=t.model.to("meta")), ValueError, "meta", "Load it")
hostile("a temperature of 1e-40", lambda t: draw(t, temperature=1e-40), ValueError, "1e-40", "at least 1e-05", "use 0")
hostile("a temperature without end", lambda t: draw(t, temperature=math.inf), ValueError, "inf", "finite")
hostile("a temperature in words", lambda t: draw(t, temperature="hot"), ValueError, "'hot'", "finite number")
hostile("two and a half new tokens", lambda t: draw(t, max_new_tokens=2.5), ValueError, "2.5", "whole number")
hostile("new tokens in words", lambda t: draw(t, max_new_tokens="ten"), ValueError, "'ten'", "whole number")
hostile("a top_k below zero", lambda t: draw(t, top_k=-1), ValueError, "top_k=-1", "0 for off")
hostile("a broken top_k", lambda t: draw(t, top_k=2.5), ValueError, "top_k=2.5", "whole number")
hostile("a top_p of NaN", lambda t: draw(t, top_p=math.nan), ValueError, "top_p=nan")
hostile("a top_p above 1", lambda t: draw(t, top_p=1.5), ValueError, "top_p=1.5", "(0, 1]")
hostile("a seed for a generator", lambda t: draw(t, generator=0), ValueError, "generator is 0", "manual_seed")
hostile("no prompts but None", lambda t: draw(t, None), ValueError, "list of prompts", "NoneType")
hostile("prompts in a dict", lambda t: draw(t, {"a": "b"}), ValueError, "list of prompts", "dict")
hostile(
    "prompts that are read once only", lambda t: draw(t, iter(t.prompts)), ValueError, "list of prompts", "iterator"
)
hostile("None among the prompts", lambda t: draw(t, ["The", None]), ValueError, "Prompt 1 of 2", "NoneType")
hostile("bytes among the prompts", lambda t: draw(t, [b"The"]), ValueError, "Prompt 0 of 1", "bytes")
hostile("a prompt of blanks", lambda t: draw(t, [" \n"]), ValueError, "Prompt 0 of 1 is empty", "give it some text")
hostile("a prompt as long as the context", lambda t: draw(t, ["goat " * 300]), ValueError, "model reads at most 192")
hostile("no tokenizer", lambda t: draw(t, tokenizer=None), ValueError, "NoneType", "eos_token")
hostile(
    "a tokenizer without an end",
    lambda t: draw(t, tokenizer=without(t.tokenizer, "eos_token")),
    ValueError,
    "no end token (eos_token)",
)
hostile(
    "a tokenizer without padding",
    lambda t: draw(t, tokenizer=without(t.tokenizer, "pad_token")),
    ValueError,
    "no padding token (pad_token)",
    "load_language_model",
)
hostile(
    "log-probabilities at temperature 0",
    lambda t: completion_log_probs(t.model, draw(t), 0.0),
    ValueError,
    "temperature is 0.0",
    "at least",
)
hostile(
    "None among given completions",
    lambda t: Rollout.from_texts(t.tokenizer, ["The"], [None]),
    ValueError,
    "Completion 0 of 1",
    "NoneType",
)
hostile(
    "too few words on which completions ended",
    lambda t: Rollout.from_texts(t.tokenizer, ["The"] * 2, [" goat"] * 2, ended=[True]),
    ValueError,
    "1 entries for 2 completions",
)

# --- Policy gradients --------------------------------------------------------------------------------

hostile(
    "a frozen policy",
    lambda t: improve(t, policy=frozen_copy(t.model)),
    ValueError,
    "policy is frozen",
    "trainable_copy",
)
hostile(
    "a frozen policy beside a value head that learns",
    lambda t: improve(t, policy=frozen_copy(t.model), algorithm=PPO),
    ValueError,
    "policy is frozen",
)
hostile("a policy in float16", lambda t: improve(t, policy=t.model.half()), ValueError, "float16", "bfloat16")
hostile(
    "a policy without numbers",
    lambda t: improve(t, policy=trainable_copy(t.model).to("meta")),
    ValueError,
    "meta",
    "Load it first",
)
hostile(
    "a policy with a weight of NaN",
    lambda t: improve(t, policy=with_one_nan(t.model)),
    BrokenModelError,
    "policy is broken",
    "not finite",
)
hostile(
    "a policy that overflows at once",
    lambda t: improve(t, policy=with_weights(t.model, 1e25)),
    BrokenModelError,
    "far too large",
)
hostile(
    "a reference with a weight of NaN",
    lambda t: improve(t, reference=with_one_nan(t.model)),
    BrokenModelError,
    "reference is broken",
)
hostile(
    "a reference that overflows",
    lambda t: improve(t, reference=with_weights(t.model, 1e25)),
    BrokenModelError,
    "reference's log-probabilities",
)
hostile(
    "a reference with another vocabulary",
    lambda t: improve(t, reference=other_vocabulary(t)),
    ValueError,
    "vocabulary of 320",
    "frozen_copy",
)
hostile(
    "no samples of a prompt",
    lambda t: improve(t, samples_per_prompt=0),
    ValueError,
    "samples_per_prompt is 0",
    "at least 1",
)
hostile("a batch below zero", lambda t: improve(t, batch_size=-4), ValueError, "batch_size is -4", "whole number")
hostile("a batch of half a text", lambda t: improve(t, batch_size=4.5), ValueError, "batch_size is 4.5", "whole number")
hostile("a policy's run of no step", lambda t: improve(t, steps=0), ValueError, "steps is 0", "at least 1")
hostile("a learning rate of NaN", lambda t: improve(t, learning_rate=math.nan), ValueError, "learning_rate is nan")
hostile("a learning rate below zero", lambda t: improve(t, learning_rate=-1e-3), ValueError, "learning_rate is -0.001")
hostile("a learning rate of None", lambda t: improve(t, learning_rate=None), ValueError, "learning_rate is None")
hostile(
    "gradients cut to nothing",
    lambda t: improve(t, max_gradient_norm=0),
    ValueError,
    "max_gradient_norm is 0",
    "above 0",
)
hostile(
    "more warming up than there are steps",
    lambda t: improve(t, warmup_fraction=2),
    ValueError,
    "warmup_fraction is 2",
    "from 0 to 1",
)
hostile(
    "an infinite price of drifting", lambda t: improve(t, kl_coefficient=math.inf), ValueError, "kl_coefficient is inf"
)
hostile("a limit of NaN", lambda t: improve(t, kl_limit=math.nan), ValueError, "kl_limit is nan")
hostile(
    "settings in a dict",
    lambda t: improve(t, config={"steps": 1}),
    ValueError,
    "config is a dict",
    "PolicyGradientConfig",
)
hostile(
    "settings of another loop",
    lambda t: improve(t, config=RewardModelConfig()),
    ValueError,
    "RewardModelConfig",
    "PolicyGradientConfig",
)
hostile("an algorithm's name", lambda t: improve(t, algorithm="PPO"), ValueError, "'PPO'", "algorithms.py")
hostile("an algorithm of no pass", lambda t: replace(GRPO, epochs=0), ValueError, "epochs is 0", "at least 1")
hostile("an algorithm of half an update", lambda t: replace(PPO, minibatches=0.5), ValueError, "minibatches is 0.5")
hostile("a discount above 1", lambda t: GeneralisedAdvantage(gamma=1.1), ValueError, "gamma=1.1", "0 to 1")
hostile("an advantage that trusts NaN", lambda t: GeneralisedAdvantage(lam=math.nan), ValueError, "lam=nan")
hostile("a target divergence of zero", lambda t: AdaptiveKL(target=0.0), ValueError, "target", "above 0")
hostile(
    "a value head of another policy",
    lambda t: improve(t, algorithm=PPO, value_head=ValueHead(24)),
    ValueError,
    "24",
    "16",
    "another policy",
)
hostile("a callback that is no function", lambda t: improve(t, callback="print"), ValueError, "callback is a str")
hostile(
    "an evaluation that returns nothing",
    lambda t: improve(t, evaluate=lambda: None),
    ValueError,
    "evaluate returned a NoneType",
    "dict",
)
hostile("a policy's generator that is a seed", lambda t: improve(t, generator=7), ValueError, "generator is 7")

# --- Rewards -----------------------------------------------------------------------------------------

REWARDS = {
    "nothing": (lambda r: None, "NoneType"),
    "a dict": (lambda r: {"reward": [0.0] * len(r)}, "dict"),
    "None in a list": (lambda r: [0.0, None, 0.0, 0.0], "None for completion 1"),
    "a list of lists": (lambda r: [[0.0]] * len(r), "[0.0] for completion 0"),
    "words": (lambda r: ["good"] * len(r), "'good' for completion 0"),
    "a sparse tensor": (lambda r: torch.zeros(len(r)).to_sparse(), "sparse tensor"),
    "a tensor without numbers": (lambda r: torch.zeros(len(r), device="meta"), "meta tensor"),
    "complex numbers": (lambda r: torch.zeros(len(r), dtype=torch.complex64), "complex tensor"),
    "an array of objects": (lambda r: np.array([None] * len(r)), "ndarray"),
    "one number for all": (lambda r: 1.0, "shape ()"),
    "a number too few": (lambda r: torch.zeros(len(r) - 1), "shape (3,)"),
}
for what, (function, words) in REWARDS.items():
    hostile(
        f"a reward function that gives {what}",
        lambda t, f=function: improve(t, reward=f),
        ValueError,
        words,
        "one number for each of 4",
    )
hostile(
    "rewards instead of a function",
    lambda t: improve(t, reward=torch.zeros(4)),
    ValueError,
    "reward function is a Tensor",
)
hostile(
    "a group of one", lambda t: improve(t, algorithm=GRPO, samples_per_prompt=1), ValueError, "samples_per_prompt to 2"
)

# --- Language models ---------------------------------------------------------------------------------

hostile(
    "documents that are strings", lambda t: learn(t, ["The goat sleeps."]), ValueError, "Document 0 is a str", ".prompt"
)
hostile("documents that are dicts", lambda t: learn(t, [Text(), {"prompt": "a"}]), ValueError, "Document 1 is a dict")
hostile(
    "a document without a completion",
    lambda t: learn(t, [Text(completion=None)]),
    ValueError,
    "Completion 0 of 1 must be a string",
)
hostile("a frozen language model", lambda t: learn(t, model=frozen_copy(t.model)), ValueError, "model is frozen")
hostile("a language model in float16", lambda t: learn(t, model=t.model.half()), ValueError, "model is in float16")
hostile("no pass over the documents", lambda t: learn(t, epochs=0.0), ValueError, "epochs is 0.0", "above 0")
hostile("a run of no step", lambda t: learn(t, steps=0), ValueError, "steps is 0")
hostile("passes without end", lambda t: learn(t, epochs=math.inf, steps=None), ValueError, "epochs is inf", "finite")
hostile("evaluation every -1 steps", lambda t: learn(t, evaluate_every=-1), ValueError, "evaluate_every is -1")
hostile("an order decided by a seed", lambda t: learn(t, generator=3), ValueError, "generator is 3", "torch.Generator")

# --- Reward models -----------------------------------------------------------------------------------

hostile(
    "a frozen reward model",
    lambda t: judge(t, change=lambda m: m.requires_grad_(False)),
    ValueError,
    "reward model is frozen",
)
hostile(
    "a reward model with a head of NaN",
    lambda t: judge(t, change=lambda m: m.head.weight.data.fill_(math.nan)),
    BrokenModelError,
    "reward model is broken",
    "head.weight",
)
hostile("an average over more than all steps", lambda t: judge(t, average_last=1.5), ValueError, "average_last is 1.5")
hostile(
    "only pairs of equal texts",
    lambda t: judge(t, [Pair(" goat", " goat")]),
    ValueError,
    "All 1 examples prefer a text to itself",
)
hostile(
    "texts that differ only beyond the context",
    lambda t: judge(t, [Pair(" goat" * 300, " goat" * 300 + " door")]),
    ValueError,
    "reads at most 192",
)
hostile(
    "normalising on scores of another model",
    lambda t: RewardModel.from_language_model(t.model).normalise(torch.randn(9, 2)),
    ValueError,
    "shape (9, 2)",
    "gives 1 to each",
)
hostile(
    "normalising on a single number",
    lambda t: RewardModel.from_language_model(t.model).normalise(torch.tensor(3.0)),
    ValueError,
    "shape ()",
)
hostile(
    "normalising on scores that are not finite",
    lambda t: RewardModel.from_language_model(t.model).normalise(torch.tensor([1.0, math.inf])),
    ValueError,
    "Cannot normalise on 2 scores",
    "finite",
)
