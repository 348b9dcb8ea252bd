import torch


def right_autograd(logits, rewards):
    theta = logits.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        expected = torch.softmax(theta, 0) @ rewards
        return torch.autograd.grad(expected, theta)[0]


def right_jacobian(logits, rewards):
    policy = torch.softmax(logits, 0)
    return (torch.diag(policy) - torch.outer(policy, policy)) @ rewards


def right_loops_in_float64(logits, rewards):
    exponentials = (logits - logits.max()).double().exp()
    policy = exponentials / exponentials.sum()
    answer = torch.zeros_like(policy)
    for a in range(len(policy)):
        for b in range(len(policy)):
            answer[a] += policy[b] * (float(a == b) - policy[a]) * rewards[b]
    return answer


def right_differences(logits, rewards):
    policy = torch.softmax(logits, 0)
    return (policy[:, None] * policy * (rewards[:, None] - rewards)).sum(1)


def spoils_in_place(logits, rewards):
    policy = logits.softmax(0)
    rewards -= policy @ rewards
    rewards *= policy
    return rewards


def _policy(logits):
    return torch.exp(logits - torch.logsumexp(logits, 0))


def wrong_no_average(logits, rewards):
    return torch.diag(_policy(logits)) @ rewards


def wrong_no_probability(logits, rewards):
    return rewards - torch.dot(_policy(logits), rewards)


def wrong_plain_mean(logits, rewards):
    return _policy(logits) * rewards - _policy(logits) * rewards.sum() / len(rewards)


def wrong_only_the_diagonal(logits, rewards):
    policy = _policy(logits)
    return (policy - policy**2) * rewards


def wrong_wrong_sign(logits, rewards):
    return -right_jacobian(logits, rewards)


def wrong_by_the_probabilities(logits, rewards):
    return torch.stack([reward for reward in rewards])


def wrong_the_expectation(logits, rewards):
    return _policy(logits) @ rewards
