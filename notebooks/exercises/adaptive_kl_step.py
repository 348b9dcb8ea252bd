"""Exercise of notebook 07: a price that follows the drift."""

from rlhf_lab.exercises.drawing import size
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def adaptive_kl_step(
    coefficient: float, kl: float, target: float, samples: int, horizon: float, clip: float = 0.2
) -> float:
    """The KL coefficient after a step of training (Ziegler et al. 2019, section 2.2).

    kl: measured in this step, target: wanted, both in nats a completion. samples: completions in this step. horizon:
    completions over which the coefficient changes by a factor of about e^clip at most. clip: the largest relative
    error, up or down, that is acted upon.
    """
    error = kl / target - 1  # relative: 0.5 is half as much again as wanted
    error = max(-clip, min(clip, error))
    return coefficient * (1 + error * samples / horizon)


def cases():
    yield Case("a little too far", (0.1, 6.6, 6.0, 100, 1000.0, 0.2))
    yield Case("much too far", (0.1, 18.0, 6.0, 100, 1000.0, 0.2))
    yield Case("no drift at all", (0.1, 0.0, 6.0, 100, 1000.0, 0.2))
    yield Case("too near, and another clip", (0.5, 1.2, 2.0, 64, 256.0, 0.5))
    yield Case("just right", (0.05, 6.0, 6.0, 64, 10_000.0, 0.2))


def draw(generator):
    target = size(generator, 2, 12) / 2
    kl = target * size(generator, 4, 18) / 10  # from 0.4 to 1.8 of it
    clip = size(generator, 1, 6) / 10
    return size(generator, 1, 50) / 100, kl, target, size(generator, 8, 128), 64.0 * size(generator, 2, 40), clip


def _step(coefficient, error, share):
    return coefficient * (1 + error * share)


def _clipped(error, clip):
    return max(-clip, min(clip, error))


@mistake(
    "You did not clip the error.",
    "The first batches may be far from the target, in either direction. Without the clip, one of them could move"
    " the price by any factor, even below zero.",
)
def unclipped(coefficient, kl, target, samples, horizon, clip=0.2):
    return _step(coefficient, kl / target - 1, samples / horizon)


@mistake(
    "The price goes the wrong way.", "Too far from the reference: drifting must become more expensive, not cheaper."
)
def wrong_way(coefficient, kl, target, samples, horizon, clip=0.2):
    return _step(coefficient, -_clipped(kl / target - 1, clip), samples / horizon)


@mistake(
    "You divided by the factor.",
    "Too far from the reference: the factor is above 1, and the price must rise. Multiply the old price by it.",
)
def divided(coefficient, kl, target, samples, horizon, clip=0.2):
    return coefficient / (1 + _clipped(kl / target - 1, clip) * samples / horizon)


@mistake("Your error is in nats, not relative.", "One nat too many is much for a target of 1 and little for one of 20.")
def in_nats(coefficient, kl, target, samples, horizon, clip=0.2):
    return _step(coefficient, _clipped(kl - target, clip), samples / horizon)


@mistake("Your error is relative to the measured KL.", "Relative to the target: the measured KL may be near zero.")
def relative_to_measured(coefficient, kl, target, samples, horizon, clip=0.2):
    return _step(coefficient, _clipped(1 - target / kl if kl else -clip, clip), samples / horizon)


@mistake("You clipped above only.", "A run that has not moved yet has an error of -1. It, too, is clipped.")
def clipped_above_only(coefficient, kl, target, samples, horizon, clip=0.2):
    return _step(coefficient, min(clip, kl / target - 1), samples / horizon)


@mistake(
    "You left out samples / horizon.",
    "A step of few completions says little and must change little: the price moves with the number of"
    " completions seen.",
)
def every_step_alike(coefficient, kl, target, samples, horizon, clip=0.2):
    return _step(coefficient, _clipped(kl / target - 1, clip), 1.0)


@mistake("You divided horizon by samples.", "It is the share of the horizon that this step is: samples / horizon.")
def upside_down(coefficient, kl, target, samples, horizon, clip=0.2):
    return _step(coefficient, _clipped(kl / target - 1, clip), horizon / samples)


@mistake(
    "You added to the price instead of multiplying it.",
    "A price of 0.01 and one of 1 need steps of their own size. A factor also keeps it above zero.",
)
def added(coefficient, kl, target, samples, horizon, clip=0.2):
    return coefficient + _clipped(kl / target - 1, clip) * samples / horizon


@mistake("You returned the factor.", "The new coefficient is wanted: the old one times the factor.")
def factor_only(coefficient, kl, target, samples, horizon, clip=0.2):
    return _step(1.0, _clipped(kl / target - 1, clip), samples / horizon)


@mistake("You forgot the minus one.", "The error is 0 where the KL is on target: kl / target - 1.")
def no_minus_one(coefficient, kl, target, samples, horizon, clip=0.2):
    return _step(coefficient, _clipped(kl / target, clip), samples / horizon)


@mistake("You clipped by 0.2, whatever was asked for.", "The clip is a parameter; 0.2 is what it is by default.")
def fixed_clip(coefficient, kl, target, samples, horizon, clip=0.2):
    return _step(coefficient, _clipped(kl / target - 1, 0.2), samples / horizon)


EXERCISE = Exercise(
    reference=adaptive_kl_step,
    title="a price that follows the drift",
    question="""
        Nobody knows beforehand which $\\beta$ gives a divergence of, say, six nats. Ziegler et al. 2019 let it follow:
        after each step, with $K$ the measured KL and $n$ completions in the step,

        $$e = \\mathrm{clip}\\left(\\frac{K}{K_\\text{target}} - 1,\\ -0.2,\\ 0.2\\right), \\qquad
        \\beta \\leftarrow \\beta \\left(1 + e\\, \\frac{n}{\\text{horizon}}\\right).$$
    """,
    difficulty=1,
    minutes=5,
    hints=(
        "Three steps: the relative error, clipped on both sides, and then a factor for the coefficient.",
        "`max(-clip, min(clip, kl / target - 1))` is the error. One step acts on it in the share `samples / horizon`.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        unclipped,
        wrong_way,
        divided,
        in_nats,
        relative_to_measured,
        clipped_above_only,
        every_step_alike,
        upside_down,
        added,
        factor_only,
        no_minus_one,
        fixed_clip,
    ),
)
