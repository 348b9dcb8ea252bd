"""Exercise of notebook 07: one update of RLOO that pays for its drift."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import (
    TinyLanguageModel,
    groups_of_texts,
    leave_one_out,
    normal,
    size,
    token_log_probs,
    update,
    with_old_gradients,
)
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def kl_in_reward_step(
    policy, reference, optimizer, ids: Tensor, mask: Tensor, rewards: Tensor, beta: float, group_size: int
) -> Tensor:
    """One update of RLOO with the KL in the reward, on texts that the policy has just written. Trains it in place.

    policy, reference: models; model(ids).logits is (B, L, V), and position t predicts token t + 1. The reference stays
    as it is. ids: (B, L), prompt and completion in one row, then padding. mask: (B, L) bool, true on the completion's
    tokens. rewards: (B,); the group_size completions of a prompt are neighbours. beta: price of a nat, in reward.
    Returns the loss, a detached scalar: minus the mean of advantage times log-probability of the completion.
    """

    def completion_log_probs(model):
        log_probs = model(ids).logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None]).squeeze(2)
        return log_probs.masked_fill(~mask[:, 1:], 0.0).sum(1)  # (B,)

    log_probs = completion_log_probs(policy)
    with torch.no_grad():
        kl = log_probs - completion_log_probs(reference)  # (B,): k1, a number like the reward
    groups = (rewards - beta * kl).reshape(-1, group_size)  # paid before anything is compared
    others = (groups.sum(1, keepdim=True) - groups) / (group_size - 1)
    loss = -((groups - others).flatten() * log_probs).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _models(seed):
    """Policy, reference, and an optimizer of the policy. Somebody has left gradients in the policy."""
    generator = torch.Generator().manual_seed(seed)
    policy, reference = with_old_gradients(TinyLanguageModel(generator)), TinyLanguageModel(generator)
    return policy, reference, torch.optim.SGD(policy.parameters(), lr=0.5)


def cases():
    two = torch.tensor([[1, 2, 3], [1, 4, 0]]), torch.tensor([[False, True, True], [False, True, False]])
    yield Case("two completions of one prompt", (*_models(1), *two, torch.tensor([1.0, 3.0]), 0.5, 2))
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 5, 0], [3, 5, 2, 0], [3, 4, 1, 2]])
    mask = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]]).bool()
    yield Case("nothing but the price", (*_models(2), ids, mask, torch.zeros(4), 1.0, 2))
    ids = torch.tensor([[1, 2, 3], [1, 4, 3], [1, 5, 0], [2, 2, 0], [2, 3, 1], [2, 5, 4]])
    mask = torch.tensor([[0, 1, 1], [0, 1, 1], [0, 1, 0], [0, 1, 0], [0, 1, 1], [0, 1, 1]]).bool()
    rewards = torch.tensor([1.0, 2.0, 6.0, 0.0, -1.0, -2.0])
    yield Case("three completions of each of two prompts", (*_models(3), ids, mask, rewards, 0.3, 3))


def draw(generator):
    ids, mask, each = groups_of_texts(generator)
    policy, reference = TinyLanguageModel(generator), TinyLanguageModel(generator)
    policy.embedding.grad = normal(generator, 6, 3)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
    return policy, reference, optimizer, ids, mask, normal(generator, len(ids)), 0.2 + 0.2 * size(generator, 0, 4), each


def _of_tokens(model, ids, mask):
    return token_log_probs(model, ids) * mask[:, 1:]


def _both(policy, reference, ids, mask):
    """Log-probabilities of the completions with a gradient, and the log-ratios of their tokens without."""
    log_probs = _of_tokens(policy, ids, mask)
    return log_probs.sum(1), (log_probs - _of_tokens(reference, ids, mask)).detach()


@mistake(
    "You paid the policy for drifting: the KL has the wrong sign.",
    "The drift is log-probability under the policy less that under the reference, and its price is taken *off* the"
    " reward.",
)
def drift_rewarded(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    advantages = leave_one_out(rewards + beta * ratios.sum(1), group_size)
    return update(optimizer, -(advantages * log_probs).mean())


@mistake(
    "Drifting is free: you left out the price, or charged every text the same.",
    "Take `beta` times its *own* log-ratio off each reward. What all pay alike cancels in the comparison.",
)
def free(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, _ = _both(policy, reference, ids, mask)
    return update(optimizer, -(leave_one_out(rewards, group_size) * log_probs).mean())


@mistake(
    "You took the price off after the comparison.",
    "Then the price is not compared with what the others paid, and is as noisy as a reward without a baseline. Make"
    " one number of reward and price first.",
)
def after_the_baseline(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    advantages = leave_one_out(rewards, group_size) - beta * ratios.sum(1)
    return update(optimizer, -(advantages * log_probs).mean())


@mistake(
    "A gradient flows through the price.",
    "In the reward, the price is a number like the reward itself. Compute it under `torch.no_grad()`, or detach it.",
)
def not_detached(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs = _of_tokens(policy, ids, mask)
    ratios = log_probs - _of_tokens(reference, ids, mask).detach()
    advantages = leave_one_out(rewards - beta * ratios.sum(1), group_size)
    return update(optimizer, -(advantages * log_probs.sum(1)).mean())


@mistake(
    "The KL is in the loss, not in the reward.",
    "Differentiated there, k1 pulls nowhere on average: this section is about that.",
)
def in_the_loss(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs = _of_tokens(policy, ids, mask).sum(1)
    kl = log_probs - _of_tokens(reference, ids, mask).sum(1).detach()
    return update(optimizer, (beta * kl - leave_one_out(rewards, group_size) * log_probs).mean())


@mistake(
    "You averaged the KL over the tokens of a completion.",
    "The drift of a text is the sum over its tokens. With a mean, a long text drifts at a discount.",
)
def mean_over_tokens(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    advantages = leave_one_out(rewards - beta * ratios.sum(1) / mask.sum(1), group_size)
    return update(optimizer, -(advantages * log_probs).mean())


@mistake(
    "You took the absolute value of the log-ratios.",
    "Then a token that became *less* likely costs as well. k1 may be negative for a text: only its mean may not.",
)
def absolute(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    return update(optimizer, -(leave_one_out(rewards - beta * ratios.abs().sum(1), group_size) * log_probs).mean())


@mistake(
    "You used k3 in the reward.",
    "As a number in the reward only the log-ratio itself, k1, gives the gradient of the KL of whole texts.",
)
def k3(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    kl = (torch.expm1(-ratios) + ratios).sum(1)
    return update(optimizer, -(leave_one_out(rewards - beta * kl, group_size) * log_probs).mean())


@mistake(
    "You used k3 of whole texts in the reward.",
    "As a number in the reward only the log-ratio itself, k1, gives the gradient of the KL.",
)
def k3_of_texts(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    kl = torch.expm1(-ratios.sum(1)) + ratios.sum(1)
    return update(optimizer, -(leave_one_out(rewards - beta * kl, group_size) * log_probs).mean())


@mistake(
    "You used k2, half the square of the log-ratio, in the reward.",
    "As a number in the reward only the log-ratio itself, k1, gives the gradient of the KL. k2 belongs in the loss.",
)
def k2_of_texts(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    kl = ratios.sum(1) ** 2 / 2
    return update(optimizer, -(leave_one_out(rewards - beta * kl, group_size) * log_probs).mean())


@mistake(
    "You did not shift: position t was asked for token t.",
    "The logits at position t are about token t + 1. So the last position's logits go, and so does the first token.",
)
def not_shifted(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_p, log_q = (
        m(ids).logits.log_softmax(-1).gather(2, ids[..., None]).squeeze(2) * mask for m in (policy, reference)
    )
    earned = rewards - beta * (log_p - log_q).sum(1).detach()
    return update(optimizer, -(leave_one_out(earned, group_size) * log_p.sum(1)).mean())


@mistake(
    "You counted the padding.",
    "The policy did not write it, and does not pay for it. Leave out all tokens where `mask` is false.",
)
def all_tokens(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    return kl_in_reward_step(policy, reference, optimizer, ids, mask | True, rewards, beta, group_size)


@mistake(
    "You left out the baseline.",
    "What each completion has earned after paying is compared with the others of its prompt.",
)
def no_baseline(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    return update(optimizer, -((rewards - beta * ratios.sum(1)) * log_probs).mean())


@mistake(
    "Your baseline contains the completion itself.",
    "Then every advantage is too small, by the factor (K - 1) / K. Leave it out of its own baseline.",
)
def own_included(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    advantages = leave_one_out(rewards - beta * ratios.sum(1), group_size) * (group_size - 1) / group_size
    return update(optimizer, -(advantages * log_probs).mean())


@mistake(
    "A nat costs 1 in yours, whatever `beta` says.",
    "Multiply the log-ratio by `beta` before you take it off the reward.",
)
def without_beta(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    return kl_in_reward_step(policy, reference, optimizer, ids, mask, rewards, 1.0, group_size)


@mistake("You added up the completions instead of averaging.", "The step would grow with the batch.")
def summed(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    return update(optimizer, -(leave_one_out(rewards - beta * ratios.sum(1), group_size) * log_probs).sum())


@mistake(
    "Your groups mix prompts: the wrong batch axis.",
    "The completions of a prompt are neighbours, so a group is a *row* of `reshape(-1, group_size)`.",
)
def across_prompts(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    groups = (rewards - beta * ratios.sum(1)).reshape(group_size, -1)
    others = (groups.sum(0, keepdim=True) - groups) / (group_size - 1)
    return update(optimizer, -((groups - others).flatten() * log_probs).mean())


@mistake(
    "You trained the reference too.",
    "It is the fixed point that drift is measured from. If it comes along, the drift is always small.",
)
def reference_trained(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    loss = kl_in_reward_step(policy, reference, optimizer, ids, mask, rewards, beta, group_size)
    with torch.no_grad():
        for mine, theirs in zip(policy.parameters(), reference.parameters(), strict=True):
            theirs.copy_(mine)
    return loss


@mistake(
    "The gradients of the step before are still there.",
    "`backward` adds to them. Call `optimizer.zero_grad()` before it, in every step.",
)
def not_zeroed(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    loss = -(leave_one_out(rewards - beta * ratios.sum(1), group_size) * log_probs).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


@mistake(
    "The weights of the policy have not moved.",
    "`optimizer.step()` is missing, or it comes while there is no gradient. The order is zero_grad, backward, step.",
)
def unmoved(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    return -(leave_one_out(rewards - beta * ratios.sum(1), group_size) * log_probs).mean().detach()


@mistake(
    "You took the step before there was a gradient.",
    "`optimizer.step()` uses what `backward` has left. Called first, it has nothing, or what was left from before.",
)
def step_before_backward(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    loss = -(leave_one_out(rewards - beta * ratios.sum(1), group_size) * log_probs).mean()
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.detach()


@mistake(
    "The step went down in reward: the sign of the loss is wrong.",
    "An optimiser makes the loss smaller, so the loss is *minus* advantage times log-probability.",
)
def wrong_sign(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_probs, ratios = _both(policy, reference, ids, mask)
    return update(optimizer, (leave_one_out(rewards - beta * ratios.sum(1), group_size) * log_probs).mean())


EXERCISE = Exercise(
    reference=kl_in_reward_step,
    title="a step that pays for its drift",
    question="""
        Put the price into the step of notebook 06. Each text pays for its drift out of its reward: the price is a
        *number*, and the policy gradient does the rest. Mind the order: pay first, then compare. `check` runs it on two
        tiny models and compares the weights of both.
    """,
    difficulty=4,
    minutes=15,
    hints=(
        "You need the log-probability of each completion twice, under the policy and under the reference. Their"
        " difference is how far this text has drifted, in nats. Which of the two needs a gradient, and where?",
        "Under `torch.no_grad()`: `kl = log_probs - reference_log_probs`, both (B,). Then `rewards - beta * kl` takes"
        " the place of the rewards in the step of notebook 06.",
    ),
    steps=(
        "log-probabilities of the completions under policy and reference: (B,) each",
        "what each completion earns after paying for its drift: (B,)",
        "advantages: each less the mean of the others of its prompt",
        "the loss, and a step of the optimizer",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        drift_rewarded,
        free,
        after_the_baseline,
        not_detached,
        in_the_loss,
        mean_over_tokens,
        absolute,
        k3,
        k3_of_texts,
        k2_of_texts,
        not_shifted,
        all_tokens,
        no_baseline,
        own_included,
        without_beta,
        summed,
        across_prompts,
        reference_trained,
        not_zeroed,
        unmoved,
        step_before_backward,
        wrong_sign,
    ),
)
