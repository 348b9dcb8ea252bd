import pytest

from rlhf_lab.plots import new_figure
from rlhf_lab.widgets import explore
from rlhf_lab.widgets.sliders import Sliders


class Page:
    """What was displayed, in order, and what the figure was replaced by."""

    def __init__(self):
        self.shown, self.updates = [], []

    def display(self, content, **_):
        self.shown.append(content)
        return self

    def update(self, content, **_):
        self.updates.append(content)


@pytest.fixture
def page(monkeypatch):
    page = Page()
    monkeypatch.setattr("rlhf_lab.widgets.sliders.display", page.display)
    return page


def test_a_moved_slider_draws_again_with_all_values(page):
    seen = []

    def draw(**values):
        seen.append(values)
        return new_figure()[0]

    assert explore(draw, clip=(0.0, 1.0, 0.2), group_size=(1, 8, 4)) is None  # or a notebook would show it twice
    panel, _ = page.shown
    assert seen == [{"clip": 0.2, "group_size": 4}] and isinstance(panel, Sliders)
    panel.sliders["group_size"].value = 6
    assert seen[-1] == {"clip": 0.2, "group_size": 6} and len(page.updates) == 1


def test_what_cannot_be_drawn_is_said_in_the_place_of_the_figure(page):
    def draw(share):
        if share > 0.5:
            raise ValueError("no such share")
        return new_figure()[0]

    explore(draw, share=(0.0, 1.0, 0.1))
    page.shown[0].sliders["share"].value = 0.9
    assert "ValueError: no such share" in page.updates[-1]["text/plain"]
    page.shown[0].sliders["share"].value = 0.2
    assert not isinstance(page.updates[-1], dict)


def test_a_page_without_a_kernel_says_what_stands_there(page):
    explore(lambda **_: new_figure()[0], kl_coefficient=(0.0, 1.0, 0.5))
    words = "[In JupyterLab, sliders are here: kl coefficient from 0 to 1.]"
    panel = page.shown[0]
    assert repr(panel) == words
    bundle = panel._repr_mimebundle_()
    assert (bundle[0] if isinstance(bundle, tuple) else bundle)["text/plain"] == words


def test_a_start_outside_of_the_range_is_refused(page):
    with pytest.raises(ValueError, match="cannot start at 3"):
        explore(lambda **_: new_figure()[0], beta=(0.0, 1.0, 3.0))
