"""Preference optimisation without a reward model: DPO and its relatives, on pairs or on single labelled texts.

All share one loop. Each method is an objective, a small dataclass. It says which log-probabilities the loss uses (sums
or means over tokens, with or without a reference) and which formula, from `objectives/direct.py`.

    objective  examples          reference  log-probability  loss
    DPO        pairs             yes        sum              Bradley-Terry; label_smoothing: cDPO; mistakes: robust
    IPO        pairs             yes        sum or mean      squared distance to 1 / (2 beta)
    SLiC       pairs             no         sum              hinge
    ORPO       pairs             no         mean             cross-entropy and log odds
    SimPO      pairs             no         mean             Bradley-Terry with a margin
    KTO        good or bad ones  yes        sum              saturates on both sides

The reference never moves, so its log-probabilities are computed once, before the first step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Unpack

import torch
from torch import Tensor, nn

from rlhf_lab.models.loading import context_length
from rlhf_lab.models.log_probs import completion_log_probs
from rlhf_lab.models.precision import ready_to_learn
from rlhf_lab.models.sampling import Rollout
from rlhf_lab.models.tokens import micro_batches_by_length
from rlhf_lab.objectives.direct import (
    dpo_losses,
    ipo_losses,
    kto_losses,
    kto_zero,
    orpo_losses,
    robust_dpo_losses,
    simpo_losses,
    slic_losses,
)
from rlhf_lab.training.loop import RunOptions, TrainingLoop, TrainingResult
from rlhf_lab.training.optimisation import (
    apply_gradients,
    check_settings,
    draw_seed,
    make_optimizer,
    not_finite,
    shuffled_batches,
    warmup_cosine,
)
from rlhf_lab.training.reward_examples import completions_of, self_preferences, weight_of
from rlhf_lab.training.reward_objectives import accuracy


class DirectObjective(Protocol):
    """A loss, and the scores that it works on.

    A text's *score* is its log-probability under the policy. Two of the flags below change that.
    """

    pairs: ClassVar[bool]  # learns from pairs; otherwise from single texts labelled good or bad
    reference: ClassVar[bool]  # subtract the reference's log-probability from the score
    per_token: bool  # divide the score by the text's number of tokens

    def losses(self, scores: Tensor, good: Tensor, zero: Tensor) -> Tensor:
        """Losses (n,) of n examples, from scores (n, 2) of pairs, chosen first, or (n, 1) of single texts.

        Only single texts use good, (n,) bool, and zero, the mean score of the batch's texts under mismatched prompts.
        """
        ...


@dataclass(frozen=True)
class DPO:
    """Rafailov et al. 2023."""

    beta: float = 0.1  # penalty on KL: the smaller, the further the policy goes
    label_smoothing: float = 0.0  # assumed share of wrong answers (cDPO)
    mistakes: float = 0.0  # known share of flipped answers, whose effect the loss removes (robust DPO)
    pairs: ClassVar[bool] = True
    reference: ClassVar[bool] = True
    per_token: ClassVar[bool] = False

    def losses(self, scores: Tensor, good: Tensor, zero: Tensor) -> Tensor:
        if self.mistakes:
            return robust_dpo_losses(*scores.unbind(1), self.beta, self.mistakes)
        return dpo_losses(*scores.unbind(1), self.beta, self.label_smoothing)


@dataclass(frozen=True)
class IPO:
    """Azar et al. 2023."""

    beta: float = 0.1  # penalty on KL: the target is a chosen score 1 / (2 beta) above the rejected one
    per_token: bool = False  # True: nats per token, as in TRL; 1 / (2 beta) is then a large target unless beta is large
    pairs: ClassVar[bool] = True
    reference: ClassVar[bool] = True

    def losses(self, scores: Tensor, good: Tensor, zero: Tensor) -> Tensor:
        return ipo_losses(*scores.unbind(1), self.beta)


@dataclass(frozen=True)
class SLiC:
    """Zhao et al. 2023; their cross-entropy is `sft_coefficient` of the loop."""

    margin: float = 1.0  # nats by which the chosen text should be likelier
    pairs: ClassVar[bool] = True
    reference: ClassVar[bool] = False
    per_token: ClassVar[bool] = False

    def losses(self, scores: Tensor, good: Tensor, zero: Tensor) -> Tensor:
        return slic_losses(*scores.unbind(1), self.margin)


@dataclass(frozen=True)
class ORPO:
    """Hong et al. 2024."""

    weight: float = 0.1  # of the odds term, relative to the cross-entropy of the chosen text
    pairs: ClassVar[bool] = True
    reference: ClassVar[bool] = False
    per_token: ClassVar[bool] = True

    def losses(self, scores: Tensor, good: Tensor, zero: Tensor) -> Tensor:
        return orpo_losses(*scores.unbind(1), self.weight)


@dataclass(frozen=True)
class SimPO:
    """Meng et al. 2024."""

    beta: float = 2.0  # scale of the scores
    margin: float = 1.0  # by which the chosen text should win, in units of the scaled scores
    pairs: ClassVar[bool] = True
    reference: ClassVar[bool] = False
    per_token: ClassVar[bool] = True

    def losses(self, scores: Tensor, good: Tensor, zero: Tensor) -> Tensor:
        return simpo_losses(*scores.unbind(1), self.beta, self.margin)


@dataclass(frozen=True)
class KTO:
    """Ethayarajh et al. 2024."""

    beta: float = 0.1  # penalty on KL
    good_weight: float = 1.0  # of texts labelled good
    bad_weight: float = 1.0  # of texts labelled bad
    pairs: ClassVar[bool] = False
    reference: ClassVar[bool] = True
    per_token: ClassVar[bool] = False

    def losses(self, scores: Tensor, good: Tensor, zero: Tensor) -> Tensor:
        return kto_losses(scores[:, 0], good, zero, self.beta, self.good_weight, self.bad_weight)


@dataclass(frozen=True)
class PreferenceOptimisationConfig:
    """Settings of `train_on_preferences`."""

    epochs: float = 1.0  # passes over the examples
    batch_size: int = 32  # examples per step
    micro_batch_tokens: int = 2048  # tokens computed at once, padding included; a batch's gradients are added up
    learning_rate: float = 1e-4  # at its highest, for a tiny model; 5e-7 to 5e-6 for billions of parameters
    sft_coefficient: float = 0.0  # adds this times the cross-entropy of the chosen (or good) texts, in nats a token
    warmup_fraction: float = 0.1  # share of the steps over which the learning rate rises
    final_fraction: float = 0.1  # learning rate of the last step, as a share of the highest
    weight_decay: float = 0.0  # pulls matrices towards zero
    max_gradient_norm: float = 1.0  # longer gradients are shortened to this
    evaluate_every: int = 0  # steps between calls of `evaluate`; 0: only after the last step
    checkpoint_every: int = 0  # steps between checkpoints; 0: only at the end


def train_on_preferences(
    policy: nn.Module,
    reference: nn.Module | None,
    tokenizer,
    examples: Sequence[Any],
    objective: DirectObjective = DPO(),
    config: PreferenceOptimisationConfig | None = None,
    *,
    generator: torch.Generator | None = None,
    **options: Unpack[RunOptions],
) -> TrainingResult:
    """Train `policy` in place on examples of the objective's kind: pairs (.prompt, .chosen, .rejected), or for KTO
    single texts (.prompt, .completion, .label). An example's .weight, if it has one, says how much it counts.

    reference: the model to compare with, usually a frozen copy of the policy; None if the objective needs none.
    callback gets one record per step: step (from 1), total, loss, learning_rate, gradient_norm, seconds, step_seconds,
    the results of `evaluate`, and these, on the step's examples before its update, in nats per text:

        chosen, rejected     mean log-probability of each side, minus the reference's if there is one
        margin               their difference, which the loss works on; it can rise while both sides fall
        accuracy             only for pairs: how often the chosen side's score is higher (a tie counts half)

    options: see `RunOptions`. ValueError if there is nothing to learn (no examples, pairs of equal texts, only one
    label), a text is too long for the model, or the reference is missing or is the policy itself.
    """
    config = config or PreferenceOptimisationConfig()
    check_settings(config, PreferenceOptimisationConfig)
    ready_to_learn(policy, "policy")
    if objective.reference and (reference is None or reference is policy):
        raise ValueError(
            f"{type(objective).__name__} compares the policy with a reference that stays as it is"
            f" ({'none was given' if reference is None else 'the two are one model here'}):"
            " pass reference=frozen_copy(policy)."
        )
    data = _Data.of(tokenizer, examples, objective)
    _check_lengths(policy, data)
    if objective.reference:
        data.compare_with(reference, config.micro_batch_tokens)
    n = len(examples)
    total = max(1, math.ceil(config.epochs * n / config.batch_size))
    batch_size = min(config.batch_size, n)
    warmup = max(1, round(config.warmup_fraction * total))
    optimizer = make_optimizer(policy.parameters(), config.weight_decay)
    run = TrainingLoop(
        total,
        {"policy": policy},
        optimizer,
        state={"order_seed": draw_seed(generator)},
        identity={
            "loop": "train_on_preferences",
            "objective": objective,
            "config": config,
            "examples": data.rows(),
        },
        evaluate_every=config.evaluate_every,
        checkpoint_every=config.checkpoint_every,
        **options,
    )
    batches = shuffled_batches(n, batch_size, run.state["order_seed"], run.state["step"])

    with run:
        for step in run:
            batch = torch.tensor(next(batches))
            learning_rate = warmup_cosine(step, total, config.learning_rate, warmup, config.final_fraction)
            loss, metrics = _backward(policy, data, batch, objective, config)
            run.keep_if_best(loss)
            norm = apply_gradients(optimizer, learning_rate, config.max_gradient_norm)
            if not math.isfinite(loss + norm):
                run.stop(not_finite(step, loss, norm, learning_rate, updated=step > 0))
                break
            run.report(loss=loss, **metrics, learning_rate=learning_rate, gradient_norm=norm)
    return run.result


@dataclass
class _Data:
    """n examples as rollouts, one row per text."""

    texts: Rollout  # n times M rows: the M texts of each example; in a pair, the chosen one first
    good: Tensor  # (n,) bool
    weights: Tensor  # (n,), how much each example counts; 1 on average
    swapped: Rollout | None = None  # n rows, for single texts: each text under another example's prompt

    def __post_init__(self) -> None:
        n = len(self.good)
        self.tokens = self.texts.lengths.view(n, -1)  # (n, M)
        self.longest = (self.texts.prompt_mask.sum(1).view(n, -1) + self.tokens).amax(1)  # (n,), with the prompt
        # Log-probabilities of the texts under the reference; zeros without one.
        self.reference, self.swapped_reference = torch.zeros(self.tokens.shape), torch.zeros(n)

    @classmethod
    def of(cls, tokenizer, examples: Sequence[Any], objective: DirectObjective) -> "_Data":
        name = type(objective).__name__
        kind = "pairs" if objective.pairs else "texts"
        wanted = ("prompt", "chosen", "rejected") if objective.pairs else ("prompt", "completion", "label")
        if not len(examples):
            raise ValueError(f"There are no examples: {name} learns from {kind} with {', '.join(wanted)}.")
        for i, example in enumerate(examples):
            if missing := [field for field in wanted if not hasattr(example, field)]:
                raise ValueError(
                    f"Example {i} has no {missing[0]}: {name} learns from {kind} with {', '.join(wanted)}."
                )
        prompts = [example.prompt for example in examples]
        weights = torch.tensor([weight_of(example) for example in examples])
        weights = weights / weights.mean()
        if objective.pairs:
            both = [completions_of(pair) for pair in examples]
            if same := self_preferences(examples, both):
                raise ValueError(
                    f"In {len(same)} of {len(examples)} pairs (the first is number {same[0]}) chosen and rejected are"
                    " one text, from which nothing can be learned. Leave them out."
                )
            texts = Rollout.from_texts(
                tokenizer, [prompt for prompt in prompts for _ in range(2)], [text for texts in both for text in texts]
            )
            return cls(texts, torch.ones(len(examples), dtype=torch.bool), weights)
        good = [bool(example.label) for example in examples]
        if len(set(good)) < 2:
            raise ValueError(
                f"All {len(examples)} texts are {'good' if good[0] else 'bad'}, so there is nothing to tell apart."
                " Pass some of the others, too."
            )
        texts = [example.completion for example in examples]
        swapped = Rollout.from_texts(tokenizer, prompts, [*texts[1:], texts[0]])
        return cls(Rollout.from_texts(tokenizer, prompts, texts), torch.tensor(good), weights, swapped)

    def rows(self) -> list[tuple]:
        """What each example says, for the identity of a run."""
        each = zip(self.texts.prompts, self.texts.texts, strict=True)
        texts = zip(*[each] * self.tokens.shape[1], strict=True)
        return list(zip(texts, self.good.tolist(), self.weights.tolist(), strict=True))

    @torch.no_grad()
    def compare_with(self, reference: nn.Module, micro_batch_tokens: int) -> None:
        device = next(reference.parameters()).device
        self.reference = _sums(reference, self.texts.to(device), micro_batch_tokens).view(len(self.good), -1).cpu()
        if self.swapped is not None:
            self.swapped_reference = _sums(reference, self.swapped.to(device), micro_batch_tokens).cpu()


def _sums(model: nn.Module, texts: Rollout, micro_batch_tokens: int | None = None) -> Tensor:
    """Log-probability of each completion, (B,), in nats."""
    return completion_log_probs(model, texts, 1.0, micro_batch_tokens=micro_batch_tokens).sum(1)


def _backward(
    policy: nn.Module, data: _Data, batch: Tensor, objective: DirectObjective, config: PreferenceOptimisationConfig
) -> tuple[float, dict[str, float]]:
    """The mean loss of a batch of examples (b,), and the step's metrics. Adds the gradient to the policy's."""
    device = next(policy.parameters()).device
    per_example = data.tokens.shape[1]
    zero = torch.zeros((), device=device)
    if data.swapped is not None:
        with torch.no_grad():
            moved = _sums(policy, data.swapped.select(batch).to(device), config.micro_batch_tokens)
        zero = kto_zero(moved - data.swapped_reference[batch].to(device))
    imitated = int((data.tokens[batch, 0] * data.good[batch]).sum())  # tokens of the chosen or good texts
    total, ratios, scores = 0.0, [], []
    # Both texts of a pair are computed together, because the loss needs both.
    pieces = micro_batches_by_length(data.longest[batch], config.micro_batch_tokens // per_example)
    for which in (batch[piece] for piece in pieces):
        texts = data.texts.select((which[:, None] * per_example + torch.arange(per_example)).flatten()).to(device)
        good, known = data.good[which].to(device), data.reference[which].to(device)
        sums = _sums(policy, texts).view(-1, per_example)
        score = (sums - known) / (data.tokens[which].to(device) if objective.per_token else 1)
        losses = objective.losses(score, good, zero)
        loss = (losses * data.weights[which].to(device)).sum() / len(batch)
        if config.sft_coefficient:
            loss = loss + config.sft_coefficient * (-(sums[:, 0] * good).sum() / max(imitated, 1))
        loss.backward()
        total += float(loss.detach())
        ratios.append((sums - known).detach())
        scores.append(score.detach())
    good = data.good[torch.cat([batch[piece] for piece in pieces])].to(device)
    return total, _metrics(torch.cat(ratios), torch.cat(scores), good, objective)


def _metrics(ratios: Tensor, scores: Tensor, good: Tensor, objective: DirectObjective) -> dict[str, float]:
    if not objective.pairs:
        up, down = float(ratios[good].mean()), float(ratios[~good].mean())  # NaN where the batch has none
        return {"chosen": up, "rejected": down, "margin": up - down}
    up, down = ratios.mean(0).tolist()
    ahead = accuracy(scores[:, 0] - scores[:, 1])
    return {"chosen": up, "rejected": down, "margin": up - down, "accuracy": ahead}


def _check_lengths(policy: nn.Module, data: _Data) -> None:
    limit = context_length(policy)
    for texts in (data.texts, data.swapped):
        if texts is not None and int((lengths := texts.prompt_mask.sum(1) + texts.lengths).max()) > limit:
            row = int(lengths.argmax())
            raise ValueError(
                f"A text has {int(lengths[row])} tokens with its prompt and end token, but the model reads at most"
                f" {limit}. Shorten it or leave it out; its prompt begins {texts.prompts[row][:40]!r}."
            )
