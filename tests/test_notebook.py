"""What a chapter's cells call: the set-up, and sources shown in place."""

import base64
import functools
import logging
import os
import random
import re
import sys
import types

import keras
import matplotlib as mpl
import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial import notebook
from crnn_tutorial.network.layers import MapToSequence, ScanRows

# ------------------------------------------------------------ setup


@pytest.fixture(autouse=True)
def keep_style():
    with mpl.rc_context():
        yield


def test_setup_says_what_it_runs_on_and_nothing_private(capsys):
    ct.setup(seed=3)
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert 3 <= len(lines) <= 4 and max(map(len, lines)) <= 80
    for name, version in (("Keras", keras.__version__), ("NumPy", np.__version__)):
        assert f"{name} {version}" in lines[0]
    assert re.search(rf"{keras.backend.backend()} \d+\.\d+\S* on \d+ ", lines[1])
    assert lines[2] == "Run: quick (two processor cores and a minute), seed 3"
    assert "/" not in printed  # no path
    assert mpl.rcParams["figure.figsize"][0] == 5  # the book's style


def test_setup_leaves_no_room_for_warnings_of_tensorflow(capsys, caplog):
    ct.setup()
    log = logging.getLogger("tensorflow")
    log.warning("5 out of the last 7 calls triggered tf.function retracing")
    assert not caplog.records
    log.error("this one must be seen")
    assert [record.message for record in caplog.records] == ["this one must be seen"]


def test_setup_leaves_memory_of_a_gpu_to_a_second_process(capsys, monkeypatch):
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH", raising=False)
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    ct.setup()
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true"  # the user's own


def test_setup_seeds_all_three(capsys):
    drawn = []
    for _ in range(2):
        ct.setup(seed=7)
        weights = keras.layers.Dense(2)
        weights.build((None, 3))
        legacy = np.random.random()  # noqa: NPY002
        drawn.append([random.random(), legacy, weights.get_weights()[0].tolist()])
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("run, epochs", [("quick", 5), ("full", 40)])
def test_one_switch_chooses_for_the_whole_chapter(run, epochs, capsys):
    got = ct.setup(seed=1, run=run)
    assert (got.seed, got.run, got.full) == (1, run, run == "full")
    assert got.choose(quick=5, full=40) == epochs
    with pytest.raises(AttributeError):
        got.run = "other"


def test_a_run_shows_nothing_below_the_cell():
    assert notebook.Run(0, "quick")._ipython_display_() is None


def test_setup_refuses_other_runs_and_seeds():
    with pytest.raises(ValueError, match='run is "quick" or "full", but got \'fast\''):
        ct.setup(run="fast")
    with pytest.raises(ValueError, match="seed"):
        ct.setup(seed=-1)


@pytest.mark.parametrize(
    "gpus, run, colab, words",
    [
        (0, "quick", True, "Runtime > Change runtime type > T4 GPU"),
        (0, "full", True, "Runtime > Change runtime type > T4 GPU"),
        (0, "full", False, "wants a GPU and finds none"),
        (0, "quick", False, None),
        (1, "full", True, None),
    ],
)
def test_advice_where_a_gpu_is_missing(gpus, run, colab, words, monkeypatch, capsys):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: ["gpu"] * gpus)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    if colab:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("colab"))
    ct.setup(run=run)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("on 1 GPU") == (gpus == 1)
    if words is None:
        assert len(lines) == 3
    else:
        assert len(lines) == 4 and words in lines[3]


def test_backends_that_cannot_list_devices_have_no_gpu(monkeypatch):
    def refuse(kind):
        raise NotImplementedError

    monkeypatch.setattr(keras.distribution, "list_devices", refuse)
    assert notebook._count_gpus() == 0


@pytest.mark.parametrize("gpus, words", [(1, "1 GPU"), (2, "2 GPUs")])
def test_gpus_are_counted(gpus, words):
    assert notebook._device(gpus) == words


# ------------------------------------------------------------ show_source


def announce(function):
    """Wrap a function."""

    @functools.wraps(function)
    def wrapped(*args):
        return function(*args)

    return wrapped


class Example:
    """A class.

    With more to say.
    """

    class Inner:
        """Only words."""

    size = 3

    @announce
    def double(self, text="doc"):
        """Return it twice.

        Over several lines.
        """

        # A comment stays.
        return (
            """two
lines"""
            + text * 2
        )

    @property
    def area(self): "On the line of its def."  # fmt: skip


def shown(capsys, *args, **kwargs):
    assert ct.show_source(*args, **kwargs) is None
    return capsys.readouterr().out


def test_source_is_shown_without_docstrings_and_with_comments(capsys):
    text = shown(capsys, Example.double)
    assert text.splitlines() == [
        "@announce",
        'def double(self, text="doc"):',
        "    # A comment stays.",
        "    return (",
        '        """two',
        'lines"""',
        "        + text * 2",
        "    )",
    ]


def test_source_of_a_class_keeps_its_shape(capsys):
    text = shown(capsys, Example)
    assert text.startswith(
        "class Example:\n    class Inner:\n        ...\n\n    size = 3"
    )
    assert "Over several lines" not in text and "A class." not in text
    assert '"On the line of its def."' in text
    compile(text.replace("@announce", ""), "shown", "exec")  # still Python


def test_docstrings_are_shown_when_asked_for(capsys):
    assert "Over several lines." in shown(capsys, Example.double, docstring=True)
    assert "A class." in shown(capsys, Example, docstring=True)


def test_what_is_wrapped_is_unwrapped(capsys):
    partial = functools.partial(ct.notebook._device, 1)
    assert shown(capsys, partial).startswith("def _device(gpus):")
    assert "def area" in shown(capsys, Example.area)
    registered = shown(capsys, MapToSequence)
    assert registered.startswith("@register\nclass MapToSequence(layers.Layer):")
    # Keras wraps `build` of every layer; we show ours.
    assert shown(capsys, ScanRows.build).startswith("def build(self, input")


@pytest.mark.parametrize("thing", [len, 3, np.random.default_rng])
def test_what_has_no_source_is_refused(thing):
    with pytest.raises(TypeError, match="no Python source to show for"):
        ct.show_source(thing)


def test_a_notebook_gets_markdown_that_the_page_colours(monkeypatch):
    display = pytest.importorskip("IPython.display")
    outputs = []
    monkeypatch.setattr(display, "display", lambda data, raw: outputs.append(data))
    monkeypatch.setattr(notebook, "_in_notebook", lambda: True)
    ct.show_source(notebook.Run.choose)
    source = (
        "def choose(self, *, quick, full):\n    return full if self.full else quick"
    )
    markdown = f"```python\n{source}\n```"
    assert outputs == [{"text/markdown": markdown, "text/plain": source}]


def fences():
    return "```", "````"


def test_backticks_in_the_source_do_not_end_the_block(monkeypatch):
    display = pytest.importorskip("IPython.display")
    outputs = []
    monkeypatch.setattr(display, "display", lambda data, raw: outputs.append(data))
    monkeypatch.setattr(notebook, "_in_notebook", lambda: True)
    ct.show_source(fences)
    assert outputs[0]["text/markdown"].startswith("`````python\n")
    assert outputs[0]["text/markdown"].endswith("\n`````")


@pytest.mark.parametrize("shell", [None, types.SimpleNamespace()])
def test_a_terminal_is_no_notebook(shell, monkeypatch):
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert not notebook._in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not notebook._in_notebook()


# ------------------------------------------------------------ errors and numbers


def test_expected_errors_are_shown_and_missing_ones_are_faults(capsys):
    ct.show_error(ct.build_crnn_model, (2, 2, 1), num_classes=10, filters=(8, 8))
    text = capsys.readouterr().out
    assert text.startswith("ValueError: ") and "too small" in text
    assert max(map(len, text.splitlines())) <= 76
    with pytest.raises(AssertionError, match="to fail, but it did not"):
        ct.show_error(int, "7")


def test_terminal_colours_are_dropped(capsys):
    def fail():
        raise RuntimeError("\x1b[1mbold\x1b[0m")

    ct.show_error(fail)
    assert capsys.readouterr().out == "RuntimeError: bold\n"


def test_numbers_are_recorded_for_the_prose(capsys):
    ct.record(accuracy="98.9 %", images=360)
    assert (
        capsys.readouterr().out == 'record: {"accuracy": "98.9 %", "images": "360"}\n'
    )


# ------------------------------------------------------------ a real kernel

CELL = """
from crnn_tutorial.notebook import show_source
from crnn_tutorial.figures.style import new_figure, use_style
from crnn_tutorial.figures.curves import plot_curves
use_style()
plot_curves([1, 2], {"CNN": [0.1, 0.2]}, xlabel="x (px)", ylabel="y")
"""
LATER = """
import matplotlib.pyplot as plt
figure, axes = plt.subplots()
show_source(new_figure)
"""


@pytest.mark.slow
def test_a_kernel_shows_each_figure_once_and_sharp():
    nbformat, client = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [nbformat.v4.new_code_cell(source) for source in (CELL, LATER)]
    page = nbformat.v4.new_notebook(cells=cells)
    root = str(ct.notebook.__file__).rsplit("crnn_tutorial", 1)[0]
    resources = {"metadata": {"path": root}}
    client.NotebookClient(page, timeout=120, resources=resources).execute()
    first, later = ([o for o in cell.outputs if "data" in o] for cell in page.cells)
    assert len(first) == 1
    assert first[0].metadata["image/png"]["width"] == 480
    assert png_width(first[0]) == 960
    assert len(later) == 2
    (figure,) = [o for o in later if "image/png" in o.data]
    assert png_width(figure) == 960  # Pyplot's own figures, too
    (source,) = [o for o in later if "text/markdown" in o.data]
    assert source.data["text/markdown"].startswith("```python\ndef new_figure(")


def png_width(output):
    return int.from_bytes(base64.b64decode(output.data["image/png"])[16:20])
