import torch
import torch.nn.functional as F


def _log_probs(policy, ids, mask):
    logits = policy(ids).logits
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return torch.where(mask[:, 1:], -losses, torch.zeros(())).sum(1)


def _others(rewards, group_size):
    groups = rewards.view(-1, group_size)
    return ((groups - groups.mean(1, keepdim=True)) * group_size / (group_size - 1)).view(-1)


def right_cross_entropy(policy, optimizer, ids, mask, rewards, group_size):
    optimizer.zero_grad()
    loss = -(_others(rewards, group_size) @ _log_probs(policy, ids, mask)) / len(ids)
    loss.backward()
    optimizer.step()
    return loss.detach()


def right_loops(policy, optimizer, ids, mask, rewards, group_size):
    log_p = policy(ids).logits.log_softmax(-1)
    total = 0.0
    for b in range(len(ids)):
        first = b // group_size * group_size
        others = [rewards[j] for j in range(first, first + group_size) if j != b]
        advantage = rewards[b] - sum(others) / len(others)
        for t in range(1, ids.shape[1]):
            if mask[b, t]:
                total = total - advantage * log_p[b, t - 1, ids[b, t]]
    loss = total / len(ids)
    policy.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def right_text_by_text(policy, optimizer, ids, mask, rewards, group_size):
    optimizer.zero_grad()
    total = torch.zeros(())
    for i, advantage in enumerate(_others(rewards, group_size)):
        loss = -advantage * _log_probs(policy, ids[i : i + 1], mask[i : i + 1]).sum() / len(ids)
        loss.backward()
        total += loss.detach()
    optimizer.step()
    return total


def _with(loss_of):
    def answer(policy, optimizer, ids, mask, rewards, group_size):
        loss = loss_of(policy, ids, mask, rewards, group_size)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return answer


def wrong_not_zeroed(policy, optimizer, ids, mask, rewards, group_size):
    loss = -(_others(rewards, group_size) * _log_probs(policy, ids, mask)).mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


def wrong_step_before_backward(policy, optimizer, ids, mask, rewards, group_size):
    loss = -(_others(rewards, group_size) * _log_probs(policy, ids, mask)).mean()
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.detach()


wrong_wrong_sign = _with(lambda p, ids, mask, r, k: (_others(r, k) * _log_probs(p, ids, mask)).mean())
wrong_all_tokens = _with(lambda p, ids, mask, r, k: -(_others(r, k) * _log_probs(p, ids, mask | True)).mean())
wrong_no_baseline = _with(lambda p, ids, mask, r, k: -(r * _log_probs(p, ids, mask)).mean())
wrong_over_the_batch = _with(lambda p, ids, mask, r, k: -((r - r.mean()) * _log_probs(p, ids, mask)).mean())
wrong_own_included = _with(
    lambda p, ids, mask, r, k: -(torch.cat([g - g.mean() for g in r.split(k)]) * _log_probs(p, ids, mask)).mean()
)
wrong_summed = _with(lambda p, ids, mask, r, k: -(_others(r, k) * _log_probs(p, ids, mask)).sum())
wrong_mean_over_tokens = _with(
    lambda p, ids, mask, r, k: -(_others(r, k) * _log_probs(p, ids, mask) / mask.sum(1)).mean()
)
wrong_no_logarithm = _with(lambda p, ids, mask, r, k: -(_others(r, k) * _log_probs(p, ids, mask).exp()).mean())
wrong_mask_not_shifted = _with(lambda p, ids, mask, r, k: -(_others(r, k) * _log_probs(p, ids, mask.roll(1, 1))).mean())


def wrong_unmoved(policy, optimizer, ids, mask, rewards, group_size):
    loss = -(_others(rewards, group_size) * _log_probs(policy, ids, mask)).mean()
    loss.backward()
    optimizer.zero_grad()  # before the step, not before backward
    optimizer.step()
    return loss.detach()


@_with
def wrong_mean_over_all_tokens(policy, ids, mask, rewards, group_size):
    return -(_others(rewards, group_size) @ _log_probs(policy, ids, mask)) / mask[:, 1:].sum()


@_with
def wrong_whitened(policy, ids, mask, rewards, group_size):
    groups = rewards.view(-1, group_size)
    deviations, means = torch.std_mean(groups, 1, keepdim=True)
    return -(((groups - means) / deviations).view(-1) * _log_probs(policy, ids, mask)).mean()


@_with
def wrong_raw_logits(policy, ids, mask, rewards, group_size):
    logits = torch.take_along_dim(policy(ids).logits[:, :-1], ids[:, 1:, None], 2)[..., 0]
    return -(_others(rewards, group_size) * torch.where(mask[:, 1:], logits, 0.0).sum(1)).mean()
