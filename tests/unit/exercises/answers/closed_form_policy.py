import torch


def right_log_softmax(reference_logits, rewards, beta):
    return torch.log_softmax(reference_logits + rewards / beta, dim=-1)


def right_by_hand(reference_logits, rewards, beta):
    logits = reference_logits + rewards / beta
    logits = logits - logits.max(-1, keepdim=True).values
    return logits - logits.exp().sum(-1, keepdim=True).log()


def right_loops(reference_logits, rewards, beta):
    rows = [logits + r / beta for logits, r in zip(reference_logits, rewards, strict=True)]
    return torch.stack([row - torch.logsumexp(row, 0) for row in rows])


def right_normalised_first(reference_logits, rewards, beta):
    log_reference = reference_logits.double().log_softmax(1)
    log_z = torch.logsumexp(log_reference + rewards.double() / beta, 1)
    return log_reference + rewards.double() / beta - log_z[:, None]


def wrong_multiplied(reference_logits, rewards, beta):
    return torch.log_softmax(reference_logits + beta * rewards, -1)


def wrong_no_reference(reference_logits, rewards, beta):
    return torch.log_softmax(rewards / beta, -1)


def wrong_all_divided(reference_logits, rewards, beta):
    return torch.log_softmax((reference_logits + rewards) / beta, 1)


def wrong_probabilities(reference_logits, rewards, beta):
    return torch.softmax(reference_logits + rewards / beta, -1)


def wrong_not_normalised(reference_logits, rewards, beta):
    return rewards / beta + reference_logits


def wrong_over_prompts(reference_logits, rewards, beta):
    return torch.log_softmax(reference_logits + rewards / beta, 0)


def wrong_overflow(reference_logits, rewards, beta):
    unnormalised = torch.softmax(reference_logits, -1) * (rewards / beta).exp()
    return unnormalised.log() - unnormalised.sum(-1, keepdim=True).log()


def wrong_wrong_sign(reference_logits, rewards, beta):
    logits = reference_logits - rewards / beta
    return logits - logits.logsumexp(-1, keepdim=True)
