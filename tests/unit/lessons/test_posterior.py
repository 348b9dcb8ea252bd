"""The Bayesian Bradley-Terry model behind the first notebook: against numbers computed another way."""

import numpy as np
import pytest
from lessons.bayesian_preferences import PreferencePosterior, SparsePrior
from scipy.integrate import quad
from scipy.stats import norm

NAMES = ("tone", "length", "food")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_before_the_first_answer_it_believes_the_prior():
    mean, deviation = PreferencePosterior(NAMES).weights()
    assert mean == pytest.approx(0.0)
    assert (deviation > 0.5).all()


def test_one_aspect_agrees_with_numerical_integration():
    """With a single attribute and hypothesis the posterior is one-dimensional: integrate it by quadrature."""
    x, y = np.array([1.0, -0.5, 2.0, 0.3]), np.array([1.0, 0.0, 1.0, 0.0])
    posterior = PreferencePosterior(["tone"], SparsePrior(slab=1.0, sizes=(1.0,))).update(x[:, None], y)

    def density(w):
        p = sigmoid(w * x)
        return norm.pdf(w) * np.prod(np.where(y == 1, p, 1 - p))

    total = quad(density, -8, 8)[0]
    mean = quad(lambda w: w * density(w), -8, 8)[0] / total
    deviation = np.sqrt(quad(lambda w: (w - mean) ** 2 * density(w), -8, 8)[0] / total)
    ours = posterior.weights()
    assert ours[0][0] == pytest.approx(mean, abs=0.12)  # Laplace's approximation takes the mode for the mean
    assert ours[1][0] == pytest.approx(deviation, rel=0.1)


def test_the_mode_has_zero_gradient():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.integers(0, 2, 12).astype(float)
    posterior = PreferencePosterior(NAMES).update(x, y)
    for h in range(len(posterior.hypotheses)):
        w = posterior.mean[h]
        gradient = (y - sigmoid(x @ w)) @ x - (w - posterior.prior_mean) / posterior.prior_sd[h] ** 2
        assert np.abs(gradient).max() < 1e-6


def test_answers_that_go_by_one_aspect_single_it_out():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(16, 3))
    posterior = PreferencePosterior(NAMES).update(x, (x[:, 1] < 0).astype(float))
    assert posterior.matters().argmax() == 1 and posterior.matters()[1] > 0.9
    assert posterior.weights()[0][1] < -1.0


def test_swapping_every_pair_changes_nothing():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(9, 3)), rng.integers(0, 2, 9).astype(float)
    a = PreferencePosterior(NAMES).update(x, y).weights()
    b = PreferencePosterior(NAMES).update(-x, 1 - y).weights()
    assert a[0] == pytest.approx(b[0]) and a[1] == pytest.approx(b[1])


def test_ties_say_that_two_texts_are_about_equal():
    x = np.tile([[2.0, 0.0, 0.0]], (8, 1))
    mean, deviation = PreferencePosterior(NAMES).update(x, np.full(8, 0.5)).weights()
    assert abs(mean[0]) < 0.05 and deviation[0] < 0.6  # tone does not matter much, and that is now known


def test_what_everybody_wants_is_believed_without_an_answer():
    prior = SparsePrior(shared={"length": (-1.5, 0.5)})
    posterior = PreferencePosterior(NAMES, prior)
    assert posterior.weights()[0] == pytest.approx([0, -1.5, 0])
    assert posterior.matters()[1] == 1.0
    with pytest.raises(ValueError, match="loudness"):
        PreferencePosterior(NAMES, SparsePrior(shared={"loudness": (1, 1)}))


def test_bad_input_is_refused():
    posterior = PreferencePosterior(NAMES)
    with pytest.raises(ValueError, match=r"\(N, 3\)"):
        posterior.update(np.zeros((4, 2)), np.zeros(4))
    with pytest.raises(ValueError, match="NaN"):
        posterior.update(np.full((1, 3), np.nan), np.ones(1))


def test_extreme_differences_stay_finite():
    x = np.array([[1e3, 0, 0], [-1e3, 0, 0]])
    mean, deviation = PreferencePosterior(NAMES).update(x, np.array([1.0, 1.0])).weights()
    assert np.isfinite(mean).all() and np.isfinite(deviation).all()


def test_information_prefers_the_question_that_is_still_open():
    x = np.tile([[2.0, 0.0, 0.0]], (10, 1))
    posterior = PreferencePosterior(NAMES).update(x, np.ones(10))
    known, open_, empty = posterior.information(
        np.array([[2.0, 0, 0], [0, 2.0, 0], [0, 0, 0]]), np.random.default_rng(0), draws=4000
    )
    assert open_ > 1.3 * known > 0.01 and empty == pytest.approx(0.0, abs=1e-9)
    assert 0 <= open_ <= 1  # an answer is one bit at the most


def test_a_dozen_noisy_answers_find_the_direction():
    """Chosen questions find a taste better than random ones, over several tastes and seeds."""
    names = [f"attribute {k}" for k in range(10)]

    def alignment(chosen: bool, seed: int) -> float:
        rng = np.random.default_rng(seed)
        w = np.zeros(10)
        w[seed % 10] = 3.0 * (-1) ** seed
        pool = rng.normal(size=(200, 10)) * np.sqrt(2)
        posterior, asked, answers = PreferencePosterior(names), [], []
        for _ in range(12):
            gain = posterior.information(pool, rng) if chosen else rng.random(200)
            gain[asked] = -1
            asked.append(int(np.argmax(gain)))
            answers.append(float(rng.random() < sigmoid(pool[asked[-1]] @ w)))
            posterior.update(pool[asked], np.array(answers))
        mean, _ = posterior.weights()
        return mean @ w / np.linalg.norm(mean) / np.linalg.norm(w)

    chosen = np.array([alignment(True, seed) for seed in range(10)])
    random = np.array([alignment(False, seed) for seed in range(10)])
    assert np.median(chosen) > 0.95
    assert chosen.mean() > random.mean()
