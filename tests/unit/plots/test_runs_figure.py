"""Several runs in one figure: which line belongs to which run, and what was not recorded."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from rlhf_lab.plots import COLOURS, LiveChart, runs_figure, weights_figure

RUNS = {
    "plain": [{"step": step, "reward": step / 10, "kl": 2.0 * step} for step in range(1, 21)],
    "baseline": [{"step": step, "reward": step / 5, "gold": 1.0 if step % 10 == 0 else None} for step in range(1, 21)],
}


def drawn(axis):
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def test_a_panel_a_metric_and_a_line_a_run():
    figure = runs_figure(RUNS, {"reward of the proxy": "reward", "drift": "kl"})
    left, right = figure.axes
    assert (left.get_title("left"), right.get_title("left"), left.get_xlabel()) == (
        "reward of the proxy",
        "drift",
        "step",
    )
    assert list(drawn(left)) == ["plain", "baseline"] and list(drawn(right)) == ["plain"]
    assert drawn(left)["baseline"].get_ydata().tolist() == [step / 5 for step in range(1, 21)]
    assert not plt.get_fignums(), "the figure is shown when it is asked for, and not again at the end of a cell"


def test_a_run_keeps_its_colour_where_another_has_no_records():
    figure = runs_figure(RUNS, {"reward": "reward", "gold": "gold"})
    assert drawn(figure.axes[0])["baseline"].get_color() == drawn(figure.axes[1])["baseline"].get_color() == COLOURS[1]
    assert drawn(figure.axes[1])["baseline"].get_xdata().tolist() == [10, 20]


def test_every_run_is_in_the_legend_also_if_it_is_not_in_the_first_panel():
    figure = runs_figure(RUNS, {"kl": "kl", "reward": "reward"})
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["plain", "baseline"]


def test_another_axis():
    (axis,) = runs_figure({"plain": RUNS["plain"]}, {"reward": "reward"}, x="kl").axes
    assert axis.get_xlabel() == "kl" and drawn(axis)["plain"].get_xdata().tolist()[:2] == [2.0, 4.0]


def test_running_means():
    (axis,) = runs_figure({"plain": RUNS["plain"]}, {"reward": "reward"}, smooth=5).axes
    line = drawn(axis)["plain"]
    assert line.get_xdata()[0] == 5 and line.get_ydata()[0] == pytest.approx(0.3)
    assert len(axis.lines) == 2 and axis.lines[0].get_color() == axis.lines[1].get_color()


def test_a_metric_that_nobody_recorded():
    with pytest.raises(ValueError, match=r"'golden'.*Recorded are: gold, kl, reward, step"):
        runs_figure(RUNS, {"gold": "golden"})


def test_a_live_chart_draws_the_same_running_mean(monkeypatch):
    chart, shown = LiveChart({"reward": "reward"}, smooth=5), []
    monkeypatch.setattr("rlhf_lab.plots.display", lambda figure, **_: shown.append(figure))
    for record in RUNS["plain"]:
        chart.history.append(record)
    chart.finish()
    assert drawn(shown[0].axes[0])["reward"].get_ydata()[0] == pytest.approx(0.3)


NAMES = ["costs $5", "$", "a $ and a $", "$\\frac{$", "_hidden", "\\$ x $", "$$\\rule{9px}{9px}$$"]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_may_have_any_name(name):
    """It stands in the legend letter for letter: Matplotlib takes "$" for a formula, and leaves out "_..."."""
    runs = {name: RUNS["plain"], "baseline": RUNS["baseline"]}
    figure = runs_figure(runs, {"reward": "reward"})
    figure.draw_without_rendering()
    texts = figure.axes[0].get_legend().get_texts()
    shown = [text._preprocess_math(text.get_text()) for text in texts]  # (text, whether it is a formula)
    assert [(text.strip(), formula) for text, formula in shown] == [(name, False), ("baseline", False)]


def test_an_attribute_may_have_any_name():
    figure = weights_figure(NAMES, np.arange(7.0), np.ones(7), "weights")
    figure.draw_without_rendering()


def test_a_metric_may_have_any_name(monkeypatch):
    shown = []
    monkeypatch.setattr("rlhf_lab.plots.display", lambda figure, **_: shown.append(figure))
    with LiveChart({"share": ["$5", "$\\frac{$"]}) as chart:
        chart({"step": 1, "$5": 0.0, "$\\frac{$": 1.0})
    shown[0].draw_without_rendering()
