"""One style for all figures, for what is drawn into them after they were made as well."""

import warnings

import matplotlib.pyplot as plt
from matplotlib.colors import to_hex

from rlhf_lab import plots
from rlhf_lab.plots import COLOURS, LiveChart, new_figure


def test_titles_legends_and_colours_follow_the_style():
    with plt.rc_context():
        plt.rcdefaults()
        _, axis = new_figure()
        (line,) = axis.plot([0, 1], label="a line", color="C1")
        axis.set_title("A title")
        assert axis.get_title(loc="left") == "A title"
        assert not axis.legend().get_frame_on()
        assert to_hex(line.get_color()) == COLOURS[1].lower()


def test_a_figure_is_shown_once():
    """It is taken out of pyplot's hands, which would draw it again at the end of the cell."""
    before = plt.get_fignums()
    new_figure()
    assert plt.get_fignums() == before


def test_a_live_chart_waits_quietly_for_what_is_measured_later(monkeypatch):
    """Some metrics come only every so many steps: the first drawings have nothing to put into their legend."""
    shown = []
    monkeypatch.setattr(plots, "display", lambda figure, **_: shown.append(figure))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with LiveChart({"share": ["texts", "sentences"]}) as chart:
            chart({"step": 1})
    assert shown
