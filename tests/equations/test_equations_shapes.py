"""What all formulas share: shapes that are checked, floats that keep their type."""

import inspect

import numpy as np
import pytest

from crnn_tutorial import equations
from crnn_tutorial.equations import check_shapes

ones = np.ones


def test_names_bind_sizes():
    x, kernel, bias = check_shapes(
        "f",
        x=(ones((2, 7, 3)), "... features"),
        kernel=(ones((3, 8)), "features 4*units"),
        bias=(ones(2), "units"),
    )
    assert (x.shape, kernel.shape, bias.shape) == ((2, 7, 3), (3, 8), (2,))


def test_lists_and_integers_become_floats_and_none_stays():
    x, nothing = check_shapes("f", x=([[1, 2]], "rows columns"), y=(None, "rows"))
    assert x.dtype == "float64" and nothing is None


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_floats_keep_their_type(kind):
    x, kernel = ones((1, 4, 4, 2), kind), ones((3, 3, 2, 5), kind)
    assert equations.conv2d(x, kernel, ones(5, kind)).dtype == kind
    assert equations.max_pool2d(x).dtype == equations.average_pool2d(x).dtype == kind
    steps = equations.lstm(
        x[0], ones((2, 12), kind), ones((3, 12), kind), ones(12, kind)
    )
    assert {field.dtype.name for field in steps} == {kind}
    assert equations.softmax(x).dtype == kind


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            {"x": (ones(2), "a b")},
            r"f: x has 1 axes. Shapes: x \(2,\), expected \(a, b\)",
        ),
        ({"x": (ones((2, 2)), "a")}, r"f: x has 2 axes"),
        ({"x": (ones(2), "... a b")}, r"f: x has 1 axes"),
        ({"x": (ones((2, 2)), "... a b")}, r"f: x has 2 axes"),
        (
            {"x": (ones((2, 3)), "a a")},
            r"f: a is 2 in x, but 3 in x. Shapes: x \(2, 3\)",
        ),
        (
            {"x": (ones(2), "a"), "y": (ones((3, 4)), "b 3*a")},
            r"f: 3\*a is 4 in y, no multiple of 3. Shapes: x \(2,\).*y \(3, 4\)",
        ),
        (
            {"x": (ones(2), "a"), "y": (ones((3, 9)), "b 3*a")},
            r"f: a is 2 in x, but 3 in y",
        ),
        ({"x": (ones((0, 2)), "a b")}, r"f: x is empty. Shapes: x \(0, 2\)"),
    ],
)
def test_what_does_not_fit_is_told(arguments, words):
    with pytest.raises(ValueError, match=words):
        check_shapes("f", **arguments)


def test_functions_are_shorter_than_what_they_say():
    """They are shown in the chapters: each must read like its formula."""
    for name in equations.__all__:
        function = getattr(equations, name)
        if name == "check_shapes" or not inspect.isfunction(function):
            continue
        source, said = inspect.getsource(function), inspect.getdoc(function)
        code = source.count("\n") - said.count("\n") - 1
        assert code <= said.count("\n") + 1, f"{name}: {code} lines of code"
