import torch
import torch.nn.functional as F


def _of(policy, ids):
    return -F.cross_entropy(policy(ids).logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")


def right_with_cross_entropy(policy, optimizer, ids, mask, advantages, minibatches, clip):
    old = _of(policy, ids).detach()
    losses = torch.zeros(len(minibatches))
    for i, rows in enumerate(minibatches):
        ratio = torch.exp(_of(policy, ids[rows]) - old[rows])
        a = advantages[rows][:, 1:]
        loss = torch.maximum(-a * ratio, -a * torch.clamp(ratio, 1 - clip, 1 + clip))
        weights = mask[rows][:, 1:].float()
        loss = (loss * weights).sum() / weights.sum()
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
        losses[i] = loss.item()
    return losses


def right_flat_tokens(policy, optimizer, ids, mask, advantages, minibatches, clip):
    with torch.no_grad():
        old = policy(ids).logits.log_softmax(-1)
    losses = []
    for rows in minibatches.tolist():
        row, column = mask[rows].nonzero(as_tuple=True)
        tokens = ids[rows][row, column]
        new = policy(ids[rows]).logits.log_softmax(-1)[row, column - 1, tokens]
        ratio = (new - old[rows][row, column - 1, tokens]).exp()
        a = advantages[rows][row, column]
        bounded = torch.where(a > 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip))
        loss = -(bounded * a).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def right_all_rows_computed_and_then_picked(policy, optimizer, ids, mask, advantages, minibatches, clip):
    losses, old = [], None
    for rows in minibatches:
        new = _of(policy, ids)
        old = new.detach() if old is None else old
        ratio = (new - old)[rows].exp()
        a, real = advantages[rows, 1:], mask[rows, 1:]
        loss = -torch.min(ratio * a, ratio.clip(1 - clip, 1 + clip) * a)[real].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def _run(inputs, old_each_time=False, zero=True, order="zbs", select=True, masked=True, clipped=True, sign=-1.0):
    policy, optimizer, ids, mask, advantages, minibatches, clip = inputs
    old, losses = _of(policy, ids).detach(), []
    for rows in minibatches:
        rows = rows if select else torch.arange(len(ids))
        new = _of(policy, ids[rows])
        ratio = (new - (new.detach() if old_each_time else old[rows])).exp()
        a, real = advantages[rows, 1:], mask[rows, 1:]
        loss = torch.min(ratio * a, ratio.clip(1 - clip, 1 + clip) * a) if clipped else ratio * a
        loss = sign * (loss[real] if masked else loss).mean()
        for letter in order:
            {"z": optimizer.zero_grad, "b": loss.backward, "s": optimizer.step}[letter]()
        losses.append(loss.detach())
    return torch.stack(losses)


def wrong_old_taken_anew(*inputs):
    return _run(inputs, old_each_time=True)


def wrong_not_zeroed(*inputs):
    return _run(inputs, order="bs")


def wrong_nothing_moves(*inputs):
    return _run(inputs, order="zsb")


def wrong_step_before_backward(*inputs):
    return _run(inputs, order="szb")


def wrong_all_rows(*inputs):
    return _run(inputs, select=False)


def wrong_padding_counted(*inputs):
    return _run(inputs, masked=False)


def wrong_not_clipped(*inputs):
    return _run(inputs, clipped=False)


def wrong_wrong_sign(*inputs):
    return _run(inputs, sign=1.0)


def _own(inputs, raw=False, first=1):
    policy, optimizer, ids, mask, advantages, minibatches, clip = inputs

    def look():
        logits = policy(ids).logits
        return torch.stack(
            [
                (logits if raw else logits.log_softmax(2))[:, t - 1].gather(1, ids[:, t : t + 1])[:, 0]
                for t in range(1, ids.shape[1])
            ],
            1,
        )

    old, losses = look().detach(), []
    end = ids.shape[1] + first - 1
    for rows in minibatches:
        ratio = torch.exp(look() - old)[rows]
        a, real = advantages[rows, first:end], mask[rows, first:end]
        losses.append(torch.max(-ratio * a, -ratio.clip(1 - clip, 1 + clip) * a)[real].mean())
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    return torch.stack(losses).detach()


def wrong_raw_logits(*inputs):
    return _own(inputs, raw=True)


def wrong_mask_shifted(*inputs):
    return _own(inputs, first=0)


def wrong_whitened_again(policy, optimizer, ids, mask, advantages, minibatches, clip):
    old, losses = _of(policy, ids).detach(), []
    for rows in minibatches:
        real = mask[rows, 1:]
        a, ratio = advantages[rows, 1:][real], (_of(policy, ids[rows]) - old[rows])[real].exp()
        a = (a - a.mean()) / (a.std() + 1e-8)
        loss = -torch.min(ratio * a, ratio.clip(1 - clip, 1 + clip) * a).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)
