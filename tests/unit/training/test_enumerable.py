"""Policy gradients where everything can be counted: against exact gradients, and against the exact optimum.

First a policy that is a table: 5 tokens, completions of 3 tokens, so 125 completions whose probabilities are
known. The expected gradient of each algorithm is then compared with the gradient of the objective itself,
J = E[R] - beta KL(policy || reference), computed by going through all completions.

Then a small transformer over 6 tokens, trained by the real loop until it should be at the closed-form optimum,
reference * exp(R / beta) / Z (Rafailov et al. 2023, eq. 4).
"""

import itertools
from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rlhf_lab.advantages import batch_mean_baseline, kl_k1, kl_k2, kl_k3, no_baseline
from rlhf_lab.models import clone, new_language_model, tiny_config
from rlhf_lab.sampling import Rollout, completion_log_probs
from rlhf_lab.training.algorithms import (
    DR_GRPO,
    GRPO,
    PPO,
    REINFORCE,
    RLOO,
    CompletionAdvantage,
    Experience,
    GeneralisedAdvantage,
    KLInLoss,
    KLInReward,
    NoKL,
)
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy

V, T, GROUP, BATCH, BATCHES, BETA = 5, 3, 4, 40, 250, 0.6
COMPLETIONS = torch.tensor(list(itertools.product(range(V), repeat=T)))  # (125, 3)
# Which row of the table holds the logits of each token: one row for each possible beginning.
ROWS = torch.stack(
    [torch.zeros(len(COMPLETIONS), dtype=torch.long), 1 + COMPLETIONS[:, 0],
     1 + V + V * COMPLETIONS[:, 0] + COMPLETIONS[:, 1]], 1
)  # fmt: skip
DRAWS = torch.Generator().manual_seed(0)
TABLE = torch.randn(1 + V + V * V, V, generator=DRAWS, dtype=torch.float64)
REFERENCE = TABLE + 0.7 * torch.randn(TABLE.shape, generator=DRAWS, dtype=torch.float64)
REWARD = 2.0 + torch.randn(len(COMPLETIONS), generator=DRAWS, dtype=torch.float64)  # far from mean 0 on purpose


def log_probs_of(table):
    """(125, 3): of each token of each completion, given what stands before it."""
    return table.log_softmax(-1)[ROWS].gather(2, COMPLETIONS[..., None]).squeeze(2)


def gradient(objective):
    """Gradient of objective(log-probabilities (125, 3), probabilities (125,)) at the table, (31, 5)."""
    table = TABLE.clone().requires_grad_(True)
    tokens = log_probs_of(table)
    objective(tokens, tokens.sum(1).exp()).backward()
    return table.grad


REWARD_GRADIENT = gradient(lambda tokens, p: (p * REWARD).sum())
LOG_REFERENCE = log_probs_of(REFERENCE)
KL_GRADIENT = gradient(lambda tokens, p: (p * (tokens - LOG_REFERENCE).sum(1)).sum())
# Of each token's own KL, at the beginnings as the policy writes them: what a term in the loss can see. It leaves out
# that a token also decides which beginnings come later, and how much those differ from the reference.
OWN_KL_GRADIENT = gradient(lambda tokens, p: (p[:, None] * (tokens - LOG_REFERENCE)).detach().mul(tokens).sum())
OWN_REVERSED_KL_GRADIENT = gradient(
    lambda tokens, p: (p[:, None] * (1.0 - (LOG_REFERENCE - tokens).exp())).detach().mul(tokens).sum()
)


def estimates(algorithm, seed=1):
    """Gradients of J as the algorithm estimates them in its first update: (BATCHES, 31, 5)."""
    draws = torch.Generator().manual_seed(seed)
    log_p = log_probs_of(TABLE)
    drawn = torch.multinomial(log_p.sum(1).exp(), BATCHES * BATCH, replacement=True, generator=draws)
    mask = torch.ones(BATCH, T, dtype=torch.bool)
    result = []
    for some in drawn.split(BATCH):
        ids = torch.zeros(BATCH, 1, dtype=torch.long)
        rollout = Rollout(
            ["p"] * BATCH, ["c"] * BATCH, ids, ids == 0, COMPLETIONS[some], mask, log_p[some], mask.any(1)
        )
        values = torch.zeros(BATCH, T, dtype=torch.float64)
        experience = Experience(rollout, REWARD[some], LOG_REFERENCE[some], values, GROUP, BETA)
        minibatch = algorithm.credit(experience).minibatch(torch.arange(BATCH), algorithm.surrogate.average)
        table = TABLE.clone().requires_grad_(True)
        loss, _ = algorithm.loss(minibatch, log_probs_of(table)[some], values)
        loss.backward()
        result.append(-table.grad)
    return torch.stack(result)


DIRECTIONS = torch.randn(40, TABLE.numel(), generator=DRAWS, dtype=torch.float64) / TABLE.numel() ** 0.5


def deviation(samples, truth):
    """Largest difference between the mean of the samples and the truth, in standard errors.

    Looked at in random directions, and at the logits of the first token. (The other logits one by one would not do:
    some beginnings are so rare that a standard error cannot be measured.)
    """
    samples, truth = samples.flatten(1), truth.flatten()
    samples = torch.cat([samples @ DIRECTIONS.T, samples[:, :V]], 1)
    truth = torch.cat([DIRECTIONS @ truth, truth[:V]])
    error = samples.std(0) / len(samples) ** 0.5
    return ((samples.mean(0) - truth).abs() / error).max().item()


PLAIN_GAE = GeneralisedAdvantage(lam=1.0, whiten_advantages=False, value_coefficient=0.0)
UNBIASED = {  # name: (algorithm, what its estimate must be multiplied by)
    "REINFORCE without a baseline": (replace(REINFORCE, advantage=CompletionAdvantage(no_baseline)), 1.0),
    # The batch's mean has each return in it, which shrinks the gradient by a known factor.
    "REINFORCE": (REINFORCE, BATCH / (BATCH - 1)),
    "RLOO": (RLOO, 1.0),
    "Dr. GRPO, KL in the reward": (replace(DR_GRPO, kl=KLInReward()), GROUP / (GROUP - 1)),
    # PPO averages over tokens, T of them in every completion; its first update is that of the policy gradient.
    "PPO, lam = 1, first update": (replace(PPO, advantage=PLAIN_GAE), float(T)),
}


@pytest.mark.parametrize("name", UNBIASED)
def test_the_expected_gradient_is_that_of_the_objective(name):
    algorithm, factor = UNBIASED[name]
    samples = factor * estimates(algorithm)
    assert deviation(samples, REWARD_GRADIENT - BETA * KL_GRADIENT) < 4.0
    # The test has teeth: without the KL, or with the wrong sign of it, the same samples do not fit.
    assert deviation(samples, REWARD_GRADIENT) > 4.0
    assert deviation(samples, REWARD_GRADIENT + BETA * KL_GRADIENT) > 4.0


def test_a_baseline_makes_the_estimate_quieter():
    """Rewards have mean 2 and standard deviation 1 here: most of the noise is the mean's."""
    noise = {}
    for name, baseline in (("none", no_baseline), ("mean", batch_mean_baseline)):
        noise[name] = estimates(replace(REINFORCE, advantage=CompletionAdvantage(baseline), kl=NoKL())).var(0).sum()
    noise["others"] = estimates(replace(RLOO, kl=NoKL())).var(0).sum()
    assert noise["others"] < 0.5 * noise["none"] and noise["mean"] < noise["others"]


def test_kl_in_the_loss_is_not_kl_in_the_reward():
    """Differentiated on samples of the policy, k1 pulls nowhere, k2 down each token's KL, k3 down the reversed one.

    And none of them is the gradient of the KL of whole completions, which is what KL in the reward gives.
    """
    without = estimates(replace(RLOO, kl=NoKL()))
    pull = {k: estimates(replace(RLOO, kl=KLInLoss(k))) - without for k in (kl_k1, kl_k2, kl_k3)}
    truth = {k: -BETA * g for k, g in (("whole", KL_GRADIENT), ("own", OWN_KL_GRADIENT))}
    reversed_own = -BETA * OWN_REVERSED_KL_GRADIENT
    assert deviation(pull[kl_k1], torch.zeros_like(KL_GRADIENT)) < 4.0
    assert deviation(pull[kl_k2], truth["own"]) < 4.0 < deviation(pull[kl_k2], truth["whole"])
    assert deviation(pull[kl_k3], reversed_own) < 4.0 < deviation(pull[kl_k3], truth["own"])
    in_reward = estimates(RLOO) - without
    assert deviation(in_reward, truth["whole"]) < 4.0 < deviation(in_reward, truth["own"])


def test_the_bias_of_dividing_by_the_groups_standard_deviation():
    """GRPO's gradient is not the objective's times a constant: it points elsewhere, here by a few degrees."""
    mean = estimates(replace(GRPO, kl=NoKL(), epochs=1)).mean(0).flatten()
    unbiased = estimates(replace(RLOO, kl=NoKL())).mean(0).flatten()
    truth = REWARD_GRADIENT.flatten()
    angle = {name: torch.cosine_similarity(g, truth, dim=0) for name, g in (("GRPO", mean), ("RLOO", unbiased))}
    assert 0.9 < angle["GRPO"] and angle["RLOO"] > 0.99
    best_scale = mean @ truth / (truth @ truth)
    assert deviation(estimates(replace(GRPO, kl=NoKL(), epochs=1)).flatten(1) / best_scale, truth) > 4.0


# --- A transformer at its optimum --------------------------------------------------------------------

WORDS = ["<|end|>", "<|pad|>", "a", "b", "c", "d"]


@pytest.fixture(scope="module")
def words():
    """A tokenizer of six tokens, each a word."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<|pad|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=WORDS[0], pad_token=WORDS[1])


def all_completions(prompt_ids, length=3, end=0, pad=1):
    """Every completion of up to three tokens that can be sampled, as a rollout: 1 + 5 + 25 * 6 of them."""
    rows = [[end]] + [[i, end] for i in range(1, 6)]
    rows += [[i, j, k] for i in range(1, 6) for j in range(1, 6) for k in range(6)]
    ids = torch.tensor([row + [pad] * (length - len(row)) for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    mask = torch.arange(length) < lengths[:, None]
    n = len(rows)
    prompts = torch.tensor([prompt_ids] * n)
    return Rollout(
        ["a"] * n, [""] * n, prompts, prompts >= 0, ids, mask, torch.zeros(n, length), (ids == end).any(1)
    )


def reward_by_table(rollout):
    """A fixed reward for each completion of up to three of six tokens, mean 0 and variance about 1."""
    table = torch.randn(6, 7, 7, generator=torch.Generator().manual_seed(3))
    ids = torch.nn.functional.pad(rollout.completion_ids.masked_fill(~rollout.completion_mask, 6), (0, 3), value=6)
    return table[ids[:, 0], ids[:, 1], ids[:, 2]]


@pytest.mark.parametrize(("name", "algorithm"), [("RLOO", RLOO), ("PPO", PPO)])
def test_the_loop_converges_to_the_closed_form_optimum(words, name, algorithm):
    beta = 1.0
    reference = clone(new_language_model(tiny_config(words, layers=1, width=32, heads=2), seed=5))
    everything = all_completions(words("a")["input_ids"])
    log_reference = completion_log_probs(reference, everything).sum(1)
    assert log_reference.exp().sum() == pytest.approx(1.0, abs=1e-4)  # nothing was left out
    log_optimum = torch.log_softmax(log_reference + reward_by_table(everything) / beta, 0)
    config = PolicyGradientConfig(
        steps=250, batch_size=256, samples_per_prompt=8, max_new_tokens=3, learning_rate=6e-3, final_fraction=0.01,
        kl_coefficient=beta, missing_end_penalty=0.0, piece_tokens=4096,
    )  # fmt: skip
    policy = clone(reference).requires_grad_(True)
    generator = torch.Generator().manual_seed(0)
    train_policy(policy, reference, reward_by_table, words, ["a"], algorithm, config, generator=generator)
    with torch.no_grad():
        log_p = completion_log_probs(policy, everything).sum(1)

    def kl(log_p):
        return float((log_p.exp() * (log_p - log_optimum)).sum())

    assert kl(log_reference) > 0.3  # there was something to learn
    assert kl(log_p) < 0.02, f"{name} is {kl(log_p):.3f} nats from the optimum"
