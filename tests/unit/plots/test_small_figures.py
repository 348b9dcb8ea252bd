"""Figures that are shown small look the same and weigh less."""

import io

import numpy as np
import PIL.Image

from rlhf_lab import plots


def test_a_small_figure_is_a_picture_of_a_third_of_the_bytes(monkeypatch):
    displayed = []
    monkeypatch.setattr(plots, "display", displayed.append)
    figure, axes = plots.new_figure(columns=4, width=10)
    for axis in axes:
        axis.plot(np.sin(np.arange(50)), label="a line")
        axis.legend()
    plots.show(figure)
    plots.show(figure, small=True)
    assert displayed[0] is figure
    whole = io.BytesIO()
    figure.savefig(whole, format="png")
    assert 2 * len(displayed[1].data) < len(whole.getvalue())
    full, packed = (PIL.Image.open(io.BytesIO(x)).convert("RGB") for x in (whole.getvalue(), displayed[1].data))
    assert full.size == packed.size
    assert np.abs(np.asarray(full, float) - np.asarray(packed, float)).mean() < 2  # of 255
