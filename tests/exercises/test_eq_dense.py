"""The exercises of "From scores to a bet": solutions pass, errors do not."""

import math

import numpy as np
import pytest

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "equations/dense"


def check_lead(lead):
    for classes in (2, 3, 10, 1000):
        for share in (0.5, 0.9, 0.99):
            scores = np.zeros(classes)
            scores[0] = lead(classes, share)
            given = ct.equations.softmax(scores)[0]
            assert math.isclose(given, share, rel_tol=1e-6), (
                f"a lead of {scores[0]:.2f} among {classes} classes gives a share of "
                f"{given:.4f}, not {share}: how many others share the rest?"
            )


def test_how_far_ahead():
    check_lead(solution(PAGE, "ex-eq-dense-lead")["lead"])


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda n, p: math.log(p / (1 - p)), id="one rival only"),
        pytest.param(lambda n, p: math.log(p * n), id="others' power forgotten"),
        pytest.param(lambda n, p: math.log(p / (1 - p) * n), id="leader counted too"),
    ],
)
def test_how_far_ahead_finds_errors(wrong):
    with pytest.raises(AssertionError, match="how many others"):
        check_lead(wrong)


def check_temperature(temperature_for):
    rng = np.random.default_rng(0)
    for classes in (3, 10):
        scores = rng.normal(size=classes) * 3
        for share in (0.5, 0.8, 0.99):
            temperature = temperature_for(scores, share)
            given = ct.equations.softmax(scores, temperature).max()
            assert abs(given - share) < 1e-4, (
                f"at T = {temperature:.3f} the leader gets {given:.4f}, not {share}: "
                "scores are divided by the temperature, and the share is no straight "
                "line in it"
            )


def test_cool_it_down():
    temperature_for = solution(PAGE, "ex-eq-dense-temperature")["temperature_for"]
    check_temperature(temperature_for)
    assert round(temperature_for([2, 1, 0], 0.5), 2) == 2.08  # as the page says


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda right: lambda *given: 1 / right(*given), id="multiplied"),
        pytest.param(
            lambda right: lambda z, p: ct.equations.softmax(z).max() / p, id="straight"
        ),
    ],
)
def test_cool_it_down_finds_errors(wrong):
    right = solution(PAGE, "ex-eq-dense-temperature")["temperature_for"]
    with pytest.raises(AssertionError, match="no straight"):
        check_temperature(wrong(right))


def check_bill(bill):
    rng = np.random.default_rng(0)
    for scale in (1, 100, 10_000):
        scores = rng.uniform(-scale, scale, size=5)
        for right in range(5):
            told = bill(list(scores), right)
            exact = ct.equations.cross_entropy([scores], [right])
            assert math.isclose(told, exact, rel_tol=1e-6, abs_tol=1e-6), (
                f"scores of up to {scale}: {told}, not {exact:.6f}. No probability may "
                "be rounded to zero on the way."
            )


def test_a_bill_that_holds():
    check_bill(solution(PAGE, "ex-eq-dense-bill")["bill"])


def softmax_first(scores, right, floor=0.0):
    with np.errstate(all="ignore"):
        below = np.array(scores) - np.max(scores)
        p = np.exp(below) / np.exp(below).sum()
        return -np.log(np.maximum(p[right], floor))


def formula_as_it_stands(scores, right):
    with np.errstate(all="ignore"):
        return np.log(np.exp(np.array(scores)).sum()) - scores[right]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(softmax_first, id="through a probability"),
        pytest.param(lambda z, k: softmax_first(z, k, 1e-7), id="clipped"),
        pytest.param(formula_as_it_stands, id="exp overflows"),
    ],
)
def test_a_bill_that_holds_finds_errors(wrong):
    with pytest.raises(AssertionError, match="rounded to zero"):
        check_bill(wrong)
