"""What a chapter calls in its cells: the set-up, and the source of a function."""

import ast
import functools
import importlib
import inspect
import json
import logging
import os
import platform
import re
import sys
import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """The kind of run that a chapter was asked for; from ``ct.setup``.

    Parameters
    ----------
    seed : int
        Of every random number.
    run : {"quick", "full"}
        ``"quick"`` is two processor cores and a minute, ``"full"`` wants a GPU.

    Examples
    --------
    >>> from crnn_tutorial.notebook import Run
    >>> run = Run(seed=0, run="quick")
    >>> run.full, run.choose(quick=5, full=40)
    (False, 5)
    """

    seed: int
    run: str

    @property
    def full(self):
        """Whether this is the full run."""
        return self.run == "full"

    def choose(self, *, quick, full):
        """Return the first in the quick run, the second in the full one."""
        return full if self.full else quick

    def _ipython_display_(self):
        """Show nothing below the cell: ``setup`` has printed all of it."""


def setup(seed=0, run="quick"):
    """Seed everything, take the book's style, and print what the chapter runs on.

    TensorFlow's log is left with its errors only.

    Parameters
    ----------
    seed : int
        From 0 to 4,294,967,295.
    run : {"quick", "full"}
        ``"quick"`` is two processor cores and a minute, ``"full"`` wants a GPU.

    Returns
    -------
    Run
        With ``.seed``, ``.run``, ``.full`` and ``.choose(quick=..., full=...)``.

    Raises
    ------
    ValueError
        If ``run`` is another word or ``seed`` no such number.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> run = ct.setup(seed=0)
    Python 3..., Keras 3..., NumPy ...
    Backend: ...
    Run: quick (two processor cores and a minute), seed 0
    >>> run.choose(quick=5, full=40)
    5
    """
    if run not in ("quick", "full"):
        raise ValueError(f'run is "quick" or "full", but got {run!r}.')
    # Read when TensorFlow is imported: no line of its log belongs in a chapter.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # as in the stored outputs
    # A GPU's memory is taken as needed: one chapter trains in a second process, too.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import keras
    import numpy

    from crnn_tutorial.figures.style import use_style
    from crnn_tutorial.training.train import set_seed

    set_seed(seed)
    use_style()
    # Several models in one chapter make TensorFlow warn of "retracing": no news here.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    gpus = _count_gpus()
    backend = keras.backend.backend()
    version = importlib.import_module(backend).__version__
    print(
        f"Python {platform.python_version()}, Keras {keras.__version__}, "
        f"NumPy {numpy.__version__}"
    )
    print(f"Backend: {backend} {version} on {_device(gpus)}")
    kind = "a GPU" if run == "full" else "two processor cores and a minute"
    print(f"Run: {run} ({kind}), seed {seed}")
    if not gpus and "google.colab" in sys.modules:
        print("No GPU yet: Runtime > Change runtime type > T4 GPU, then run all again.")
    elif not gpus and run == "full":
        print('The full run wants a GPU and finds none: it may take hours. Or "quick".')
    return Run(seed, run)


def _count_gpus():
    import keras

    try:
        return len(keras.distribution.list_devices("gpu"))
    except (AttributeError, NotImplementedError, RuntimeError):  # not on each backend
        return 0


def _device(gpus):
    usable = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    number, kind = (gpus, "GPU") if gpus else (len(usable(0)), "processor core")
    return f"{number} {kind}{'' if number == 1 else 's'}"


def show_error(function, *args, **kwargs):
    """Call a function that should fail, and print its error as one plain message.

    Parameters
    ----------
    function : callable
        What to call.
    *args, **kwargs
        What to call it with.

    Raises
    ------
    AssertionError
        If nothing fails: then the chapter's text is wrong.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.show_error(int, "seven")
    ValueError: invalid literal for int() with base 10: 'seven'
    """
    try:
        function(*args, **kwargs)
    except Exception as error:
        message = re.sub(r"\x1b\[[\d;]*m", "", str(error))  # no terminal colours
        message = message.partition("Arguments received by")[0].strip()
        print(textwrap.fill(f"{type(error).__name__}: {message}", 66))
        return
    raise AssertionError(f"Expected {function} to fail, but it did not.")


def record(**texts):
    """Keep numbers under a name, so that the prose can quote what was measured.

    The prose of a chapter holds ``<!--=name-->...<!--/-->``; the command that stores
    the outputs puts the recorded text there.

    Parameters
    ----------
    **texts : str
        What to show, by name, such as ``accuracy="98.9 %"``.

    Examples
    --------
    >>> import crnn_tutorial as ct
    >>> ct.record(accuracy="98.9 %")
    record: {"accuracy": "98.9 %"}
    """
    # One way of writing a percentage in the whole book: "98.9 %".
    values = {k: re.sub(r"(\d)%", r"\1 %", str(text)) for k, text in texts.items()}
    print("record:", json.dumps(values, ensure_ascii=False))


def show_source(thing, docstring=False):
    """Show the source of a function or class, highlighted, below the cell.

    Parameters
    ----------
    thing : function, method or class
        Written in Python; wrapped functions are unwrapped.
    docstring : bool
        Whether to show the docstrings too.

    Raises
    ------
    TypeError
        If it has no source in Python: it is a value, or written in C.

    Examples
    --------
    >>> import crnn_tutorial as ct

    >>> ct.show_source(ct.notebook.Run.choose)
    def choose(self, *, quick, full):
        return full if self.full else quick
    """
    source = _source(thing)
    if not docstring:
        source = _without_docstrings(source)
    source = source.rstrip()
    if not _in_notebook():
        print(source)
        return
    from IPython.display import display

    # Markdown takes the colours of the page around it, in the dark too.
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", source)), default=0))
    markdown = f"{fence}python\n{source}\n{fence}"
    display({"text/markdown": markdown, "text/plain": source}, raw=True)


def _in_notebook():
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython(), "kernel") if ipython else False


def _source(thing):
    while isinstance(thing, functools.partial | functools.partialmethod):
        thing = thing.func
    if isinstance(thing, property):
        thing = thing.fget
    try:
        source = inspect.getsource(thing)  # unwraps it, too
    except (TypeError, OSError) as error:
        name = getattr(thing, "__name__", repr(thing))
        raise TypeError(
            f"There is no Python source to show for {name}: pass a function, method or "
            "class that is written in Python and stands in a file or a cell."
        ) from error
    # Not textwrap.dedent: a string of several lines may begin at the margin.
    margin = " " * (len(source) - len(source.lstrip(" ")))
    return "\n".join(line.removeprefix(margin) for line in source.splitlines())


def _without_docstrings(source):
    lines = source.splitlines()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, kinds) or ast.get_docstring(node) is None:
            continue
        first, last = node.body[0].lineno - 1, node.body[0].end_lineno
        margin = lines[first][: node.body[0].col_offset]
        if margin.strip():
            continue  # on the line of its def
        # A body needs something, and a blank line after the docstring is its own.
        alone = len(node.body) == 1
        while last < len(lines) and not alone and not lines[last]:
            last += 1
        shown = [f"{margin}..."] if alone else []
        lines[first:last] = shown + [None] * (last - first - len(shown))
    return "\n".join(line for line in lines if line is not None)
