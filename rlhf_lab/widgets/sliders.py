"""Sliders that move a figure: the parameters of a function that draws, turned by hand.

The first drawing is on the page, also where no kernel runs (on GitHub, in print). In JupyterLab the sliders above
it draw it again, from whatever tensors the function has at hand.
"""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
from IPython.display import display
from matplotlib.figure import Figure

Range = tuple[float, float, float]  # lowest, highest, where it is at first


class Sliders(widgets.VBox):
    """A slider for each parameter, one below the other; as plain text they say what they are."""

    def __init__(self, ranges: dict[str, Range]):
        self.sliders = {name: _slider(name, *limits) for name, limits in ranges.items()}
        super().__init__(list(self.sliders.values()))

    @property
    def values(self) -> dict[str, float]:
        return {name: slider.value for name, slider in self.sliders.items()}

    def __repr__(self) -> str:
        parts = [f"{_words(name)} from {s.min:g} to {s.max:g}" for name, s in self.sliders.items()]
        return f"[In JupyterLab, sliders are here: {', '.join(parts)}.]"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = repr(self)
        return bundle


def explore(draw: Callable[..., Figure], **ranges: Range) -> None:
    """Show `draw(**values)` with a slider above for each of its parameters; drawn again whenever one is moved.

    draw: returns a figure that is not shown yet (`plots.new_figure` makes such); keep it under a tenth of a second.
    ranges: parameter -> (lowest, highest, at first). Three whole numbers make a slider of whole numbers.
    What `draw` reads besides should be bound to it: a name that a later cell gives to something else breaks it.
    Raises ValueError where a slider would start outside of its range.
    """
    panel = Sliders(ranges)
    display(panel)
    handle = display(draw(**panel.values), display_id=True)

    def redraw(_) -> None:
        try:
            handle.update(draw(**panel.values))
        except Exception as error:  # nobody would see it: what a slider sets off runs outside of any cell
            trouble = f"{type(error).__name__}: {error}"
            words = f"This could not be drawn ({trouble}). Run the cells above and this one again."
            handle.update({"text/plain": words}, raw=True)

    for slider in panel.sliders.values():
        slider.observe(redraw, names="value")


def _slider(name: str, low: float, high: float, start: float) -> widgets.Widget:
    if not low <= start <= high or low == high:
        raise ValueError(f"The slider {name!r} goes from {low:g} to {high:g} and cannot start at {start:g}.")
    whole = all(isinstance(number, int) for number in (low, high, start))
    kind = widgets.IntSlider if whole else widgets.FloatSlider
    step = {} if whole else {"step": (high - low) / 100}
    layout, style = widgets.Layout(width="32em"), {"description_width": "12em"}
    return kind(start, min=low, max=high, description=_words(name), layout=layout, style=style, **step)


def _words(name: str) -> str:
    return name.replace("_", " ")
