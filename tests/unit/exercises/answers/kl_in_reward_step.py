import torch
import torch.nn.functional as F


def _log_probs(model, ids, mask):
    losses = F.cross_entropy(model(ids).logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return torch.where(mask[:, 1:], -losses, torch.zeros(())).sum(1)


def _others(rewards, group_size):
    groups = rewards.view(-1, group_size)
    return ((groups - groups.mean(1, keepdim=True)) * group_size / (group_size - 1)).view(-1)


def _with(paid, detached=True):
    """An answer by what each text has earned after paying, from its reward, log-probabilities and price."""

    def answer(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
        log_p = _log_probs(policy, ids, mask)
        log_q = _log_probs(reference, ids, mask).detach()
        earned = paid(rewards, log_p.detach() if detached else log_p, log_q, beta, mask)
        loss = -(_others(earned, group_size) * log_p).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return answer


right_cross_entropy = _with(lambda r, p, q, beta, mask: r - beta * (p - q))


def right_price_compared_by_itself(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    optimizer.zero_grad()
    with torch.no_grad():
        kl = _log_probs(policy, ids, mask) - _log_probs(reference, ids, mask)
    advantages = _others(rewards, group_size) - beta * _others(kl, group_size)
    loss = -(advantages * _log_probs(policy, ids, mask)).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


def right_token_by_token(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_p, log_q = (m(ids).logits.log_softmax(-1) for m in (policy, reference))
    earned, sums = rewards.clone(), []
    for b, row in enumerate(ids):
        places = [t for t in range(1, len(row)) if mask[b, t]]
        sums.append(sum(log_p[b, t - 1, row[t]] for t in places))
        for t in places:
            earned[b] -= beta * (log_p[b, t - 1, row[t]] - log_q[b, t - 1, row[t]]).item()
    loss = -(_others(earned, group_size) * torch.stack(sums)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


wrong_drift_rewarded = _with(lambda r, p, q, beta, mask: r - beta * (q - p))
wrong_free = _with(lambda r, p, q, beta, mask: r)
wrong_not_detached = _with(lambda r, p, q, beta, mask: r - beta * (p - q), detached=False)
wrong_k3_of_texts = _with(lambda r, p, q, beta, mask: r - beta * ((q - p).exp() - 1 + p - q))
wrong_k2_of_texts = _with(lambda r, p, q, beta, mask: r - beta * (p - q).square() / 2)
wrong_mean_over_tokens = _with(lambda r, p, q, beta, mask: r - beta * (p - q) / mask.sum(1))


def wrong_after_the_baseline(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_p = _log_probs(policy, ids, mask)
    kl = (log_p - _log_probs(reference, ids, mask)).detach()
    loss = -((_others(rewards, group_size) - beta * kl) * log_p).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def wrong_not_zeroed(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_p = _log_probs(policy, ids, mask)
    with torch.no_grad():
        earned = rewards - beta * (log_p - _log_probs(reference, ids, mask))
    loss = -(_others(earned, group_size) * log_p).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


def wrong_in_the_loss(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_p = _log_probs(policy, ids, mask)
    with torch.no_grad():
        log_q = _log_probs(reference, ids, mask)
    loss = -(_others(rewards, group_size) * log_p).mean() + beta * (log_p - log_q).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def wrong_without_beta(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    return right_price_compared_by_itself(policy, reference, optimizer, ids, mask, rewards, 1.0, group_size)


def wrong_own_included(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_p = _log_probs(policy, ids, mask)
    with torch.no_grad():
        groups = (rewards - beta * (log_p - _log_probs(reference, ids, mask))).view(-1, group_size)
    loss = -((groups - groups.mean(1, keepdim=True)).view(-1) * log_p).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def wrong_summed(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_p = _log_probs(policy, ids, mask)
    with torch.no_grad():
        earned = rewards - beta * (log_p - _log_probs(reference, ids, mask))
    loss = -(_others(earned, group_size) @ log_p)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def wrong_unmoved(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    log_p = _log_probs(policy, ids, mask)
    with torch.no_grad():
        earned = rewards - beta * (log_p - _log_probs(reference, ids, mask))
    loss = -(_others(earned, group_size) * log_p).mean()
    loss.backward()
    optimizer.zero_grad()  # before the step, not before backward
    optimizer.step()
    return loss.detach()


def wrong_not_shifted(policy, reference, optimizer, ids, mask, rewards, beta, group_size):
    def of_texts(model):
        losses = F.cross_entropy(model(ids).logits.transpose(1, 2), ids, reduction="none")
        return -(losses * mask).sum(1)

    log_p = of_texts(policy)
    with torch.no_grad():
        earned = rewards - beta * (log_p - of_texts(reference))
    loss = -(_others(earned, group_size) * log_p).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()
