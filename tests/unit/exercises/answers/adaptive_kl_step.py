import math

import torch


def right_numpy_like(coefficient, kl, target, samples, horizon, clip=0.2):
    error = torch.tensor((kl - target) / target).clamp(-clip, clip)
    return coefficient + coefficient * error * samples / horizon


def right_ifs(coefficient, kl, target, samples, horizon, clip=0.2):
    if kl > (1 + clip) * target:
        error = clip
    elif kl < (1 - clip) * target:
        error = -clip
    else:
        error = (kl - target) / target
    return coefficient * (1 + error / horizon * samples)


def right_ratio_clipped(coefficient, kl, target, samples, horizon, clip=0.2):
    ratio = min(max(kl / target, 1 - clip), 1 + clip)
    return coefficient * (1 + (ratio - 1) * (samples / horizon))


def right_sorted(coefficient, kl, target, samples, horizon, clip=0.2):
    error = sorted([-clip, kl / target - 1.0, clip])[1]
    return math.fsum([coefficient, coefficient * error * samples / horizon])


def wrong_unclipped(coefficient, kl, target, samples, horizon, clip=0.2):
    return coefficient * (1 + (kl - target) / target * samples / horizon)


def wrong_wrong_way(coefficient, kl, target, samples, horizon, clip=0.2):
    error = max(-clip, min(clip, 1 - kl / target))
    return coefficient * (1 + error * samples / horizon)


def wrong_in_nats(coefficient, kl, target, samples, horizon, clip=0.2):
    return coefficient * (1 + max(-clip, min(clip, kl - target)) * samples / horizon)


def wrong_clipped_above_only(coefficient, kl, target, samples, horizon, clip=0.2):
    return coefficient * (1 + min(kl / target - 1, clip) * samples / horizon)


def wrong_every_step_alike(coefficient, kl, target, samples, horizon, clip=0.2):
    return coefficient * (1 + max(-clip, min(clip, kl / target - 1)))


def wrong_added(coefficient, kl, target, samples, horizon, clip=0.2):
    return coefficient + max(-clip, min(clip, kl / target - 1)) * samples / horizon


def wrong_fixed_clip(coefficient, kl, target, samples, horizon, clip=0.2):
    return coefficient * (1 + max(-0.2, min(0.2, kl / target - 1)) * samples / horizon)


def wrong_divided(coefficient, kl, target, samples, horizon, clip=0.2):
    factor = 1 + max(-clip, min(clip, kl / target - 1)) * samples / horizon
    return coefficient / factor
