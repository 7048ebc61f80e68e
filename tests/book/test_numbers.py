"""No number in the prose is typed by hand: each is the one that a chapter recorded."""

import base64
import io

import fill_numbers
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

# Needs nbclient, which comes with the book's tools and not with the package's.
execute_notebooks = pytest.importorskip("execute_notebooks")


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A book of one chapter that recorded 98.9 %, and whose prose says 12 %."""
    output = new_output("stream", name="stdout", text='record: {"score": "98.9 %"}\n')
    cells = [
        new_markdown_cell("It reads <!--=score-->12 %<!--/--> of all words."),
        new_code_cell("ct.record(score='98.9 %')", outputs=[output]),
    ]
    (tmp_path / "book").mkdir()
    path = tmp_path / "book" / "page.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    (tmp_path / "README.md").write_text("Reads <!--=page:score-->?<!--/-->.")
    monkeypatch.setattr(fill_numbers, "ROOT", tmp_path)
    fill_numbers.records.cache_clear()
    yield path
    fill_numbers.records.cache_clear()


def test_every_number_in_the_prose_is_the_recorded_one():
    assert fill_numbers.faults(check=True) == []


def test_a_number_typed_by_hand_is_found(chapter):
    faults = fill_numbers.faults(check=True)
    assert faults == [
        "README.md: page:score is '98.9 %', not '?'",
        "book/page.ipynb: score is '98.9 %', not '12 %'",
    ]
    assert "12 %" in chapter.read_text()  # checking changes nothing


def test_numbers_are_filled_in_here_and_elsewhere(chapter):
    fill_numbers.faults(check=False)
    prose = nbformat.read(chapter, as_version=4).cells[0].source
    assert prose == "It reads <!--=score-->98.9 %<!--/--> of all words."
    readme = chapter.parents[1] / "README.md"
    assert readme.read_text() == "Reads <!--=page:score-->98.9 %<!--/-->."
    assert fill_numbers.faults(check=True) == []


def test_a_name_that_nothing_records_is_told(chapter):
    readme = chapter.parents[1] / "README.md"
    readme.write_text("<!--=page:speed-->9<!--/--> <!--=none:score-->9<!--/-->")
    faults = fill_numbers.faults(check=False)
    assert "README.md: nothing records page:speed" in faults
    assert "README.md: nothing records none:score" in faults


def test_figures_are_stored_smaller_and_look_the_same():
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(size=(90, 120)), axis=0)
    grey = np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))
    stored = io.BytesIO()
    Image.fromarray(np.dstack([grey, grey, grey, 255 + 0 * grey])).save(stored, "PNG")
    before = base64.b64encode(stored.getvalue()).decode()
    after = execute_notebooks.fewer_colours(before)
    assert len(after) < len(before)
    shown = np.array(Image.open(io.BytesIO(base64.b64decode(after))).convert("L"))
    assert np.abs(shown.astype(int) - grey).max() <= 3


VERDICTS = """
````{admonition} Verdict on C01 to C03
:class: verdict
**C01, C02**: no bet on this page.

**C03**, a CNN cannot handle video: **false**. See C04 elsewhere.
````

````{admonition} Verdict on C40
**False** as written.
````

| C09 | layers | **supported** |
| C10 | edges | not tested here |
"""


def test_a_claim_counts_once_a_verdict_names_it():
    import claims

    assert claims.in_page(VERDICTS) == {"C03", "C09", "C40"}
    judged = claims.judged_claims()
    assert judged <= {f"C{number:02}" for number in range(1, claims.CLAIMS + 1)}
    assert {"C04", "C19", "C39"} <= judged
