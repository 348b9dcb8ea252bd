"""Exercise of notebook 04: several reward heads, each from its own resample of the answers."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.exercises.drawing import normal, size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def bootstrap_ensemble(
    differences: Tensor, members: int, steps: int, learning_rate: float, decay: float, generator: torch.Generator
) -> Tensor:
    """Fit K reward heads, each to its own resample of N answers (bagging, Breiman 1996). Returns the weights, (F, K).

    differences: (N, F), features of the chosen text less those of the rejected one. A member's loss is the mean of
    -log sigmoid(difference @ weight) over the N rows that it drew, plus decay / 2 times the sum of its squared weights.
    A member draws once, with torch.randint and the generator, and starts from zeros. members: K. steps: of each.
    """
    count, weights = len(differences), []
    for _ in range(members):
        drawn = differences[torch.randint(count, (count,), generator=generator)]  # with replacement
        weight = torch.zeros_like(differences[0]).requires_grad_()
        optimizer = torch.optim.SGD([weight], lr=learning_rate, weight_decay=decay)
        for _ in range(steps):
            optimizer.zero_grad()
            (-F.logsigmoid(drawn @ weight).mean()).backward()
            optimizer.step()
        weights.append(weight.detach())
    return torch.stack(weights, 1)


def _seeded(seed):
    return torch.Generator().manual_seed(seed)


def cases():
    three = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])
    yield Case("one member, two steps", (three, 1, 2, 0.5, 0.1, _seeded(0)))
    yield Case("two members", (three, 2, 2, 0.5, 0.1, _seeded(1)))
    yield Case("many steps without decay", (three[:2], 2, 20, 1.0, 0.0, _seeded(2)))
    contrary = torch.tensor([[1.0], [-1.0], [1.0], [0.5]])
    yield Case("answers that contradict each other, strong decay", (contrary, 3, 5, 0.5, 1.0, _seeded(3)))


def draw(generator):
    rows, features, members = size(generator, 4, 7), size(generator, 2, 3), size(generator, 2, 4)
    seed = size(generator, 0, 9999)
    settings = members, size(generator, 3, 6), 0.25 * size(generator, 1, 4), 0.125 * size(generator, 0, 4)
    return normal(generator, rows, features), *settings, _seeded(seed)


def _rows(count, generator):
    return torch.randint(count, (count,), generator=generator)


def _fit(drawn, steps, learning_rate, decay, weight=None):
    weight = torch.zeros_like(drawn[0]) if weight is None else weight
    for _ in range(steps):
        slope = decay * weight - drawn.T @ torch.sigmoid(-drawn @ weight) / len(drawn)
        weight = weight - learning_rate * slope
    return weight


def _each(differences, members, generator, fit):
    return torch.stack([fit(differences[_rows(len(differences), generator)]) for _ in range(members)], 1)


@mistake(
    "Every member learned from the same answers.",
    "Drawn without replacement, or not at all, each has all N answers. Then members can't differ. Use torch.randint.",
)
def all_answers(differences, members, steps, learning_rate, decay, generator):
    return torch.stack([_fit(differences, steps, learning_rate, decay)] * members, 1)


@mistake(
    "You drew once, for all members together.",
    "They learn the same and agree about everything. Each member draws its own answers, inside the loop.",
)
def one_draw(differences, members, steps, learning_rate, decay, generator):
    drawn = differences[_rows(len(differences), generator)]
    return torch.stack([_fit(drawn, steps, learning_rate, decay)] * members, 1)


@mistake(
    "Your members draw again at every step.",
    "That is stochastic gradient descent: over the steps each sees all answers, and they end alike. Draw once.",
)
def drawn_at_every_step(differences, members, steps, learning_rate, decay, generator):
    weights = []
    for _ in range(members):
        weight = torch.zeros_like(differences[0])
        for _ in range(steps):
            drawn = differences[_rows(len(differences), generator)]
            weight = _fit(drawn, 1, learning_rate, decay, weight)
        weights.append(weight)
    return torch.stack(weights, 1)


@mistake(
    "A member goes on from where the one before ended.",
    "Then it has learned from that one's answers, too. Each starts from zeros.",
)
def goes_on(differences, members, steps, learning_rate, decay, generator):
    weights, weight = [], None
    for _ in range(members):
        weight = _fit(differences[_rows(len(differences), generator)], steps, learning_rate, decay, weight)
        weights.append(weight)
    return torch.stack(weights, 1)


@mistake(
    "An answer that a member drew twice counts once.",
    "How often it was drawn is its weight in the member's loss. That is what makes members differ.",
)
def counted_once(differences, members, steps, learning_rate, decay, generator):
    once = [differences[_rows(len(differences), generator).unique()] for _ in range(members)]
    return torch.stack([_fit(drawn, steps, learning_rate, decay) for drawn in once], 1)


@mistake("You went up the loss.", "A step is minus the learning rate times the gradient.")
def uphill(differences, members, steps, learning_rate, decay, generator):
    return _each(differences, members, generator, lambda drawn: _fit(drawn, steps, -learning_rate, decay))


@mistake("You left the decay out.", "Without it, answers that do not contradict each other drive the weight off.")
def no_decay(differences, members, steps, learning_rate, decay, generator):
    return _each(differences, members, generator, lambda drawn: _fit(drawn, steps, learning_rate, 0.0))


@mistake("Your decay pushes the weight away from zero.", "decay / 2 times the squares is *added* to the loss.")
def decay_upside_down(differences, members, steps, learning_rate, decay, generator):
    return _each(differences, members, generator, lambda drawn: _fit(drawn, steps, learning_rate, -decay))


@mistake(
    "You added the losses up where they are averaged.",
    "The steps grow with the number of answers then, and the decay counts less.",
)
def summed(differences, members, steps, learning_rate, decay, generator):
    def fit(drawn):
        return _fit(drawn, steps, learning_rate * len(drawn), decay / len(drawn))

    return _each(differences, members, generator, fit)


@mistake(
    "The gradients of earlier steps are still there.",
    "backward() adds to .grad. Clear it before each step, or use torch.autograd.grad.",
)
def not_zeroed(differences, members, steps, learning_rate, decay, generator):
    def fit(drawn):
        weight, total = torch.zeros_like(drawn[0]), torch.zeros_like(drawn[0])
        for _ in range(steps):
            total = total + decay * weight - drawn.T @ torch.sigmoid(-drawn @ weight) / len(drawn)
            weight = weight - learning_rate * total
        return weight

    return _each(differences, members, generator, fit)


@mistake(
    "Your answers pull by p, where it is 1 - p.",
    "The slope of -log sigmoid(z) is -(1 - sigmoid(z)): what was expected pulls hardly at all.",
)
def pulls_by_p(differences, members, steps, learning_rate, decay, generator):
    def fit(drawn):
        weight = torch.zeros_like(drawn[0])
        for _ in range(steps):
            weight = weight - learning_rate * (decay * weight - drawn.T @ torch.sigmoid(drawn @ weight) / len(drawn))
        return weight

    return _each(differences, members, generator, fit)


@mistake("You averaged the members.", "Their disagreement is what they are for. Keep each one's weight, (F, K).")
def averaged(differences, members, steps, learning_rate, decay, generator):
    return _each(differences, members, generator, lambda drawn: _fit(drawn, steps, learning_rate, decay)).mean(1)


@mistake("Members are rows in what you return.", "Wanted is (F, K), a column for each: torch.stack(weights, 1).")
def members_as_rows(differences, members, steps, learning_rate, decay, generator):
    return _each(differences, members, generator, lambda drawn: _fit(drawn, steps, learning_rate, decay)).T


@mistake(
    "Your decay is twice as strong.",
    "The loss has decay / 2 times the squared weights. Its slope is decay times the weight, not twice that.",
)
def decay_doubled(differences, members, steps, learning_rate, decay, generator):
    return _each(differences, members, generator, lambda drawn: _fit(drawn, steps, learning_rate, 2 * decay))


EXERCISE = Exercise(
    reference=bootstrap_ensemble,
    title="an ensemble",
    question="""
        One set of answers gives one reward model. What would other answers of the same rater have given? Bagging
        imitates that: it draws N of the N answers *with replacement*, so that some come twice and some not at all, and
        fits a member to them, K times. Write the loop. Plain gradient descent is all it needs.
    """,
    difficulty=3,
    minutes=15,
    hints=(
        "Two loops, one in the other: over members, and over the steps of each. What is drawn, or set to zero, once a"
        " member? What happens at every step?",
        "`drawn = differences[torch.randint(N, (N,), generator=generator)]`. The slope is"
        " `decay * weight - drawn.T @ torch.sigmoid(-drawn @ weight) / N`. Or leave it to `backward()` and"
        " `torch.optim.SGD([weight], lr=learning_rate, weight_decay=decay)`. In the end `torch.stack(weights, 1)`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        all_answers,
        one_draw,
        drawn_at_every_step,
        goes_on,
        counted_once,
        uphill,
        no_decay,
        decay_upside_down,
        summed,
        not_zeroed,
        pulls_by_p,
        averaged,
        members_as_rows,
        decay_doubled,
    ),
    steps=(
        "for each member: N rows, drawn with replacement, and a weight of zeros",
        "for each step: the slope of its loss on these rows, decay included",
        "a step down that slope",
        "all weights side by side, (F, K)",
    ),
)
