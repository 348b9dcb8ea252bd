import torch
import torch.nn.functional as F


def _pair(model, chosen, rejected):
    return F.softplus(model(*rejected) - model(*chosen))


def right_cleared_by_hand(reward_model, optimizer, chosen, rejected, max_norm):
    for weight in reward_model.parameters():
        weight.grad = None
    loss = _pair(reward_model, chosen, rejected).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    optimizer.step()
    return loss.detach()


def right_pair_after_pair(reward_model, optimizer, chosen, rejected, max_norm):
    """Gradients added up, as with texts that do not fit into memory together."""
    optimizer.zero_grad(set_to_none=True)
    total, count = 0.0, len(chosen[0])
    for i in range(count):
        rows = slice(i, i + 1)
        loss = _pair(reward_model, [x[rows] for x in chosen], [x[rows] for x in rejected]).sum() / count
        loss.backward()
        total = total + loss.detach()
    torch.nn.utils.clip_grad_norm_(list(reward_model.parameters()), max_norm)
    optimizer.step()
    return total


def right_by_autograd(reward_model, optimizer, chosen, rejected, max_norm):
    weights = list(reward_model.parameters())
    loss = _pair(reward_model, chosen, rejected).mean()
    gradients = torch.autograd.grad(loss, weights)
    norm = torch.sqrt(sum((g**2).sum() for g in gradients))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient * min(1.0, float(max_norm / norm))
    optimizer.step()
    return loss.detach()


def right_both_texts_at_once(reward_model, optimizer, chosen, rejected, max_norm):
    width = max(chosen[0].shape[1], rejected[0].shape[1])
    ids, mask = (
        torch.cat([F.pad(x, (0, width - x.shape[1])) for x in both]) for both in zip(chosen, rejected, strict=True)
    )
    rewards = reward_model(ids, mask).view(2, -1)
    loss = F.cross_entropy(rewards.T, torch.zeros(rewards.shape[1], dtype=torch.long))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    optimizer.step()
    return loss.detach()


def _end(reward_model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    optimizer.step()
    return loss.detach()


def wrong_not_zeroed(reward_model, optimizer, chosen, rejected, max_norm):
    loss = _pair(reward_model, chosen, rejected).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    optimizer.step()
    return loss.detach()


def wrong_nothing_learned__cleared_between(reward_model, optimizer, chosen, rejected, max_norm):
    loss = _pair(reward_model, chosen, rejected).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    optimizer.zero_grad()
    optimizer.step()
    return loss.detach()


def wrong_nothing_learned__stepped_early(reward_model, optimizer, chosen, rejected, max_norm):
    optimizer.zero_grad()
    loss = _pair(reward_model, chosen, rejected).mean()
    optimizer.step()
    loss.backward()
    return loss.detach()


def wrong_step_before_backward(reward_model, optimizer, chosen, rejected, max_norm):
    loss = _pair(reward_model, chosen, rejected).sum() / len(chosen[0])
    optimizer.step()
    for weight in reward_model.parameters():
        weight.grad = None
    loss.backward()
    return loss.detach()


def wrong_swapped(reward_model, optimizer, chosen, rejected, max_norm):
    return _end(reward_model, optimizer, _pair(reward_model, rejected, chosen).mean(), max_norm)


def wrong_padding_counted(reward_model, optimizer, chosen, rejected, max_norm):
    full = [(ids, torch.ones(ids.shape, dtype=torch.bool)) for ids, _ in (chosen, rejected)]
    return _end(reward_model, optimizer, _pair(reward_model, *full).mean(), max_norm)


def wrong_rejected_detached(reward_model, optimizer, chosen, rejected, max_norm):
    with torch.no_grad():
        bad = reward_model(*rejected)
    return _end(reward_model, optimizer, F.softplus(bad - reward_model(*chosen)).mean(), max_norm)


def wrong_summed(reward_model, optimizer, chosen, rejected, max_norm):
    return _end(reward_model, optimizer, _pair(reward_model, chosen, rejected).sum(), max_norm)


def wrong_not_clipped__after_the_step(reward_model, optimizer, chosen, rejected, max_norm):
    optimizer.zero_grad()
    loss = _pair(reward_model, chosen, rejected).mean()
    loss.backward()
    optimizer.step()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    return loss.detach()


def wrong_clipped_by_entry(reward_model, optimizer, chosen, rejected, max_norm):
    optimizer.zero_grad()
    loss = _pair(reward_model, chosen, rejected).mean()
    loss.backward()
    for weight in reward_model.parameters():
        weight.grad.clamp_(-max_norm, max_norm)
    optimizer.step()
    return loss.detach()


def wrong_mean_inside(reward_model, optimizer, chosen, rejected, max_norm):
    loss = F.softplus(reward_model(*rejected).mean() - reward_model(*chosen).mean())
    return _end(reward_model, optimizer, loss, max_norm)


def wrong_crossed(reward_model, optimizer, chosen, rejected, max_norm):
    good, bad = reward_model(*chosen), reward_model(*rejected)
    loss = torch.stack([F.softplus(b - g) for g in good for b in bad]).mean()
    return _end(reward_model, optimizer, loss, max_norm)


def wrong_softmax_over_batch(reward_model, optimizer, chosen, rejected, max_norm):
    difference = reward_model(*chosen) - reward_model(*rejected)
    return _end(reward_model, optimizer, (difference.logsumexp(0) - difference).mean(), max_norm)


def wrong_loss_afterwards(reward_model, optimizer, chosen, rejected, max_norm):
    _end(reward_model, optimizer, _pair(reward_model, chosen, rejected).mean(), max_norm)
    with torch.no_grad():
        return _pair(reward_model, chosen, rejected).mean()


def wrong_no_log(reward_model, optimizer, chosen, rejected, max_norm):
    loss = -(1 / (1 + torch.exp(reward_model(*rejected) - reward_model(*chosen)))).mean()
    return _end(reward_model, optimizer, loss, max_norm)


def wrong_nothing_learned__no_step(reward_model, optimizer, chosen, rejected, max_norm):
    optimizer.zero_grad()
    loss = _pair(reward_model, chosen, rejected).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    return loss.detach()


def wrong_clipped_by_tensor(reward_model, optimizer, chosen, rejected, max_norm):
    optimizer.zero_grad()
    loss = _pair(reward_model, chosen, rejected).mean()
    loss.backward()
    for weight in reward_model.parameters():
        weight.grad *= torch.clamp(max_norm / weight.grad.norm(), max=1.0)
    optimizer.step()
    return loss.detach()


def wrong_always_max_norm(reward_model, optimizer, chosen, rejected, max_norm):
    optimizer.zero_grad()
    loss = _pair(reward_model, chosen, rejected).mean()
    loss.backward()
    length = torch.cat([weight.grad.flatten() for weight in reward_model.parameters()]).norm()
    for weight in reward_model.parameters():
        weight.grad = weight.grad / length * max_norm
    optimizer.step()
    return loss.detach()


def wrong_went_up(reward_model, optimizer, chosen, rejected, max_norm):
    optimizer.zero_grad()
    loss = _pair(reward_model, chosen, rejected).mean()
    (-loss).backward()
    torch.nn.utils.clip_grad_norm_(reward_model.parameters(), max_norm)
    optimizer.step()
    return loss.detach()
