import torch


def _best(rewards, n):
    return [i + int(rewards[i : i + n].argmax()) for i in range(0, len(rewards), n)]


def _log_probs(policy, ids):
    return policy(ids).logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None]).squeeze(2)


def _mean(policy, ids, mask):
    return -(_log_probs(policy, ids) * mask[:, 1:]).sum() / mask.sum()


def _with(loss_of):
    def answer(policy, optimizer, ids, mask, rewards, n):
        optimizer.zero_grad()
        loss = loss_of(policy, ids, mask, rewards, n)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return answer


def _kept(policy, ids, mask, rewards, n):
    return _mean(policy, ids[_best(rewards, n)], mask[_best(rewards, n)])


right_log_softmax = _with(_kept)


def right_from_all_texts(policy, optimizer, ids, mask, rewards, n):
    kept = torch.zeros_like(mask)
    kept[_best(rewards, n)] = True
    loss = _mean(policy, ids, mask & kept)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def right_one_by_one(policy, optimizer, ids, mask, rewards, n):
    rows = _best(rewards, n)
    tokens, total = mask[rows].sum(), 0.0
    optimizer.zero_grad()
    for row in rows:
        loss = -_log_probs(policy, ids[row : row + 1])[mask[row : row + 1, 1:]].sum() / tokens
        loss.backward()
        total += loss.detach()
    optimizer.step()
    return total


def wrong_not_zeroed(policy, optimizer, ids, mask, rewards, n):
    loss = _kept(policy, ids, mask, rewards, n)
    loss.backward()
    optimizer.step()
    return loss.detach()


def wrong_step_before_backward(policy, optimizer, ids, mask, rewards, n):
    loss = _kept(policy, ids, mask, rewards, n)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.detach()


wrong_worst = _with(lambda p, ids, mask, r, n: _kept(p, ids, mask, -r, n))
wrong_all_texts = _with(lambda p, ids, mask, r, n: _mean(p, ids, mask))
wrong_wrong_sign = _with(lambda *inputs: -_kept(*inputs))
wrong_all_tokens = _with(lambda p, ids, mask, r, n: -_log_probs(p, ids[_best(r, n)]).mean())
wrong_without_offset = _with(
    lambda p, ids, mask, r, n: _mean(p, ids[r.view(-1, n).max(1).indices], mask[r.view(-1, n).max(1).indices])
)
wrong_best_of_the_batch = _with(
    lambda p, ids, mask, r, n: _mean(
        p, ids[r.argsort(descending=True)[: len(r) // n]], mask[r.argsort(descending=True)[: len(r) // n]]
    )
)


wrong_mask_not_shifted = _with(
    lambda p, ids, mask, r, n: (
        -(_log_probs(p, ids[_best(r, n)]) * mask[_best(r, n), :-1]).sum() / mask[_best(r, n), :-1].sum()
    )
)


def wrong_no_step(policy, optimizer, ids, mask, rewards, n):
    optimizer.zero_grad()
    loss = _kept(policy, ids, mask, rewards, n)
    loss.backward()
    return loss.detach()
