"""Exercise of notebook 03: one step of training a reward model."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.exercises.drawing import TinyRewardModel, right_padded, size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def reward_model_step(
    reward_model: torch.nn.Module, optimizer: torch.optim.Optimizer, chosen: tuple, rejected: tuple, max_norm: float
) -> Tensor:
    """Train a reward model on one batch of B pairs, in place. Returns the loss before the update, a detached scalar.

    chosen: (ids, mask), (B, L) each, and rejected: (ids, mask), (B, M) each; the mask is true on real tokens.
    reward_model(ids, mask) gives rewards (B,). max_norm: the longest gradient that is allowed, over all weights.
    """
    loss = -F.logsigmoid(reward_model(*chosen) - reward_model(*rejected)).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    optimizer.step()
    return loss.detach()


def _model(seed, left_over=False):
    model = TinyRewardModel(torch.Generator().manual_seed(seed))
    if left_over:
        model.head.grad, model.embedding.grad = torch.ones(3), torch.full((6, 3), -0.5)
    return model, torch.optim.SGD(model.parameters(), lr=0.5)


def _texts(rows, lengths):
    ids = torch.tensor(rows)
    return ids, torch.arange(ids.shape[1]) < torch.tensor(lengths)[:, None]


def cases():
    yield Case("one pair", (*_model(0), _texts([[1, 2]], [2]), _texts([[3, 4]], [2]), 100.0))
    yield Case(
        "a gradient is left over from before",
        (*_model(1, left_over=True), _texts([[1, 2]], [2]), _texts([[4, 0]], [2]), 100.0),
    )
    two = _texts([[1, 2], [5, 3]], [2, 2]), _texts([[3, 4], [0, 2]], [2, 2])
    yield Case("two pairs", (*_model(2), *two, 100.0))
    yield Case("a gradient that is too long", (*_model(2), *two, 0.1))
    padded = _texts([[1, 2, 5, 5], [5, 3, 1, 5]], [2, 3]), _texts([[3, 4, 5], [0, 5, 5]], [3, 1])
    yield Case("texts of different lengths", (*_model(3), *padded, 100.0))


def draw(generator):
    pairs = size(generator, 2, 4)
    texts = []
    for _ in range(2):
        width = size(generator, 2, 5)
        texts.append((whole(generator, 0, 5, pairs, width), right_padded(generator, pairs, width)))
    model, optimizer = _model(size(generator, 4, 999), left_over=size(generator, 0, 1) == 1)
    return model, optimizer, *texts, 0.2 + size(generator, 0, 20) / 10


def _update(reward_model, optimizer, loss, max_norm):
    """What comes after the loss, without a mistake."""
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    optimizer.step()
    return loss.detach()


def _loss(reward_model, chosen, rejected):
    return -F.logsigmoid(reward_model(*chosen) - reward_model(*rejected)).mean()


@mistake(
    "The gradients of the step before are still there.",
    "backward() adds to what is in .grad. Clear it with optimizer.zero_grad() before backward().",
)
def not_zeroed(reward_model, optimizer, chosen, rejected, max_norm):
    loss = _loss(reward_model, chosen, rejected)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    optimizer.step()
    return loss.detach()


@mistake(
    "The weights did not move: optimizer.step() found no gradient, or was not called.",
    "The order is zero_grad(), backward(), step(). Cleared in between, or stepped too early, nothing is learned.",
)
def nothing_learned(reward_model, optimizer, chosen, rejected, max_norm):
    return _loss(reward_model, chosen, rejected).detach()


@mistake(
    "You took the step before backward().",
    "The step then goes along the gradient of the batch before, and this one's waits for the next call.",
)
def step_before_backward(reward_model, optimizer, chosen, rejected, max_norm):
    loss = _loss(reward_model, chosen, rejected)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.detach()


@mistake(
    "You swapped chosen and rejected.",
    "The reward of the chosen text must rise. Swapped, the loss falls as nicely, and the model learns the opposite.",
)
def swapped(reward_model, optimizer, chosen, rejected, max_norm):
    return _update(reward_model, optimizer, _loss(reward_model, rejected, chosen), max_norm)


@mistake(
    "You read the reward behind the padding.",
    "Give the model each text's own mask, so that it reads the reward at the last real token.",
)
def padding_counted(reward_model, optimizer, chosen, rejected, max_norm):
    chosen, rejected = ((ids, torch.ones_like(mask)) for ids, mask in (chosen, rejected))
    return _update(reward_model, optimizer, _loss(reward_model, chosen, rejected), max_norm)


@mistake(
    "No gradient comes from the rejected texts.",
    "Both rewards are the model's: it must learn from both. No torch.no_grad() and no .detach() around either.",
)
def rejected_detached(reward_model, optimizer, chosen, rejected, max_norm):
    loss = -F.logsigmoid(reward_model(*chosen) - reward_model(*rejected).detach()).mean()
    return _update(reward_model, optimizer, loss, max_norm)


@mistake("That is the sum over pairs.", "Average: the step should not grow with the size of the batch.")
def summed(reward_model, optimizer, chosen, rejected, max_norm):
    loss = -F.logsigmoid(reward_model(*chosen) - reward_model(*rejected)).sum()
    return _update(reward_model, optimizer, loss, max_norm)


@mistake(
    "You did not clip the gradient before the step.",
    "Where it is longer than max_norm, shorten it between backward() and step(). Elsewhere it does nothing.",
)
def not_clipped(reward_model, optimizer, chosen, rejected, max_norm):
    loss = _loss(reward_model, chosen, rejected)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


@mistake(
    "You clipped each entry of the gradient by itself.",
    "That turns the gradient. clip_grad_norm_ shortens all of it by one factor, and the direction stays.",
)
def clipped_by_entry(reward_model, optimizer, chosen, rejected, max_norm):
    loss = _loss(reward_model, chosen, rejected)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(reward_model.parameters(), max_norm)
    optimizer.step()
    return loss.detach()


@mistake(
    "You clipped the gradient of each weight tensor by itself.",
    "max_norm is for all weights together. Give clip_grad_norm_ all parameters in one call: then the direction stays.",
)
def clipped_by_tensor(reward_model, optimizer, chosen, rejected, max_norm):
    loss = _loss(reward_model, chosen, rejected)
    optimizer.zero_grad()
    loss.backward()
    for weight in reward_model.parameters():
        torch.nn.utils.clip_grad_norm_(weight, max_norm)
    optimizer.step()
    return loss.detach()


@mistake(
    "You made every gradient as long as max_norm.",
    "Only a gradient that is longer is shortened. A short one keeps its length: the model is nearly there.",
)
def always_max_norm(reward_model, optimizer, chosen, rejected, max_norm):
    loss = _loss(reward_model, chosen, rejected)
    optimizer.zero_grad()
    loss.backward()
    gradients = [weight.grad for weight in reward_model.parameters()]
    norm = torch.sqrt(sum(gradient.square().sum() for gradient in gradients))
    for gradient in gradients:
        gradient *= max_norm / norm
    optimizer.step()
    return loss.detach()


@mistake(
    "You went up the loss instead of down.",
    "optimizer.step() already goes against the gradient: call backward() on the loss itself, not on its negative.",
)
def went_up(reward_model, optimizer, chosen, rejected, max_norm):
    return -_update(reward_model, optimizer, -_loss(reward_model, chosen, rejected), max_norm)


@mistake(
    "You averaged the differences before the logarithm.",
    "Each pair has a probability of its own. Take -log sigmoid of each difference, and average those.",
)
def mean_inside(reward_model, optimizer, chosen, rejected, max_norm):
    loss = -F.logsigmoid((reward_model(*chosen) - reward_model(*rejected)).mean())
    return _update(reward_model, optimizer, loss, max_norm)


@mistake(
    "You compared each chosen text with the rejected texts of all pairs.",
    "Nobody was asked that. Row i of chosen belongs to row i of rejected: (B,) less (B,) gives (B,).",
)
def crossed(reward_model, optimizer, chosen, rejected, max_norm):
    loss = -F.logsigmoid(reward_model(*chosen)[:, None] - reward_model(*rejected)[None, :]).mean()
    return _update(reward_model, optimizer, loss, max_norm)


@mistake(
    "You let the pairs of a batch compete with each other.",
    "A softmax over the batch runs along the wrong axis. Each pair is a question of its own, with two answers.",
)
def softmax_over_batch(reward_model, optimizer, chosen, rejected, max_norm):
    loss = -F.log_softmax(reward_model(*chosen) - reward_model(*rejected), 0).mean()
    return _update(reward_model, optimizer, loss, max_norm)


@mistake(
    "You returned the loss after the update.",
    "It is asked for before: what the model thought of pairs that it had not learned from yet.",
)
def loss_afterwards(reward_model, optimizer, chosen, rejected, max_norm):
    _update(reward_model, optimizer, _loss(reward_model, chosen, rejected), max_norm)
    return _loss(reward_model, chosen, rejected).detach()


@mistake(
    "You forgot the logarithm.",
    "-sigmoid forgives a confident mistake: there its gradient vanishes, and there is the most to learn.",
)
def no_log(reward_model, optimizer, chosen, rejected, max_norm):
    loss = -torch.sigmoid(reward_model(*chosen) - reward_model(*rejected)).mean()
    return _update(reward_model, optimizer, loss, max_norm)


EXERCISE = Exercise(
    reference=reward_model_step,
    title="a training step",
    question="""
        Everything is there: texts as tokens with a mask, a model that gives each text a reward, and the loss of a pair.
        Put them together into one step of training. A single strange batch can give a very long gradient and throw the
        model far off, so shorten gradients that are longer than `max_norm` (`torch.nn.utils.clip_grad_norm_`).
        The check runs your step on a tiny reward model and compares the weights that it leaves.
    """,
    difficulty=3,
    minutes=12,
    hints=(
        "`reward_model(*chosen)` gives the rewards of the chosen texts. Then comes the loss of section 1. After"
        " that, four calls, and their order matters.",
        "`optimizer.zero_grad()`, `loss.backward()`, `clip_grad_norm_(reward_model.parameters(), max_norm)`,"
        " `optimizer.step()`. Return `loss.detach()`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        not_zeroed,
        nothing_learned,
        step_before_backward,
        swapped,
        padding_counted,
        rejected_detached,
        summed,
        not_clipped,
        clipped_by_entry,
        clipped_by_tensor,
        always_max_norm,
        went_up,
        mean_inside,
        crossed,
        softmax_over_batch,
        loss_afterwards,
        no_log,
    ),
    steps=(
        "the rewards of both texts of each pair, and the mean loss of the pairs",
        "clear old gradients, and compute the new ones",
        "shorten the gradient where it is longer than max_norm",
        "one step of the optimizer",
    ),
)
