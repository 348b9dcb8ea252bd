import torch


def right_by_definition(rewards, values, mask, gamma, lam):
    answer = torch.zeros_like(rewards)
    for b in range(len(rewards)):
        n = int(mask[b].sum())
        v = [*values[b, :n].tolist(), 0.0]
        delta = [float(rewards[b, t]) + gamma * v[t + 1] - v[t] for t in range(n)]
        for t in range(n):
            answer[b, t] = sum((gamma * lam) ** (s - t) * delta[s] for s in range(t, n))
    return answer


def right_matrix_in_float64(rewards, values, mask, gamma, lam):
    r, v = (torch.where(mask, x, 0.0).double() for x in (rewards, values))
    delta = r + gamma * torch.nn.functional.pad(v[:, 1:], (0, 1)) - v
    t = torch.arange(r.shape[1])
    powers = torch.where(t[None] >= t[:, None], (gamma * lam) ** (t[None] - t[:, None]).clamp(min=0).double(), 0.0)
    return torch.einsum("bs,ts->bt", delta, powers) * mask


def right_recursive(rewards, values, mask, gamma, lam):
    def from_step(t):
        if t == rewards.shape[1]:
            return [torch.zeros(len(rewards), dtype=rewards.dtype)]
        later = from_step(t + 1)
        real = mask[:, t]
        following = values[:, t + 1].where(mask[:, t + 1], 0.0) if t + 1 < rewards.shape[1] else 0.0
        now = rewards[:, t] + gamma * following - values[:, t] + gamma * lam * later[0]
        return [now.where(real, 0.0), *later]

    return torch.stack(from_step(0)[:-1], 1)


def spoils_in_place(rewards, values, mask, gamma, lam):
    rewards[~mask] = 0
    values[~mask] = 0
    rewards -= values
    rewards[:, :-1] += gamma * values[:, 1:]
    for t in range(rewards.shape[1] - 2, -1, -1):
        rewards[:, t] += gamma * lam * rewards[:, t + 1]
    return rewards


def _backwards(delta, factor):
    for t in range(delta.shape[1] - 2, -1, -1):
        delta[:, t] += factor * delta[:, t + 1]
    return delta


def _pad(v):
    return torch.nn.functional.pad(v[:, 1:], (0, 1))


def wrong_padding_counted(rewards, values, mask, gamma, lam):
    return _backwards(rewards + gamma * _pad(values) - values, gamma * lam) * mask


def wrong_no_lambda(rewards, values, mask, gamma, lam):
    r, v = rewards * mask, values * mask
    return _backwards(r + gamma * _pad(v) - v, gamma)


def wrong_no_gamma_on_value(rewards, values, mask, gamma, lam):
    r, v = rewards * mask, values * mask
    return _backwards(r + _pad(v) - v, gamma * lam)


def wrong_no_gamma_on_advantage(rewards, values, mask, gamma, lam):
    r, v = rewards * mask, values * mask
    return _backwards(r + gamma * _pad(v) - v, lam)


def wrong_returns(rewards, values, mask, gamma, lam):
    r, v = rewards * mask, values * mask
    return _backwards(r + gamma * _pad(v) - v, gamma * lam) + v


def wrong_no_bootstrap(rewards, values, mask, gamma, lam):
    return _backwards((rewards - values) * mask, gamma * lam)


def wrong_only_deltas(rewards, values, mask, gamma, lam):
    r, v = rewards * mask, values * mask
    return r + gamma * _pad(v) - v


def wrong_rolled(rewards, values, mask, gamma, lam):
    r, v = rewards * mask, values * mask
    return _backwards(r + gamma * torch.roll(v, -1, dims=1) - v, gamma * lam) * mask


def wrong_last_value_twice(rewards, values, mask, gamma, lam):
    r, v = rewards * mask, values * mask
    return _backwards(r + gamma * v[:, [*range(1, v.shape[1]), -1]] - v, gamma * lam)


def wrong_forwards_into_padding(rewards, values, mask, gamma, lam):
    r, v = rewards * mask, values * mask
    advantages = r + gamma * _pad(v) - v
    for t in range(1, v.shape[1]):
        advantages[:, t] += gamma * lam * advantages[:, t - 1]
    return advantages
