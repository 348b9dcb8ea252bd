import pytest

from rlhf_lab.plots import new_figure
from rlhf_lab.widgets import explore


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn, call by call."""
    calls = []
    handle = type("Handle", (), {"update": calls.append})()
    monkeypatch.setattr("rlhf_lab.widgets.sliders.display", lambda *_, **__: handle)
    return calls


def test_a_moved_slider_draws_again_with_all_values(drawn):
    seen = []

    def draw(**values):
        seen.append(values)
        return new_figure()[0]

    panel = explore(draw, clip=(0.0, 1.0, 0.2), group_size=(1, 8, 4))
    assert seen == [{"clip": 0.2, "group_size": 4}]
    panel.sliders["group_size"].value = 6
    assert seen[-1] == {"clip": 0.2, "group_size": 6} and len(drawn) == 1


def test_a_page_without_a_kernel_says_what_stands_there(drawn):
    panel = explore(lambda **_: new_figure()[0], kl_coefficient=(0.0, 1.0, 0.5))
    words = "[In JupyterLab, sliders stand here: kl coefficient from 0 to 1.]"
    assert repr(panel) == words
    bundle = panel._repr_mimebundle_()
    assert (bundle[0] if isinstance(bundle, tuple) else bundle)["text/plain"] == words


def test_a_start_outside_of_the_range_is_refused(drawn):
    with pytest.raises(ValueError, match="cannot start at 3"):
        explore(lambda **_: new_figure()[0], beta=(0.0, 1.0, 3.0))
