"""Exercise of notebook 05: one step of fine-tuning on the best of n."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.exercises.drawing import TinyLanguageModel, groups_of_texts, normal, update, with_old_gradients
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def rejection_sampling_step(policy, optimizer, ids: Tensor, mask: Tensor, rewards: Tensor, n: int) -> Tensor:
    """Keep the best of each n texts, and take one step of SFT on what was kept. Trains `policy` in place.

    policy: a model; policy(ids).logits is (B, L, V), and position t predicts token t + 1. optimizer: of its weights.
    ids: (B, L), prompt and completion in one row, then padding. mask: (B, L) bool, true on the completion's tokens.
    rewards: (B,), no two alike; the n texts of a prompt are neighbours. Returns the loss, a detached scalar: the mean
    cross-entropy of the completion tokens that were kept.
    """
    groups = rewards.reshape(-1, n)  # (P, n)
    best = groups.argmax(1) + n * torch.arange(len(groups))  # (P,): argmax counts within a group, rows do not
    ids, mask = ids[best], mask[best, 1:]
    losses = F.cross_entropy(policy(ids).logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")  # (P, L - 1)
    loss = losses[mask].mean()  # every token counts alike
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _policy(seed):
    """A model, and its optimizer. Somebody has left gradients in it."""
    policy = with_old_gradients(TinyLanguageModel(torch.Generator().manual_seed(seed)))
    return policy, torch.optim.SGD(policy.parameters(), lr=0.5)


def cases():
    two = torch.tensor([[1, 2, 3], [1, 4, 0]]), torch.tensor([[False, True, True], [False, True, False]])
    yield Case("two texts for one prompt", (*_policy(1), *two, torch.tensor([1.0, 3.0]), 2))
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 5, 0], [3, 5, 2, 0], [3, 4, 1, 2]])
    mask = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]]).bool()
    yield Case("an easy prompt and a hard one", (*_policy(2), ids, mask, torch.tensor([6.0, 5.0, 0.0, 3.0]), 2))
    ids = torch.tensor([[1, 2, 3], [1, 4, 0], [1, 5, 3], [2, 2, 0], [2, 3, 1], [2, 5, 4]])
    mask = torch.tensor([[0, 1, 1], [0, 1, 0], [0, 1, 1], [0, 1, 0], [0, 1, 1], [0, 1, 1]]).bool()
    rewards = torch.tensor([1.0, 7.0, 6.0, -3.0, -1.0, -2.0])
    yield Case("three texts for each of two prompts", (*_policy(3), ids, mask, rewards, 3))


def draw(generator):
    ids, mask, each = groups_of_texts(generator)
    policy = TinyLanguageModel(generator)
    policy.embedding.grad = normal(generator, 6, 3)
    return policy, torch.optim.SGD(policy.parameters(), lr=0.1), ids, mask, normal(generator, len(ids)), each


def _best(rewards, n):
    return torch.stack([group.argmax() + i * n for i, group in enumerate(rewards.split(n))])


def _losses(policy, ids):
    return F.cross_entropy(policy(ids).logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")


def _mean(policy, ids, mask):
    return _losses(policy, ids)[mask[:, 1:]].mean()


@mistake(
    "You used places within a group as rows of the batch.",
    "argmax counts from 0 in each group. The third group begins at row 2 n: without that, the texts kept belong to"
    " other prompts, and nothing crashes.",
)
def without_offset(policy, optimizer, ids, mask, rewards, n):
    best = rewards.reshape(-1, n).argmax(1)
    return update(optimizer, _mean(policy, ids[best], mask[best]))


@mistake("You kept the worst.", "The text with the *highest* reward of each prompt is what the model should imitate.")
def worst(policy, optimizer, ids, mask, rewards, n):
    rows = _best(-rewards, n)
    return update(optimizer, _mean(policy, ids[rows], mask[rows]))


@mistake("You trained on all texts.", "Without picking there is no reward in it: the model imitates itself.")
def all_texts(policy, optimizer, ids, mask, rewards, n):
    return update(optimizer, _mean(policy, ids, mask))


@mistake(
    "You kept the best of the whole batch.",
    "Then easy prompts, whose texts all earn much, crowd out the hard ones. Keep one text of *each* prompt.",
)
def best_of_the_batch(policy, optimizer, ids, mask, rewards, n):
    rows = rewards.topk(len(rewards) // n).indices
    return update(optimizer, _mean(policy, ids[rows], mask[rows]))


@mistake(
    "Your groups mix prompts: the wrong batch axis.",
    "The texts of a prompt are neighbours, so a group is a *row* of `rewards.reshape(-1, n)`.",
)
def across_prompts(policy, optimizer, ids, mask, rewards, n):
    groups = rewards.reshape(n, -1)
    rows = groups.argmax(0) * groups.shape[1] + torch.arange(groups.shape[1])
    return update(optimizer, _mean(policy, ids[rows], mask[rows]))


@mistake("You learned the prompt as well.", "The user writes it. SFT counts the completion only: use `mask`.")
def prompt_counted(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    up_to_the_end = mask.flip(1).cumsum(1).flip(1) > 0
    return update(optimizer, _mean(policy, ids[rows], up_to_the_end[rows]))


@mistake("You counted the prompt and the padding.", "Only the tokens where `mask` is true are to be learned.")
def all_tokens(policy, optimizer, ids, mask, rewards, n):
    return update(optimizer, _losses(policy, ids[_best(rewards, n)]).mean())


@mistake(
    "You divided by all places, padding included.",
    "The sum is right, but the mean must be over the tokens that were learned: divide by `mask.sum()`.",
)
def divided_by_all(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    return update(optimizer, (_losses(policy, ids[rows]) * mask[rows, 1:]).mean())


@mistake(
    "You averaged over texts, not over tokens.",
    "A mean of means lets each token of a short text count for more. Here all tokens count alike, as in notebook 01.",
)
def mean_of_means(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    learned = mask[rows, 1:]
    return update(optimizer, ((_losses(policy, ids[rows]) * learned).sum(1) / learned.sum(1)).mean())


@mistake("You added up the tokens instead of averaging.", "The step would grow with the length and with the batch.")
def summed(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    return update(optimizer, _losses(policy, ids[rows])[mask[rows, 1:]].sum())


@mistake(
    "You did not shift: position t was asked for token t.",
    "The logits at position t are about token t + 1. So the last position's logits go, and so does the first token.",
)
def not_shifted(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    losses = F.cross_entropy(policy(ids[rows]).logits.transpose(1, 2), ids[rows], reduction="none")
    return update(optimizer, losses[mask[rows]].mean())


@mistake(
    "You shifted the wrong way.",
    "The logits at position t are about token t + 1, and not about token t - 1: `logits[:, :-1]` go with `ids[:, 1:]`.",
)
def shifted_the_wrong_way(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    logits = policy(ids[rows]).logits[:, 1:].transpose(1, 2)
    losses = F.cross_entropy(logits, ids[rows, :-1], reduction="none")
    return update(optimizer, losses[mask[rows, :-1]].mean())


@mistake("The sign is wrong.", "A cross-entropy is already a loss: to make it smaller makes the text likelier.")
def wrong_sign(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    return update(optimizer, -_mean(policy, ids[rows], mask[rows]))


@mistake(
    "The gradients of the step before are still there.",
    "`backward` adds to them. Call `optimizer.zero_grad()` before it, in every step.",
)
def not_zeroed(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    loss = _mean(policy, ids[rows], mask[rows])
    loss.backward()
    optimizer.step()
    return loss.detach()


@mistake(
    "You took the step before there was a gradient.",
    "`optimizer.step()` uses what `backward` has left. Called first, it has nothing, or what was left from before.",
)
def step_before_backward(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    loss = _mean(policy, ids[rows], mask[rows])
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.detach()


@mistake(
    "Your mask is a token off.",
    "The loss at place t is about token t + 1, so it counts if `mask` is true at t + 1: `mask[:, 1:]` goes with"
    " `ids[:, 1:]`.",
)
def mask_not_shifted(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    return update(optimizer, _losses(policy, ids[rows])[mask[rows, :-1]].mean())


@mistake("You took no step.", "`backward` only finds the gradients. `optimizer.step()` changes the weights.")
def no_step(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    loss = _mean(policy, ids[rows], mask[rows])
    optimizer.zero_grad()
    loss.backward()
    return loss.detach()


EXERCISE = Exercise(
    reference=rejection_sampling_step,
    title="learn from the best",
    question="""
        The policy has written $n$ texts for each prompt, and each has a reward. Keep the best of each prompt, and take
        one step of SFT on them: the prompt is given, the completion is learned, and every token counts alike. `check`
        runs it on a tiny model and compares the weights that it leaves.
    """,
    difficulty=3,
    minutes=15,
    hints=(
        "`rewards.reshape(-1, n).argmax(1)` is the best place *within* each group. Which row of the batch is that? The"
        " loss is then that of notebook 01: `logits[:, :-1]` predict `ids[:, 1:]`.",
        "Add `n * torch.arange(P)` for P prompts. Then `F.cross_entropy(logits.transpose(1, 2), targets,"
        ' reduction="none")` gives a loss for each token, and `mask[best, 1:]` says which of them count.',
    ),
    steps=(
        "rows of the batch (P,): the best text of each prompt",
        "cross-entropy of each token of these texts, given those before it",
        "the mean over the tokens of their completions",
        "a step of the optimizer",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        without_offset,
        worst,
        all_texts,
        best_of_the_batch,
        across_prompts,
        prompt_counted,
        all_tokens,
        divided_by_all,
        mean_of_means,
        summed,
        not_shifted,
        shifted_the_wrong_way,
        wrong_sign,
        not_zeroed,
        step_before_backward,
        mask_not_shifted,
        no_step,
    ),
)
