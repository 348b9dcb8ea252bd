"""Exercise of notebook 08: PPO's updates from one rollout, a loop."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import (
    TinyLanguageModel,
    normal,
    right_padded,
    size,
    token_log_probs,
    whole,
    with_garbage,
)
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def ppo_updates(
    policy, optimizer, ids: Tensor, mask: Tensor, advantages: Tensor, minibatches: Tensor, clip: float
) -> Tensor:
    """All of PPO's policy updates from one rollout. The policy has just written it, and nothing was learned yet.

    policy(ids).logits: (B, L, V), those at t predict token t + 1. ids: (B, L), prompts and completions. mask: (B, L)
    bool, true on completion tokens, never in column 0. advantages: (B, L), anything outside the mask.
    minibatches: (U, n), the rows of each update, in order. Returns (U,): the losses, detached.
    """

    def log_probs_of(rows: Tensor) -> Tensor:  # (n, L - 1), of the tokens from column 1 on
        log_p = torch.log_softmax(policy(ids[rows]).logits[:, :-1], -1)
        return log_p.gather(2, ids[rows, 1:, None]).squeeze(2)

    with torch.no_grad():
        old = log_probs_of(torch.arange(len(ids)))
    losses = []
    for rows in minibatches:
        ratio = (log_probs_of(rows) - old[rows]).exp()
        gain, real = advantages[rows, 1:], mask[rows, 1:]
        loss = -torch.minimum(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain)[real].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def _inputs(seed, prompt, lengths, minibatches, advantages=None, clip=0.2, rate=2.0, left_over=False):
    generator = torch.Generator().manual_seed(seed)
    policy = TinyLanguageModel(generator)
    if left_over:
        for parameter in policy.parameters():
            parameter.grad = torch.ones_like(parameter)
    lengths = torch.tensor(lengths)
    columns = torch.arange(prompt + int(lengths.max()))
    mask = (columns >= prompt) & (columns < prompt + lengths[:, None])
    if advantages is None:
        advantages = normal(generator, *mask.shape)
    else:
        advantages = torch.tensor(advantages)[:, None].expand(mask.shape).clone()
    ids = whole(generator, 0, 5, *mask.shape)
    optimizer = torch.optim.SGD(policy.parameters(), lr=rate)
    return policy, optimizer, ids, mask, with_garbage(advantages, mask, 7.0), torch.tensor(minibatches), clip


def cases():
    yield Case("one text of two tokens, two updates", _inputs(1, 1, [2], [[0], [0]], rate=0.5, clip=10.0))
    yield Case("one update", _inputs(0, 1, [2], [[0]], rate=0.5))
    yield Case("a prompt of two tokens, and texts of different length", _inputs(2, 2, [3, 1], [[0, 1]], rate=0.5))
    yield Case("two minibatches of one text", _inputs(3, 1, [2, 3], [[1], [0]], rate=0.5))
    yield Case("somebody left gradients in the policy", _inputs(4, 1, [2, 2], [[0, 1]], rate=0.1, left_over=True))
    yield Case("long steps on a good and a bad text", _inputs(5, 1, [3, 3], [[0, 1]] * 3, [1.0, -1.0]))
    yield Case("long steps, other advantages for each token", _inputs(6, 1, [3, 2], [[1, 0], [0, 1], [1, 0]], rate=3.0))
    yield Case("two passes, two minibatches each", _inputs(7, 2, [3, 1, 2, 3], [[2, 0], [3, 1], [0, 3], [1, 2]]))


def draw(generator):
    policy = TinyLanguageModel(generator)
    rows, prompt, width = 4, size(generator, 1, 2), size(generator, 3, 5)
    mask = torch.cat([torch.zeros(rows, prompt).bool(), right_padded(generator, rows, width)], 1)
    advantages = with_garbage(normal(generator, *mask.shape), mask, 20.0)
    minibatches = torch.cat([torch.randperm(rows, generator=generator).view(2, 2) for _ in range(2)])
    optimizer = torch.optim.SGD(policy.parameters(), lr=2.0)
    return policy, optimizer, whole(generator, 0, 5, *mask.shape), mask, advantages, minibatches, 0.2


def _mean(loss, real):
    return loss[real].mean()


def _surrogate(ratio, advantages, clip):
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def _loop(
    policy,
    optimizer,
    ids,
    mask,
    advantages,
    minibatches,
    clip,
    *,
    log_probs=token_log_probs,
    surrogate=_surrogate,
    mean=_mean,
    old_of=lambda new, old: old,
    gains_of=lambda advantages, rows: advantages[rows, 1:],
    zero=True,
):
    """The loop with one thing exchanged: what a mistake differs in."""
    with torch.no_grad():
        all_old = log_probs(policy, ids)
    losses = []
    for rows in minibatches:
        new = log_probs(policy, ids[rows])
        ratio = (new - old_of(new, all_old[rows])).exp()
        loss = mean(surrogate(ratio, gains_of(advantages, rows), clip), mask[rows, 1:])
        if zero:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


@mistake(
    "You take the old log-probabilities anew at each update.",
    "Then the ratio is always 1, whatever has changed, and nothing is ever clipped. The old ones are those of the"
    " policy that wrote the texts: compute them once, before the first update.",
)
def old_taken_anew(*inputs):
    return _loop(*inputs, old_of=lambda new, old: new.detach())


@mistake(
    "You did not clear the gradients.",
    "backward() adds to what is there: of the update before, or of another cell. Call optimizer.zero_grad() first.",
)
def not_zeroed(*inputs):
    return _loop(*inputs, zero=False)


@mistake(
    "The weights never change.",
    "Either step() comes before backward(), or the old log-probabilities carry a gradient, so that new less old has no"
    " slope. Compute the old ones under torch.no_grad(); then zero_grad(), backward(), step().",
)
def nothing_moves(*inputs):
    return _loop(*inputs, old_of=lambda new, old: new)


@mistake(
    "Each step is made with the gradient of the update before.",
    "The order is zero_grad(), backward(), step().",
)
def step_before_backward(policy, optimizer, ids, mask, advantages, minibatches, clip):
    old, losses = token_log_probs(policy, ids).detach(), []
    for rows in minibatches:
        ratio = (token_log_probs(policy, ids[rows]) - old[rows]).exp()
        losses.append(_mean(_surrogate(ratio, advantages[rows, 1:], clip), mask[rows, 1:]))
        optimizer.step()
        optimizer.zero_grad()
        losses[-1].backward()
    return torch.stack(losses).detach()


@mistake(
    "You take one step, at the end.",
    "Then every loss is that of the old policy, and its ratio is 1. Update after each minibatch.",
)
def one_step_at_the_end(policy, optimizer, ids, mask, advantages, minibatches, clip):
    old = token_log_probs(policy, ids).detach()
    optimizer.zero_grad()
    losses = []
    for rows in minibatches:
        ratio = (token_log_probs(policy, ids[rows]) - old[rows]).exp()
        losses.append(_mean(_surrogate(ratio, advantages[rows, 1:], clip), mask[rows, 1:]))
        losses[-1].backward()
    optimizer.step()
    return torch.stack(losses).detach()


@mistake(
    "You use the whole rollout in every update.", "Each row of `minibatches` says which texts the update is made from."
)
def all_rows(policy, optimizer, ids, mask, advantages, minibatches, clip):
    every = torch.arange(len(ids)).expand(len(minibatches), -1)
    return _loop(policy, optimizer, ids, mask, advantages, every, clip)


@mistake(
    "Your advantages belong to other texts than your log-probabilities.",
    "Select all of them with the same rows: ids, old log-probabilities, advantages and mask.",
)
def advantages_of_other_rows(*inputs):
    return _loop(*inputs, gains_of=lambda advantages, rows: advantages[: len(rows), 1:])


@mistake(
    "Your advantages are one column off.",
    "The log-probabilities begin with the token in column 1. Its advantage and its mask are in column 1, too.",
)
def advantages_shifted(*inputs):
    return _loop(*inputs, gains_of=lambda advantages, rows: advantages[rows, :-1])


@mistake(
    "Labels shifted by one: you take the logits at each token for that token itself.",
    "The logits at t predict token t + 1: compare logits[:, :-1] with ids[:, 1:].",
)
def labels_shifted(*inputs):
    def log_probs(policy, ids):
        return torch.log_softmax(policy(ids).logits[:, 1:], -1).gather(2, ids[:, 1:, None]).squeeze(2)

    return _loop(*inputs, log_probs=log_probs)


@mistake(
    "You counted prompts and padding.",
    "Only what the policy wrote is to be learned from: take the mean over the tokens where the mask is true.",
)
def padding_counted(*inputs):
    return _loop(*inputs, mean=lambda loss, real: loss.mean())


@mistake(
    "You divided by all columns.",
    "Prompts and padding add nothing to the sum, and must not be counted below the line either.",
)
def divided_by_all(*inputs):
    return _loop(*inputs, mean=lambda loss, real: loss.masked_fill(~real, 0.0).mean())


@mistake(
    "You averaged each row first, and then the rows.",
    "That is GRPO's choice, in the next notebook. In PPO all tokens of a minibatch count alike.",
)
def mean_of_rows(*inputs):
    return _loop(*inputs, mean=lambda loss, real: (loss.masked_fill(~real, 0.0).sum(1) / real.sum(1)).mean())


@mistake("The sign is wrong.", "An optimizer goes down, and good tokens shall become likelier: minus.")
def wrong_sign(*inputs):
    return _loop(*inputs, surrogate=lambda *given: -_surrogate(*given))


@mistake("You did not clip.", "From the second update on, a ratio may be outside 1 - clip to 1 + clip.")
def not_clipped(*inputs):
    return _loop(*inputs, surrogate=lambda ratio, advantages, clip: -ratio * advantages)


@mistake(
    "You took the clipped term alone, without the minimum.",
    "A token that has moved the wrong way could then never be brought back.",
)
def only_clipped(*inputs):
    return _loop(*inputs, surrogate=lambda ratio, advantages, clip: -ratio.clamp(1 - clip, 1 + clip) * advantages)


@mistake("Your ratio is upside down.", "New by old: exp(new log-probability - old log-probability).")
def ratio_inverted(*inputs):
    return _loop(*inputs, surrogate=lambda ratio, advantages, clip: _surrogate(1 / ratio, advantages, clip))


@mistake(
    "You took the logits for log-probabilities.",
    "A ratio of probabilities needs log_softmax over the vocabulary first, and then the token's own entry.",
)
def raw_logits(*inputs):
    def log_probs(policy, ids):
        return policy(ids).logits[:, :-1].gather(2, ids[:, 1:, None]).squeeze(2)

    return _loop(*inputs, log_probs=log_probs)


@mistake(
    "Your mask and your advantages are one column off.",
    "The log-probabilities begin with the token in column 1. So do mask[:, 1:] and advantages[:, 1:].",
)
def mask_shifted(policy, optimizer, ids, mask, advantages, minibatches, clip):
    return _loop(policy, optimizer, ids, mask.roll(1, 1), advantages.roll(1, 1), minibatches, clip)


@mistake(
    "You whitened the advantages of each minibatch.",
    "Some code does so. Here they come ready made: take them as they are.",
)
def whitened_again(policy, optimizer, ids, mask, advantages, minibatches, clip):
    def gains_of(advantages, rows):
        real = advantages[rows][mask[rows]]
        return (advantages[rows, 1:] - real.mean()) / (real.std() + 1e-8)

    return _loop(policy, optimizer, ids, mask, advantages, minibatches, clip, gains_of=gains_of)


EXERCISE = Exercise(
    reference=ppo_updates,
    title="all updates from one rollout",
    question="""
        Texts and advantages are there. Now learn from them, several times: this is the inner loop of PPO. The policy
        changes with every update, the texts do not. So what must be computed once, and what at each update?
    """,
    difficulty=4,
    minutes=15,
    hints=(
        "The ratio compares the policy as it is *now* with the policy that wrote the texts. The one changes at each"
        " update, the other never. Which of the two needs gradients?",
        "`log_p = torch.log_softmax(policy(ids[rows]).logits[:, :-1], -1)`, then"
        " `log_p.gather(2, ids[rows, 1:, None]).squeeze(2)`: once for all rows under `torch.no_grad()`, and for `rows`"
        " at each update. Advantages and mask of the same tokens are `[rows, 1:]`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        old_taken_anew,
        not_zeroed,
        nothing_moves,
        step_before_backward,
        one_step_at_the_end,
        all_rows,
        advantages_of_other_rows,
        advantages_shifted,
        labels_shifted,
        padding_counted,
        divided_by_all,
        mean_of_rows,
        wrong_sign,
        not_clipped,
        only_clipped,
        ratio_inverted,
        raw_logits,
        mask_shifted,
        whitened_again,
    ),
    steps=(
        "Once: the log-probabilities of all tokens, without gradients.",
        "For each minibatch: those of its rows, with gradients.",
        "The clipped loss, averaged over the minibatch's completion tokens.",
        "Clear the gradients, go backward, step.",
    ),
)
