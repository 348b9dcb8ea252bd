"""Exercise of notebook 09: one update of GRPO, a step of its loop."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import TinyLanguageModel, normal, right_padded, size, token_log_probs, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def grpo_update(
    policy, reference, optimizer, ids: Tensor, mask: Tensor, rewards: Tensor, kl_coefficient: float
) -> Tensor:
    """GRPO's first update from a rollout that the policy has just written, so that every ratio is 1.

    policy(ids).logits: (B, L, V), those at t predict token t + 1; reference likewise. ids: (B, L), prompts and
    completions; the K completions of a prompt are neighbours. mask: (B, L) bool, true on completion tokens, never in
    column 0. rewards: (P, K), B = P K. kl_coefficient: price of a nat, by k3. Returns the loss, detached.
    """

    def log_probs_of(model) -> Tensor:  # (B, L - 1), of the tokens from column 1 on
        log_p = torch.log_softmax(model(ids).logits[:, :-1], -1)
        return log_p.gather(2, ids[:, 1:, None]).squeeze(2)

    centred = rewards - rewards.mean(1, keepdim=True)
    advantages = (centred / (rewards.std(1, keepdim=True) + 1e-4)).reshape(-1, 1)  # (B, 1)
    new = log_probs_of(policy)
    with torch.no_grad():
        theirs = log_probs_of(reference)
    drift = theirs - new  # log reference less log policy
    ratio = (new - new.detach()).exp()  # 1 everywhere, but it has a slope
    tokens = -ratio * advantages + kl_coefficient * (drift.exp() - 1 - drift)
    real = mask[:, 1:]
    loss = (tokens.masked_fill(~real, 0.0).sum(1) / real.sum(1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _models(generator, left_over=False):
    policy, reference = TinyLanguageModel(generator), TinyLanguageModel(generator)
    if left_over:
        for parameter in policy.parameters():
            parameter.grad = torch.ones_like(parameter)
    return policy, reference, torch.optim.SGD(policy.parameters(), lr=0.5)


def _case(title, seed, prompt, lengths, rewards, kl_coefficient=0.0, left_over=False):
    generator = torch.Generator().manual_seed(seed)
    models = _models(generator, left_over)
    lengths = torch.tensor(lengths)
    columns = torch.arange(prompt + int(lengths.max()))
    mask = (columns >= prompt) & (columns < prompt + lengths[:, None])
    return Case(title, (*models, whole(generator, 0, 5, *mask.shape), mask, torch.tensor(rewards), kl_coefficient))


def cases():
    yield _case("one prompt, two completions of one length", 0, 1, [2, 2], [[0.0, 1.0]])
    yield _case("two prompts of two completions", 1, 1, [2, 2, 2, 2], [[0.0, 1.0], [5.0, 5.5]])
    yield _case("a long and a short completion", 2, 1, [3, 1], [[1.0, 0.0]])
    yield _case("a prompt of two tokens", 3, 2, [2, 2], [[1.0, 0.0]])
    yield _case("equal rewards: only the KL pulls", 4, 1, [2, 2], [[1.0, 1.0]], 0.5)
    yield _case("rewards and KL, three completions", 5, 1, [1, 3, 2], [[1.0, 0.0, 0.25]], 0.5)
    yield _case("somebody left gradients in the policy", 6, 1, [2, 1], [[0.0, 1.0]], 0.1, True)


def draw(generator):
    models = _models(generator)
    prompts, k, prompt, width = (
        size(generator, 2, 3),
        size(generator, 2, 4),
        size(generator, 1, 2),
        size(generator, 3, 4),
    )
    rows = prompts * k
    mask = torch.cat([torch.zeros(rows, prompt).bool(), right_padded(generator, rows, width)], 1)
    rewards = normal(generator, prompts, k) + normal(generator, prompts, 1, scale=3)
    return *models, whole(generator, 0, 5, *mask.shape), mask, rewards, 0.3


def _relative(rewards):
    return (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)


def _mean(tokens, real):
    return (tokens.masked_fill(~real, 0.0).sum(1) / real.sum(1)).mean()


def _k3(new, reference):
    return (reference - new).exp() - 1 - (reference - new)


def _update(
    policy,
    reference,
    optimizer,
    ids,
    mask,
    rewards,
    kl_coefficient,
    *,
    log_probs=token_log_probs,
    advantages=_relative,
    flat=lambda advantages: advantages.reshape(-1, 1),
    kl=_k3,
    mean=_mean,
    old=lambda new: new.detach(),
    zero=True,
):
    """The update with one thing exchanged: what a mistake differs in."""
    new = log_probs(policy, ids)
    ratio = (new - old(new)).exp()
    tokens = -ratio * flat(advantages(rewards)) + kl_coefficient * kl(new, log_probs(reference, ids).detach())
    loss = mean(tokens, mask[:, 1:])
    if zero:
        optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


@mistake(
    "You took mean and deviation over all prompts.",
    "An easy prompt has high rewards throughout. A group is the completions of *one* prompt: a row of rewards.",
)
def over_the_batch(*inputs):
    return _update(*inputs, advantages=lambda r: (r - r.mean()) / (r.std() + 1e-4))


@mistake(
    "You went down the prompts, not along the completions.",
    "A row of rewards is a prompt, so mean and deviation go along dimension 1.",
)
def wrong_axis(*inputs):
    def advantages(rewards):
        deviation = rewards.std(0, keepdim=True) if len(rewards) > 1 else torch.full_like(rewards, torch.nan)
        return (rewards - rewards.mean(0, keepdim=True)) / (deviation + 1e-4)

    return _update(*inputs, advantages=advantages)


@mistake(
    "Your advantages land on other texts.",
    "The completions of a prompt are neighbours in ids, and a row in rewards: reshape(-1), with no transposing.",
)
def transposed(*inputs):
    return _update(*inputs, flat=lambda advantages: advantages.T.reshape(-1, 1))


@mistake("You did not divide by the standard deviation.", "That is Dr. GRPO. GRPO divides.")
def not_scaled(*inputs):
    return _update(*inputs, advantages=lambda r: r - r.mean(1, keepdim=True))


@mistake(
    "The policy gets no gradient from the rewards.",
    "A ratio of a number to itself has no slope. One of the two is the policy when it wrote: new.detach().",
)
def ratio_without_detach(*inputs):
    return _update(*inputs, old=lambda new: new)


@mistake(
    "You took the log-probability where the ratio belongs.",
    "The gradient is right, as every ratio is 1, but the loss is not: with exp(new - new.detach()) it is GRPO's,"
    " and from the second update on it can be clipped.",
)
def score_function(policy, reference, optimizer, ids, mask, rewards, kl_coefficient):
    new, theirs = token_log_probs(policy, ids), token_log_probs(reference, ids).detach()
    tokens = -new * _relative(rewards).reshape(-1, 1) + kl_coefficient * _k3(new, theirs)
    loss = _mean(tokens, mask[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


@mistake(
    "You counted prompts and padding.",
    "Only what the policy wrote is to be learned from: take sums and counts where the mask is true.",
)
def padding_counted(*inputs):
    return _update(*inputs, mean=lambda tokens, real: tokens.mean())


@mistake(
    "You averaged over all tokens of the batch.",
    "That is DAPO's mean. GRPO averages over the tokens of each completion, and then over completions.",
)
def mean_of_tokens(*inputs):
    return _update(*inputs, mean=lambda tokens, real: tokens[real].mean())


@mistake(
    "You summed over the tokens of a completion.", "That is Dr. GRPO's choice. GRPO divides each sum by the length."
)
def sum_of_tokens(*inputs):
    return _update(*inputs, mean=lambda tokens, real: tokens.masked_fill(~real, 0.0).sum(1).mean())


@mistake("You left the KL out.", "GRPO adds kl_coefficient times k3 to the loss of every token.")
def no_kl(*inputs):
    return _update(*inputs, kl=lambda new, reference: torch.zeros_like(new))


@mistake("The KL has the wrong sign: drifting is paid.", "A price is added to the loss.")
def kl_paid(*inputs):
    return _update(*inputs, kl=lambda new, reference: -_k3(new, reference))


@mistake(
    "Your k3 is upside down.",
    "The texts are the policy's, so k3 is exp(d) - 1 - d with d = log reference less log policy.",
)
def k3_inverted(*inputs):
    return _update(*inputs, kl=lambda new, reference: _k3(reference, new))


@mistake("You took k1 for the KL.", "As a loss k1 pulls at nothing on average (notebook 07). GRPO takes k3.")
def k1_in_the_loss(*inputs):
    return _update(*inputs, kl=lambda new, reference: new - reference)


@mistake(
    "You paid for the KL in the advantages.",
    "That is PPO's way, with k1 and without a slope. GRPO adds kl_coefficient times k3 to the loss.",
)
def kl_in_the_advantages(*inputs):
    def kl(new, reference):
        return (new - new.detach()).exp() * (new - reference).detach()

    return _update(*inputs, kl=kl)


@mistake(
    "Your ratio compares the policy with the reference.",
    "PPO's ratio is new by old, and old is the policy when it wrote: exp(new - new.detach()). The reference is for k3.",
)
def ratio_to_the_reference(policy, reference, optimizer, ids, mask, rewards, kl_coefficient):
    theirs = token_log_probs(reference, ids).detach()
    return _update(policy, reference, optimizer, ids, mask, rewards, kl_coefficient, old=lambda new: theirs)


@mistake(
    "The reference got trained, too.",
    "It says what normal text is, and must stay where it is: no gradient, no step.",
)
def reference_trained(policy, reference, optimizer, ids, mask, rewards, kl_coefficient):
    new, theirs = token_log_probs(policy, ids), token_log_probs(reference, ids)
    tokens = -(new - new.detach()).exp() * _relative(rewards).reshape(-1, 1) + kl_coefficient * _k3(new, theirs)
    loss = _mean(tokens, mask[:, 1:])
    both = torch.optim.SGD([*policy.parameters(), *reference.parameters()], lr=optimizer.param_groups[0]["lr"])
    both.zero_grad()
    loss.backward()
    both.step()
    return loss.detach()


@mistake(
    "Labels shifted by one: you take the logits at each token for that token itself.",
    "The logits at t predict token t + 1: compare logits[:, :-1] with ids[:, 1:].",
)
def labels_shifted(*inputs):
    def log_probs(model, ids):
        return torch.log_softmax(model(ids).logits[:, 1:], -1).gather(2, ids[:, 1:, None]).squeeze(2)

    return _update(*inputs, log_probs=log_probs)


@mistake("The sign is wrong.", "An optimizer goes down, and better than the group shall become likelier: minus.")
def wrong_sign(*inputs):
    return _update(*inputs, advantages=lambda r: -_relative(r))


@mistake(
    "You did not clear the gradients.",
    "backward() adds to what is there: of the update before, or of another cell. Call optimizer.zero_grad() first.",
)
def not_zeroed(*inputs):
    return _update(*inputs, zero=False)


@mistake(
    "The weights never change.",
    "Either step() is missing, or it comes before backward(), when there is no gradient yet. The order is zero_grad(),"
    " backward(), step().",
)
def step_before_backward(policy, reference, optimizer, ids, mask, rewards, kl_coefficient):
    new, theirs = token_log_probs(policy, ids), token_log_probs(reference, ids).detach()
    tokens = -(new - new.detach()).exp() * _relative(rewards).reshape(-1, 1) + kl_coefficient * _k3(new, theirs)
    loss = _mean(tokens, mask[:, 1:])
    optimizer.zero_grad()
    optimizer.step()
    loss.backward()
    return loss.detach()


EXERCISE = Exercise(
    reference=grpo_update,
    title="one update of GRPO",
    question="""
        From rewards to new weights, in one function. You have all parts: the advantages of a group, the mean over each
        completion's tokens, the ratio of notebook 08, and k3 of notebook 07 as the price of drifting, in the loss.
    """,
    difficulty=4,
    minutes=15,
    hints=(
        "Before the first update every ratio is 1, but it must have a slope: exp(new - new.detach()). The reference is"
        " only looked at. Which lines need no gradient?",
        "A token's loss is `-ratio * advantage + kl_coefficient * (d.exp() - 1 - d)` with `d = reference - new`. Where"
        " the mask is false, make it 0. Then sum along a completion, divide by its length, and take the mean.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        over_the_batch,
        wrong_axis,
        transposed,
        not_scaled,
        ratio_without_detach,
        score_function,
        padding_counted,
        mean_of_tokens,
        sum_of_tokens,
        no_kl,
        kl_paid,
        k3_inverted,
        k1_in_the_loss,
        kl_in_the_advantages,
        ratio_to_the_reference,
        reference_trained,
        labels_shifted,
        wrong_sign,
        not_zeroed,
        step_before_backward,
    ),
    steps=(
        "The advantage of each completion, within its group.",
        "Log-probabilities: the policy's with gradients, the reference's without.",
        "The loss of each token: -ratio * advantage, and the price by k3.",
        "GRPO's mean. Clear the gradients, go backward, step.",
    ),
)
