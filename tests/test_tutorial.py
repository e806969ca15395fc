"""The tutorial: run again, cell by cell, and shipped with its outputs."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

reason = "no nbclient: pip install nbclient ipykernel"
nbclient = pytest.importorskip("nbclient", reason=reason)
nbformat = pytest.importorskip("nbformat", reason=reason)

TUTORIAL = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_every_cell_is_shipped_with_what_it_gave() -> None:
    cells = code(TUTORIAL)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.outputs for cell in cells)
    kinds = [output.output_type for cell in cells for output in cell.outputs]
    assert set(kinds) == {"stream", "display_data"}


def test_every_cell_runs_and_prints_what_does_not_depend_on_the_machine(
    mnist_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYDIGITS_DATA", str(mnist_folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    again = nbformat.from_dict(TUTORIAL)
    folder = {"metadata": {"path": str(ROOT / "docs")}}
    nbclient.NotebookClient(again, timeout=300, kernel_name="python3", resources=folder).execute()
    before, after = ([printed(cell) for cell in code(each)] for each in (TUTORIAL, again))
    # The digits, the net, the record, and the photograph: all but what was trained.
    for number in (0, 1, 5, 6):
        assert after[number] == before[number]
