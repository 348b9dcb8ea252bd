import torch


def right_autograd(logits, actions, rewards):
    theta = logits.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        surrogate = (rewards * theta.log_softmax(0)[actions]).mean()
        return torch.autograd.grad(surrogate, theta)[0]


def right_loops(logits, actions, rewards):
    policy = torch.softmax(logits, 0)
    answer = torch.zeros_like(policy)
    for action, reward in zip(actions.tolist(), rewards, strict=True):
        answer[action] += reward
        answer -= reward * policy
    return answer / len(actions)


def right_comparison_in_float64(logits, actions, rewards):
    pulled = actions[:, None] == torch.arange(len(logits))
    scores = pulled.double() - torch.softmax(logits.double(), 0)
    return torch.einsum("n,na->a", rewards.double(), scores) / len(rewards)


def right_identity_matrix(logits, actions, rewards):
    scores = torch.eye(len(logits), dtype=logits.dtype)[actions] - logits.softmax(0)
    return rewards @ scores / len(actions)


def right_scatter(logits, actions, rewards):
    collected = torch.zeros_like(logits).index_add_(0, actions, rewards)
    return (collected - logits.softmax(0) * rewards.sum()) / len(rewards)


def _scores(logits, actions):
    return torch.eye(len(logits), dtype=logits.dtype)[actions] - logits.softmax(0)


def wrong_only_one_hot(logits, actions, rewards):
    return torch.zeros_like(logits).index_add_(0, actions, rewards) / len(rewards)


def wrong_summed(logits, actions, rewards):
    return rewards @ _scores(logits, actions)


def wrong_wrong_sign(logits, actions, rewards):
    return -rewards @ _scores(logits, actions) / len(rewards)


def wrong_no_logarithm(logits, actions, rewards):
    theta = logits.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        return torch.autograd.grad((rewards * theta.softmax(0)[actions]).mean(), theta)[0]


def wrong_divided_by_probability(logits, actions, rewards):
    return (rewards / logits.softmax(0)[actions]) @ _scores(logits, actions) / len(rewards)


def wrong_no_rewards(logits, actions, rewards):
    return _scores(logits, actions).mean(0)


def wrong_with_baseline(logits, actions, rewards):
    return (rewards - rewards.sum() / len(rewards)) @ _scores(logits, actions) / len(rewards)
