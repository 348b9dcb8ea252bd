"""Bad input gets one clear sentence: the table of the files `inputs_*.py` beside this one, row by row."""

import importlib
from pathlib import Path

import pytest
from hostile import ROWS

for file in sorted(Path(__file__).parent.glob("inputs_*.py")):
    importlib.import_module(file.stem)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_bad_input_gets_one_clear_sentence(row, tools):
    with pytest.raises(Exception) as caught:
        row.call(tools)
    said = str(caught.value)
    assert caught.type is row.error, f"{caught.type.__name__}: {said}"
    assert not (missing := [word for word in row.words if word not in said]), f"{missing} not in: {said}"
    assert len(said) < 700 and "Traceback" not in said, said
