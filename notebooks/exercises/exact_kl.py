"""Exercise of notebook 07: the KL of two whole distributions, with nothing estimated."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def exact_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """KL(policy || reference) of the next token, in nats, exactly: by going through the whole vocabulary.

    logits, reference_logits: (T, V) of policy and reference at T positions, not normalised. A logit of the policy may
    be -inf: what it never says costs nothing. Returns (T,).
    """
    log_p, log_q = logits.log_softmax(-1), reference_logits.log_softmax(-1)  # (T, V)
    log_ratio = (log_p - log_q).masked_fill(log_p == -torch.inf, 0.0)  # 0 times infinity is 0 here
    return (log_p.exp() * log_ratio).sum(-1)  # weighted by the policy, for its samples are meant


def cases():
    yield Case(
        "two tokens: shares 3/4 and 1/4 against halves",
        (torch.tensor([[3.0, 1.0]]).log(), torch.tensor([[1.0, 1.0]]).log()),
    )
    yield Case(
        "a constant added to all logits changes nothing",
        (torch.tensor([[3.0, 1.0]]).log() + 2.0, torch.tensor([[1.0, 1.0]]).log() - 1.0),
    )
    yield Case(
        "one token is never said by the policy",
        (torch.tensor([[0.0, 0.0, -torch.inf]]), torch.tensor([[0.0, 1.0, 2.0]])),
    )
    yield Case(
        "two positions",
        (torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])),
    )
    yield Case("the reference hardly ever says it", (torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, -200.0]])))


def draw(generator):
    shape = size(generator, 2, 4), size(generator, 3, 5)
    return normal(generator, *shape, scale=2.0) + 1.0, normal(generator, *shape, scale=2.0)


def _logs(logits, reference_logits):
    return logits.log_softmax(-1), reference_logits.log_softmax(-1)


def _weighted(weights, log_ratio):
    return torch.where(weights > 0, weights * log_ratio, 0.0).sum(-1)


@mistake(
    "You weighted by the reference: that is KL(reference || policy).",
    "It is the policy that writes, so its probabilities weigh the log-ratio. The other direction is another number"
    " and asks that the policy covers all that the reference might say. (`F.kl_div(a, b)` is KL(b || a): the policy"
    " comes second there.)",
)
def reversed_direction(logits, reference_logits):
    log_p, log_q = _logs(logits, reference_logits)
    return _weighted(log_q.exp(), log_q - log_p)


@mistake(
    "You weighted log p - log q by the reference.",
    "The policy's own probabilities are the weights. Under the reference's, this mean is never above zero.",
)
def wrong_weights(logits, reference_logits):
    log_p, log_q = _logs(logits, reference_logits)
    return _weighted(log_q.exp(), log_p - log_q)


@mistake("The sign is wrong.", "KL is never negative: log policy less log reference, weighted by the policy.")
def wrong_sign(logits, reference_logits):
    log_p, log_q = _logs(logits, reference_logits)
    return _weighted(log_p.exp(), log_q - log_p)


@mistake(
    "You took the logits for log-probabilities.",
    "The policy's weights are a softmax; so must both logarithms be. A constant added to all logits of a row must"
    " change nothing.",
)
def not_normalised(logits, reference_logits):
    return _weighted(logits.softmax(-1), logits - reference_logits)


@mistake("You added up the positions.", "One KL a position is wanted, (T,). Sum over the last axis only.")
def summed(logits, reference_logits):
    log_p, log_q = _logs(logits, reference_logits)
    return _weighted(log_p.exp(), log_p - log_q).sum()


@mistake(
    "You averaged over the vocabulary.",
    "The probabilities are the weights already, and add up to 1. Dividing by V makes it smaller by V.",
)
def averaged(logits, reference_logits):
    log_p, log_q = _logs(logits, reference_logits)
    return _weighted(log_p.exp(), log_p - log_q) / logits.shape[-1]


@mistake(
    "You looked at the likeliest token only.",
    "Every token that might come counts, by how likely it is. One token alone can even seem less likely than before.",
)
def likeliest(logits, reference_logits):
    log_p, log_q = _logs(logits, reference_logits)
    return (log_p - log_q).gather(-1, log_p.argmax(-1, keepdim=True)).squeeze(-1)


@mistake(
    "You did not say what 0 times infinity is.",
    "Where the policy never says a token, its log-probability is -inf and its weight 0. In floating point the"
    " product is no number; here it has to be 0.",
)
def not_a_number(logits, reference_logits):
    log_p, log_q = _logs(logits, reference_logits)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


@mistake("You did not weigh at all.", "It is an average under the policy: what it says rarely counts little.")
def unweighted(logits, reference_logits):
    log_p, log_q = _logs(logits, reference_logits)
    return torch.where(log_p > -torch.inf, log_p - log_q, 0.0).sum(-1)


@mistake("You took logarithms to base 2.", "Those are bits. The reward is traded for nats here: natural logarithms.")
def in_bits(logits, reference_logits):
    log_p, log_q = _logs(logits, reference_logits)
    return _weighted(log_p.exp(), log_p - log_q) / 0.6931471805599453


EXERCISE = Exercise(
    reference=exact_kl,
    title="KL, with nothing estimated",
    question="""
        Where one can go through everything that might be said, KL is a sum:

        $$\\mathrm{KL}(p \\,\\|\\, q) = \\sum_v p(v)\\, \\log \\frac{p(v)}{q(v)}.$$

        Write it for the next token, from the logits of policy and reference. Mind who is the weight, and what happens
        to a token that the policy never says.
    """,
    difficulty=2,
    minutes=10,
    hints=(
        "Logits become log-probabilities by `log_softmax`. The weights are the policy's probabilities.",
        "`(log_p.exp() * (log_p - log_q)).sum(-1)` is nearly it. Where `log_p` is -inf, put 0 in place of the log-ratio"
        " first, with `masked_fill`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        reversed_direction,
        wrong_weights,
        wrong_sign,
        not_normalised,
        summed,
        averaged,
        likeliest,
        not_a_number,
        unweighted,
        in_bits,
    ),
)
