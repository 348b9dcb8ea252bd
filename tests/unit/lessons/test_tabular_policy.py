"""Policy gradients where everything can be counted: against exact gradients, and against the exact optimum.

First a policy that is a table: 5 tokens, completions of 3 tokens, so 125 completions whose probabilities are
known. The expected gradient of each algorithm is then compared with the gradient of the objective itself,
J = E[R] - beta KL(policy || reference), computed by going through all completions.

Then a small transformer over 6 tokens, trained by the real loop until it should be at the closed-form optimum,
reference * exp(R / beta) / Z (Rafailov et al. 2023, eq. 4).
"""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from lessons.tabular_policy import TabularModel, climb, gradient
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rlhf_lab.models.loading import frozen_copy, new_language_model, tiny_config, trainable_copy
from rlhf_lab.models.log_probs import completion_log_probs
from rlhf_lab.models.sampling import Rollout
from rlhf_lab.objectives.advantages import batch_mean_baseline, no_baseline
from rlhf_lab.objectives.kl import closed_form_policy, exact_kl, kl_k1, kl_k2, kl_k3
from rlhf_lab.training.algorithms import (
    DR_GRPO,
    GRPO,
    PPO,
    REINFORCE,
    RLOO,
    CompletionAdvantage,
    GeneralisedAdvantage,
)
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy

V, T, GROUP, BATCH, BATCHES, BETA = 5, 3, 4, 40, 250, 0.6
SMALL = TabularModel(V, T)
DRAWS = torch.Generator().manual_seed(0)
TABLE = SMALL.random_table(DRAWS)
REFERENCE = TABLE + SMALL.random_table(DRAWS, scale=0.7)
REWARD = 2.0 + torch.randn(V**T, generator=DRAWS, dtype=torch.float64)  # far from mean 0 on purpose


def expected(objective):
    """Gradient at the table, (31, 5), of objective(log-probabilities (125, 3), probabilities (125,))."""

    def of_table(table):
        tokens = SMALL.log_probs(table)
        return objective(tokens, tokens.sum(1).exp())

    return gradient(of_table, TABLE)


REWARD_GRADIENT = gradient(lambda table: SMALL.expected_reward(table, REWARD), TABLE)
LOG_REFERENCE = SMALL.log_probs(REFERENCE)
KL_GRADIENT = gradient(lambda table: SMALL.kl(table, REFERENCE), TABLE)
# Of each token's own KL, at the beginnings as the policy writes them: what a term in the loss can see. It leaves out
# that a token also decides which beginnings come later, and how much those differ from the reference.
OWN_KL_GRADIENT = expected(lambda tokens, p: (p[:, None] * (tokens - LOG_REFERENCE)).detach().mul(tokens).sum())
OWN_REVERSED_KL_GRADIENT = expected(
    lambda tokens, p: (p[:, None] * (1.0 - (LOG_REFERENCE - tokens).exp())).detach().mul(tokens).sum()
)


def estimates(algorithm, seed=1):
    """Gradients of J as the algorithm estimates them in its first update: (BATCHES, 31, 5)."""
    drawn = SMALL.draw(TABLE, BATCHES * BATCH, torch.Generator().manual_seed(seed))
    batches = [
        SMALL.sampled_gradient(algorithm, TABLE, REFERENCE, REWARD, BETA, some, GROUP) for some in drawn.split(BATCH)
    ]
    return torch.stack(batches)


def every_completion_by_hand(table):
    """Probability of each completion, in a dictionary, multiplied up token by token from the table's rows."""
    shares = table.softmax(-1).tolist()
    return {
        (i, j, k): shares[0][i] * shares[1 + i][j] * shares[1 + V + V * i + j][k]
        for i, j, k in itertools.product(range(V), repeat=T)
    }


def test_probabilities_are_those_of_the_table():
    """Worked out by hand: row 0 is the empty beginning, then one row for each first token, then for each pair."""
    by_hand = every_completion_by_hand(TABLE)
    log_p = SMALL.log_probs(TABLE).sum(1)
    for completion, log_probability in zip(SMALL.completions.tolist(), log_p.tolist(), strict=True):
        assert log_probability == pytest.approx(math.log(by_hand[tuple(completion)]))
    assert log_p.exp().sum().item() == pytest.approx(1.0) and SMALL.beginnings == len(TABLE) == 31


def test_expectations_are_sums_over_all_completions():
    p, q = every_completion_by_hand(TABLE), every_completion_by_hand(REFERENCE)
    kl = sum(p[c] * math.log(p[c] / q[c]) for c in p)
    mean = sum(p[tuple(c)] * r for c, r in zip(SMALL.completions.tolist(), REWARD.tolist(), strict=True))
    assert SMALL.kl(TABLE, REFERENCE).item() == pytest.approx(kl)
    assert SMALL.expected_reward(TABLE, REWARD).item() == pytest.approx(mean)
    assert SMALL.objective(TABLE, REFERENCE, REWARD, BETA).item() == pytest.approx(mean - BETA * kl)


def test_gradients_are_slopes():
    """A small step in each of some directions changes J by as much as the gradient says."""
    slope = gradient(lambda table: SMALL.objective(table, REFERENCE, REWARD, BETA), TABLE)
    assert torch.allclose(slope, REWARD_GRADIENT - BETA * KL_GRADIENT)
    for direction in torch.eye(31 * V, dtype=torch.float64)[::13].reshape(-1, 31, V):
        up, down = (SMALL.objective(TABLE + h * direction, REFERENCE, REWARD, BETA) for h in (1e-5, -1e-5))
        assert (slope * direction).sum().item() == pytest.approx((up - down).item() / 2e-5, abs=1e-8)


def test_a_table_tells_every_distribution():
    log_p = torch.randn(V**T, generator=torch.Generator().manual_seed(2), dtype=torch.float64).log_softmax(0)
    assert torch.allclose(SMALL.log_probs(SMALL.table_of(log_p)).sum(1), log_p)
    with pytest.raises(ValueError, match="125 completions"):
        SMALL.table_of(log_p[:-1])


def test_draws_follow_the_policy():
    drawn = SMALL.draw(TABLE, 200_000, torch.Generator().manual_seed(0))
    p = SMALL.log_probs(TABLE).sum(1).exp()
    share = torch.bincount(drawn, minlength=V**T) / len(drawn)
    assert ((share - p).abs() < 5 * (p * (1 - p) / len(drawn)).sqrt() + 1e-9).all()


@pytest.mark.slow
def test_nothing_is_better_than_the_closed_form_optimum():
    """Not the table that climbing the exact gradient ends at, which is it; nor any that lies nearby."""
    log_optimum = SMALL.optimum(REFERENCE, REWARD, BETA)
    best = SMALL.table_of(log_optimum)
    value = SMALL.objective(best, REFERENCE, REWARD, BETA)
    # At the optimum J is beta log Z (Rafailov et al. 2023, eq. 4 put into eq. 3).
    log_z = (SMALL.log_probs(REFERENCE).sum(1) + REWARD / BETA).logsumexp(0)
    assert value.item() == pytest.approx(BETA * log_z.item())
    draws = torch.Generator().manual_seed(7)
    for scale in (0.01, 0.1, 1.0):
        for _ in range(10):
            nearby = best + SMALL.random_table(draws, scale)
            assert SMALL.objective(nearby, REFERENCE, REWARD, BETA) < value
    climbed = climb(lambda table: SMALL.objective(table, REFERENCE, REWARD, BETA), REFERENCE)
    assert (SMALL.log_probs(climbed).sum(1) - log_optimum).abs().max() < 0.01


@pytest.mark.parametrize(("vocabulary", "length"), [(1, 3), (5, 0), (50, 5)])
def test_what_cannot_be_counted_is_refused(vocabulary, length):
    with pytest.raises(ValueError, match="tokens"):
        TabularModel(vocabulary, length)


def test_a_price_of_nothing_has_no_optimum():
    with pytest.raises(ValueError, match="above zero"):
        closed_form_policy(torch.zeros(3), torch.ones(3), 0.0)


def test_exact_kl():
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.5, 0.25])
    logits = torch.stack([p.log() + 3.0, q.log()])  # a constant added to logits changes nothing
    assert exact_kl(logits, q.log().expand(2, 3)).tolist() == pytest.approx([0.5 * math.log(2), 0.0])
    assert exact_kl(q.log(), p.log()).item() == math.inf  # what the reference never does costs infinitely much


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
    "Dr. GRPO, KL in the reward": (replace(DR_GRPO, kl_in="reward"), GROUP / (GROUP - 1)),
    # PPO averages over tokens, T of them in every completion; its first update is that of the policy gradient.
    "PPO, lam = 1, first update": (replace(PPO, advantage=PLAIN_GAE), float(T)),
}


@pytest.mark.slow
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
        noise[name] = estimates(replace(REINFORCE, advantage=CompletionAdvantage(baseline), kl_in=None)).var(0).sum()
    noise["others"] = estimates(replace(RLOO, kl_in=None)).var(0).sum()
    assert noise["others"] < 0.5 * noise["none"] and noise["mean"] < noise["others"]


def test_kl_in_the_loss_is_not_kl_in_the_reward():
    """Differentiated on samples of the policy, k1 pulls nowhere, k2 down each token's KL, k3 down the reversed one.

    And none of them is the gradient of the KL of whole completions, which is what KL in the reward gives.
    """
    without = estimates(replace(RLOO, kl_in=None))
    pull = {k: estimates(replace(RLOO, kl_in="loss", kl_estimate=k)) - without for k in (kl_k1, kl_k2, kl_k3)}
    truth = {k: -BETA * g for k, g in (("whole", KL_GRADIENT), ("own", OWN_KL_GRADIENT))}
    reversed_own = -BETA * OWN_REVERSED_KL_GRADIENT
    assert deviation(pull[kl_k1], torch.zeros_like(KL_GRADIENT)) < 4.0
    assert deviation(pull[kl_k2], truth["own"]) < 4.0 < deviation(pull[kl_k2], truth["whole"])
    assert deviation(pull[kl_k3], reversed_own) < 4.0 < deviation(pull[kl_k3], truth["own"])
    in_reward = estimates(RLOO) - without
    assert deviation(in_reward, truth["whole"]) < 4.0 < deviation(in_reward, truth["own"])


def test_the_bias_of_dividing_by_the_groups_standard_deviation():
    """GRPO's gradient is not the objective's times a constant: it points elsewhere, here by a few degrees."""
    mean = estimates(replace(GRPO, kl_in=None, epochs=1)).mean(0).flatten()
    unbiased = estimates(replace(RLOO, kl_in=None)).mean(0).flatten()
    truth = REWARD_GRADIENT.flatten()
    angle = {name: torch.cosine_similarity(g, truth, dim=0) for name, g in (("GRPO", mean), ("RLOO", unbiased))}
    assert 0.9 < angle["GRPO"] and angle["RLOO"] > 0.99
    best_scale = mean @ truth / (truth @ truth)
    assert deviation(estimates(replace(GRPO, kl_in=None, epochs=1)).flatten(1) / best_scale, truth) > 4.0


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
    return Rollout(["a"] * n, [""] * n, prompts, prompts >= 0, ids, mask, torch.zeros(n, length), (ids == end).any(1))


def reward_by_table(rollout):
    """A fixed reward for each completion of up to three of six tokens, mean 0 and variance about 1."""
    table = torch.randn(6, 7, 7, generator=torch.Generator().manual_seed(3))
    ids = torch.nn.functional.pad(rollout.completion_ids.masked_fill(~rollout.completion_mask, 6), (0, 3), value=6)
    return table[ids[:, 0], ids[:, 1], ids[:, 2]]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "algorithm"), [("RLOO", RLOO), ("PPO", PPO)])
def test_the_loop_converges_to_the_closed_form_optimum(words, name, algorithm):
    beta = 1.0
    reference = frozen_copy(new_language_model(tiny_config(words, layers=1, width=32, heads=2), seed=5))
    everything = all_completions(words("a")["input_ids"])
    log_reference = completion_log_probs(reference, everything).sum(1)
    assert log_reference.exp().sum() == pytest.approx(1.0, abs=1e-4)  # nothing was left out
    log_optimum = torch.log_softmax(log_reference + reward_by_table(everything) / beta, 0)
    config = PolicyGradientConfig(
        steps=250,
        batch_size=256,
        samples_per_prompt=8,
        max_new_tokens=3,
        learning_rate=6e-3,
        final_fraction=0.01,
        kl_coefficient=beta,
        missing_eos_penalty=0.0,
        micro_batch_tokens=4096,
    )
    policy = trainable_copy(reference)
    generator = torch.Generator().manual_seed(0)
    train_policy(policy, reference, reward_by_table, words, ["a"], algorithm, config, generator=generator)
    with torch.no_grad():
        log_p = completion_log_probs(policy, everything).sum(1)

    def kl(log_p):
        return float((log_p.exp() * (log_p - log_optimum)).sum())

    assert kl(log_reference) > 0.3  # there was something to learn
    assert kl(log_p) < 0.02, f"{name} is {kl(log_p):.3f} nats from the optimum"
