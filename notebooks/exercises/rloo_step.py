"""Exercise of notebook 06: one update of a language model by REINFORCE, with the other texts as the baseline."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import (
    TinyLanguageModel,
    groups_of_texts,
    leave_one_out,
    normal,
    token_log_probs,
    update,
    with_old_gradients,
)
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def rloo_step(policy, optimizer, ids: Tensor, mask: Tensor, rewards: Tensor, group_size: int) -> Tensor:
    """One update of RLOO (Ahmadian et al. 2024) on texts that the policy has just written. Trains it in place.

    policy: a model; policy(ids).logits is (B, L, V), and position t predicts token t + 1. optimizer: of its weights.
    ids: (B, L), prompt and completion in one row, then padding. mask: (B, L) bool, true on the completion's tokens.
    rewards: (B,); the group_size completions of a prompt are neighbours. Returns the loss, a detached scalar: minus the
    mean over completions of advantage times log-probability.
    """
    log_probs = policy(ids).logits[:, :-1].log_softmax(-1)  # (B, L - 1, V): the last position predicts nothing
    log_probs = log_probs.gather(2, ids[:, 1:, None]).squeeze(2)  # (B, L - 1): of the tokens that came
    completions = log_probs.masked_fill(~mask[:, 1:], 0.0).sum(1)  # (B,)
    groups = rewards.reshape(-1, group_size)  # (P, K)
    others = (groups.sum(1, keepdim=True) - groups) / (group_size - 1)
    loss = -((groups - others).flatten() * completions).mean()
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
    yield Case("two completions of one prompt", (*_policy(1), *two, torch.tensor([1.0, 3.0]), 2))
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 5, 0], [3, 5, 2, 0], [3, 4, 1, 2]])
    mask = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]]).bool()
    yield Case("an easy prompt and a hard one", (*_policy(2), ids, mask, torch.tensor([6.0, 5.0, 0.0, 3.0]), 2))
    ids = torch.tensor([[1, 2, 3], [1, 4, 3], [1, 5, 0], [2, 2, 0], [2, 3, 1], [2, 5, 4]])
    mask = torch.tensor([[0, 1, 1], [0, 1, 1], [0, 1, 0], [0, 1, 0], [0, 1, 1], [0, 1, 1]]).bool()
    rewards = torch.tensor([1.0, 2.0, 6.0, 0.0, -1.0, -2.0])
    yield Case("three completions of each of two prompts", (*_policy(3), ids, mask, rewards, 3))


def draw(generator):
    ids, mask, each = groups_of_texts(generator)
    policy = TinyLanguageModel(generator)
    policy.embedding.grad = normal(generator, 6, 3)
    return policy, torch.optim.SGD(policy.parameters(), lr=0.1), ids, mask, normal(generator, len(ids)), each


def _completions(policy, ids, mask):
    return (token_log_probs(policy, ids) * mask[:, 1:]).sum(1)


@mistake(
    "The gradients of the step before are still there.",
    "`backward` adds to them. Call `optimizer.zero_grad()` before it, in every step.",
)
def not_zeroed(policy, optimizer, ids, mask, rewards, group_size):
    loss = -(leave_one_out(rewards, group_size) * _completions(policy, ids, mask)).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


@mistake(
    "The weights of the policy have not moved.",
    "`optimizer.step()` is missing, or it comes while there is no gradient. The order is zero_grad, backward, step.",
)
def unmoved(policy, optimizer, ids, mask, rewards, group_size):
    return -(leave_one_out(rewards, group_size) * _completions(policy, ids, mask)).mean().detach()


@mistake(
    "You took the step before there was a gradient.",
    "`optimizer.step()` uses what `backward` has left. Called first, it has nothing, or what was left from before.",
)
def step_before_backward(policy, optimizer, ids, mask, rewards, group_size):
    loss = -(leave_one_out(rewards, group_size) * _completions(policy, ids, mask)).mean()
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.detach()


@mistake(
    "The step went down in reward: the sign is wrong.",
    "An optimiser makes the loss smaller. What is better than expected must become likelier, so the loss is *minus*"
    " advantage times log-probability.",
)
def wrong_sign(policy, optimizer, ids, mask, rewards, group_size):
    return update(optimizer, (leave_one_out(rewards, group_size) * _completions(policy, ids, mask)).mean())


@mistake(
    "You counted the padding.",
    "The policy did not write it. Leave out all tokens where `mask` is false. (The prompt would cancel: the advantages"
    " of its completions add up to zero.)",
)
def all_tokens(policy, optimizer, ids, mask, rewards, group_size):
    return update(optimizer, -(leave_one_out(rewards, group_size) * token_log_probs(policy, ids).sum(1)).mean())


@mistake(
    "You did not shift: position t was asked for token t.",
    "The logits at position t are about token t + 1. So the last position's logits go, and so does the first token.",
)
def not_shifted(policy, optimizer, ids, mask, rewards, group_size):
    log_probs = policy(ids).logits.log_softmax(-1).gather(2, ids[..., None]).squeeze(2)
    return update(optimizer, -(leave_one_out(rewards, group_size) * (log_probs * mask).sum(1)).mean())


@mistake(
    "You shifted the wrong way.",
    "The logits at position t are about token t + 1, and not about token t - 1: `logits[:, :-1]` go with `ids[:, 1:]`.",
)
def shifted_the_wrong_way(policy, optimizer, ids, mask, rewards, group_size):
    log_probs = policy(ids).logits[:, 1:].log_softmax(-1).gather(2, ids[:, :-1, None]).squeeze(2)
    return update(optimizer, -(leave_one_out(rewards, group_size) * (log_probs * mask[:, :-1]).sum(1)).mean())


@mistake(
    "The mask is one place off.",
    "The log-probabilities are those of tokens 1, 2, and so on. So the mask must lose its first column too, not its"
    " last.",
)
def mask_not_shifted(policy, optimizer, ids, mask, rewards, group_size):
    completions = (token_log_probs(policy, ids) * mask[:, :-1]).sum(1)
    return update(optimizer, -(leave_one_out(rewards, group_size) * completions).mean())


@mistake("You left out the baseline.", "Compare each reward with those of the other completions of its prompt.")
def no_baseline(policy, optimizer, ids, mask, rewards, group_size):
    return update(optimizer, -(rewards * _completions(policy, ids, mask)).mean())


@mistake(
    "Your baseline contains the completion itself.",
    "Then every advantage is too small, by the factor (K - 1) / K. Leave it out of its own baseline.",
)
def own_included(policy, optimizer, ids, mask, rewards, group_size):
    advantages = leave_one_out(rewards, group_size) * (group_size - 1) / group_size
    return update(optimizer, -(advantages * _completions(policy, ids, mask)).mean())


@mistake(
    "You took the mean of the batch as the baseline.",
    "That is a valid baseline, but it cannot tell an easy prompt from a good answer. Compare within each prompt.",
)
def over_the_batch(policy, optimizer, ids, mask, rewards, group_size):
    return update(optimizer, -((rewards - rewards.mean()) * _completions(policy, ids, mask)).mean())


@mistake(
    "Your groups mix prompts: the wrong batch axis.",
    "The completions of a prompt are neighbours, so a group is a *row* of `rewards.reshape(-1, group_size)`.",
)
def across_prompts(policy, optimizer, ids, mask, rewards, group_size):
    groups = rewards.reshape(group_size, -1)
    others = (groups.sum(0, keepdim=True) - groups) / (group_size - 1)
    return update(optimizer, -((groups - others).flatten() * _completions(policy, ids, mask)).mean())


@mistake(
    "You divided the advantages by their standard deviation.",
    "That is GRPO (notebook 09). RLOO leaves the scale of the rewards as it is.",
)
def divided_by_std(policy, optimizer, ids, mask, rewards, group_size):
    advantages = leave_one_out(rewards, group_size).reshape(-1, group_size)
    advantages = (advantages / (rewards.reshape(-1, group_size).std(1, keepdim=True) + 1e-6)).flatten()
    return update(optimizer, -(advantages * _completions(policy, ids, mask)).mean())


@mistake(
    "Those are GRPO's advantages: less the mean of the group, over its standard deviation.",
    "That is notebook 09. In RLOO a completion is left out of its own baseline, and nothing is divided.",
)
def whitened(policy, optimizer, ids, mask, rewards, group_size):
    groups = rewards.reshape(-1, group_size)
    advantages = (groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-6)
    return update(optimizer, -(advantages.flatten() * _completions(policy, ids, mask)).mean())


@mistake(
    "You averaged over the tokens of a completion.",
    "The log-probability of a text is the sum over its tokens. With a mean, each token of a long text counts less.",
)
def mean_over_tokens(policy, optimizer, ids, mask, rewards, group_size):
    completions = _completions(policy, ids, mask) / mask.sum(1)
    return update(optimizer, -(leave_one_out(rewards, group_size) * completions).mean())


@mistake(
    "You divided by the number of tokens in the batch.",
    "The mean is over completions: each text counts once, with the sum over its tokens. Divide by B.",
)
def mean_over_all_tokens(policy, optimizer, ids, mask, rewards, group_size):
    total = (leave_one_out(rewards, group_size) * _completions(policy, ids, mask)).sum()
    return update(optimizer, -total / mask.sum())


@mistake("You added up the completions instead of averaging.", "The step would grow with the batch.")
def summed(policy, optimizer, ids, mask, rewards, group_size):
    return update(optimizer, -(leave_one_out(rewards, group_size) * _completions(policy, ids, mask)).sum())


@mistake(
    "You used probabilities instead of their logarithms.",
    "The policy gradient is the mean of A times the gradient of *log* p.",
)
def no_logarithm(policy, optimizer, ids, mask, rewards, group_size):
    completions = _completions(policy, ids, mask).exp()
    return update(optimizer, -(leave_one_out(rewards, group_size) * completions).mean())


@mistake(
    "You took the logits for log-probabilities.",
    "A logit is a log-probability only up to a constant: `log_softmax(-1)` along the vocabulary comes first.",
)
def raw_logits(policy, optimizer, ids, mask, rewards, group_size):
    logits = policy(ids).logits[:, :-1].gather(2, ids[:, 1:, None]).squeeze(2)
    return update(optimizer, -(leave_one_out(rewards, group_size) * (logits * mask[:, 1:]).sum(1)).mean())


EXERCISE = Exercise(
    reference=rloo_step,
    title="one step of RLOO",
    question="""
        Now the whole update, on a language model. It has just written $K$ texts for each prompt, and each has a reward.
        Write what happens next: `rloo_advantages` and the log-probability of whole texts become a loss, and the loss
        becomes a step. `check` runs it on a tiny model and compares the weights that it leaves.
    """,
    difficulty=4,
    minutes=15,
    hints=(
        "The model gives logits for all positions at once. `logits[:, :-1]` are about the tokens `ids[:, 1:]`, and"
        " `mask[:, 1:]` says which of those tokens the policy wrote. A text's log-probability is the sum over them.",
        "`policy(ids).logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None]).squeeze(2)` are the log-probabilities"
        " of the tokens. The advantages come from `rewards.reshape(-1, group_size)`, as in the exercise before. The"
        " loss is minus the mean of their product; then zero_grad, backward, step.",
    ),
    steps=(
        "log-probability of each completion under the policy: (B,)",
        "advantages: each reward less the mean of the others of its prompt: (B,)",
        "the loss, whose gradient is minus the policy gradient",
        "a step of the optimizer",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        not_zeroed,
        unmoved,
        step_before_backward,
        wrong_sign,
        all_tokens,
        not_shifted,
        shifted_the_wrong_way,
        mask_not_shifted,
        no_baseline,
        own_included,
        over_the_batch,
        across_prompts,
        divided_by_std,
        whitened,
        mean_over_tokens,
        mean_over_all_tokens,
        summed,
        no_logarithm,
        raw_logits,
    ),
)
