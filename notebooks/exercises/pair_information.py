"""Exercise of notebook 04: which pair says most about the weight of a reward model?"""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def pair_information(differences: Tensor, weight: Tensor, covariance: Tensor) -> Tensor:
    """What the answer to each pair would add to what is known of the weight: the a in det S -> det S / (1 + a), (N,).

    differences: (N, F), x, the features of the first text less those of the second. weight: (F,), with
    p = sigmoid(x . weight). covariance: (F, F), S, symmetric: how uncertain the weight is.
    """
    p = torch.sigmoid(differences @ weight)  # (N,)
    spread = ((differences @ covariance) * differences).sum(1)  # (N,), the variance of x . weight
    return p * (1 - p) * spread


def cases():
    yield Case("one feature", (torch.tensor([[2.0]]), torch.tensor([0.5]), torch.tensor([[3.0]])))
    yield Case(
        "an open question and a settled one",
        (torch.eye(2), torch.tensor([0.0, 3.0]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])),
    )
    together = torch.tensor([[2.0, 1.5], [1.5, 2.0]])
    yield Case(
        "features that go together", (torch.tensor([[1.0, 1.0], [1.0, -1.0]]), torch.tensor([0.2, 0.1]), together)
    )
    yield Case("two texts that are alike", (torch.zeros(2, 2), torch.tensor([1.0, 2.0]), torch.eye(2)))


def draw(generator):
    n, f = size(generator, 2, 6), size(generator, 2, 4)
    root = normal(generator, f, f)
    return normal(generator, n, f), normal(generator, f), root @ root.T + 0.1 * torch.eye(f)


def _spread(differences, covariance):
    return ((differences @ covariance) * differences).sum(1)


@mistake(
    "You left out p (1 - p).",
    "How uncertain the model is about the pair's utility is half of it. Where the answer is as good as known (p"
    " near 0 or 1), it says little about the weight.",
)
def spread_only(differences, weight, covariance):
    return _spread(differences, covariance)


@mistake(
    "You left out x' S x.",
    "p near one half may also mean two texts that are alike, and to ask about those says nothing.",
)
def uncertainty_only(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return p * (1 - p)


@mistake("You used p in the place of p (1 - p).", "A sure win would say the most. It says the least: one expected it.")
def p_only(differences, weight, covariance):
    return torch.sigmoid(differences @ weight) * _spread(differences, covariance)


@mistake(
    "You used the diagonal of the covariance only.",
    "What is uncertain about two weights may go together, or against each other. x' S x has a term for every pair"
    " of features.",
)
def diagonal(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return p * (1 - p) * (differences**2 @ covariance.diagonal())


@mistake("You left the covariance out.", "x' x is how far two texts are apart, wherever it was already asked.")
def no_covariance(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return p * (1 - p) * (differences**2).sum(1)


@mistake(
    "You took the standard deviation of the utility, not its variance.",
    "x' S x is the variance, and what shrinks is in proportion to it.",
)
def root(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return p * (1 - p) * _spread(differences, covariance).clamp(min=0).sqrt()


@mistake(
    "You used the inverse of the covariance.",
    "That is the precision, what is *known*. What is uncertain is the covariance itself.",
)
def precision(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return p * (1 - p) * _spread(differences, torch.linalg.inv(covariance))


@mistake("You returned 1 + a.", "That is what the volume is divided by. Return a itself.")
def one_more(differences, weight, covariance):
    return 1 + pair_information(differences, weight, covariance)


EXERCISE = Exercise(
    reference=pair_information,
    title="the pair that says most",
    question="""
        Which pair should a rater see next? One answer about the difference $x$ adds $p(1-p)\\, x x^\\top$ to the
        curvature $S^{-1}$ of the loss, so the volume of what is uncertain, $\\det S$, is divided by $1 + a$. What is
        $a$? To ask for the pair with the largest is *D-optimal*. (For a matrix $A$ and a vector $u$,
        $\\det(A + u u^\\top) = \\det A \\cdot (1 + u^\\top A^{-1} u)$.)
    """,
    difficulty=3,
    minutes=12,
    hints=(
        "Take S⁻¹ for A and the root of p (1 - p), times x, for u. What is u' A⁻¹ u then? p is the sigmoid of"
        " `differences @ weight`.",
        "`(differences @ covariance) * differences`, summed over the features, is x' S x of each row. Times p (1 - p).",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        spread_only,
        uncertainty_only,
        p_only,
        diagonal,
        no_covariance,
        root,
        precision,
        one_more,
    ),
)
