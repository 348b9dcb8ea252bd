import torch
import torch.nn.functional as F


def _of(model, ids):
    return -F.cross_entropy(model(ids).logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")


def right_with_the_score_function(policy, reference, optimizer, ids, mask, rewards, kl_coefficient):
    """The ratio has the slope of the log-probability, so -A log p does as well; only the loss must be told apart."""
    advantages = ((rewards - rewards.mean(1)[:, None]) / (rewards.std(1)[:, None] + 1e-4)).flatten()[:, None]
    new, theirs = _of(policy, ids), _of(reference, ids).detach()
    k3 = torch.expm1(theirs - new) - (theirs - new)
    weights = mask[:, 1:] / mask.sum(1, keepdim=True) / len(ids)
    optimizer.zero_grad()
    (weights * (-advantages * new + kl_coefficient * k3)).sum().backward()
    optimizer.step()
    return (weights * (kl_coefficient * k3 - advantages)).sum().detach()


def right_text_by_text(policy, reference, optimizer, ids, mask, rewards, kl_coefficient):
    k, total = rewards.shape[1], 0.0
    for i in range(len(ids)):
        group = rewards[i // k]
        advantage = (group[i % k] - group.mean()) / (group.std() + 1e-4)
        columns = mask[i].nonzero()[:, 0]
        new = policy(ids[i : i + 1]).logits[0].log_softmax(-1)[columns - 1, ids[i, columns]]
        with torch.no_grad():
            theirs = reference(ids[i : i + 1]).logits[0].log_softmax(-1)[columns - 1, ids[i, columns]]
        k3 = (theirs - new).exp() - 1 - (theirs - new)
        total = total + (kl_coefficient * k3 - (new - new.detach()).exp() * advantage).mean() / len(ids)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return total.detach()


def right_with_a_clip_that_does_nothing(policy, reference, optimizer, ids, mask, rewards, kl_coefficient):
    advantages = (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)
    advantages = advantages.repeat(1, 1).view(-1, 1).expand(-1, ids.shape[1] - 1)
    with torch.no_grad():
        old, theirs = _of(policy, ids), _of(reference, ids)
    new = _of(policy, ids)
    ratio = (new - old).exp()
    loss = -torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
    loss = (loss + kl_coefficient * ((theirs - new).exp() - 1 + new - theirs)).where(mask[:, 1:], 0.0)
    loss = (loss.sum(1) / mask.sum(1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _run(inputs, relative=None, flat=torch.flatten, kl=None, average=None, order="zbs", old=torch.detach):
    policy, reference, optimizer, ids, mask, rewards, kl_coefficient = inputs
    relative = relative or (lambda r: (r - r.mean(1, keepdim=True)) / (r.std(1, keepdim=True) + 1e-4))
    kl = kl or (lambda d: d.exp() - 1 - d)
    average = average or (lambda loss, real: ((loss * real).sum(1) / real.sum(1)).mean())
    new, theirs = _of(policy, ids), _of(reference, ids).detach()
    loss = -(new - old(new)).exp() * flat(relative(rewards))[:, None] + kl_coefficient * kl(theirs - new)
    loss = average(loss, mask[:, 1:])
    for letter in order:
        {"z": optimizer.zero_grad, "b": loss.backward, "s": optimizer.step}[letter]()
    return loss.detach()


def wrong_over_the_batch(*inputs):
    return _run(inputs, relative=lambda r: (r - r.mean()) / (r.std() + 1e-4))


def wrong_transposed(*inputs):
    return _run(inputs, flat=lambda a: a.t().flatten())


def wrong_not_scaled(*inputs):
    return _run(inputs, relative=lambda r: r - r.mean(1, keepdim=True))


def wrong_ratio_without_detach(*inputs):
    return _run(inputs, old=lambda new: new)


def wrong_mean_of_tokens(*inputs):
    return _run(inputs, average=lambda loss, real: (loss * real).sum() / real.sum())


def wrong_k3_inverted(*inputs):
    return _run(inputs, kl=lambda d: (-d).exp() - 1 + d)


def wrong_kl_paid(*inputs):
    return _run(inputs, kl=lambda d: d + 1 - d.exp())


def wrong_not_zeroed(*inputs):
    return _run(inputs, order="bs")


def wrong_step_before_backward(*inputs):
    return _run(inputs, order="zsb")


def wrong_wrong_sign(*inputs):
    return _run(inputs, relative=lambda r: (r.mean(1, keepdim=True) - r) / (r.std(1, keepdim=True) + 1e-4))


def wrong_score_function(policy, reference, optimizer, ids, mask, rewards, kl_coefficient):
    advantages = (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)
    new, theirs = _of(policy, ids), _of(reference, ids).detach()
    loss = kl_coefficient * ((theirs - new).exp() - 1 - theirs + new) - new * advantages.view(-1, 1)
    loss = ((loss * mask[:, 1:]).sum(1) / mask[:, 1:].sum(1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _step(inputs, tokens_of):
    policy, reference, optimizer, ids, mask, rewards, kl_coefficient = inputs
    advantages = ((rewards - rewards.mean(1)[:, None]) / (rewards.std(1)[:, None] + 1e-4)).flatten()[:, None]
    tokens = tokens_of(_of(policy, ids), _of(reference, ids).detach(), advantages, kl_coefficient)
    loss = (mask[:, 1:] / mask.sum(1, keepdim=True) / len(ids) * tokens).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def wrong_kl_in_the_advantages(*inputs):
    return _step(
        inputs, lambda new, theirs, a, price: -(new - new.detach()).exp() * (a - price * (new - theirs).detach())
    )


def wrong_ratio_to_the_reference(*inputs):
    return _step(
        inputs,
        lambda new, theirs, a, price: price * (torch.expm1(theirs - new) - theirs + new) - (new - theirs).exp() * a,
    )
