"""The exercises of "A memory you can watch": solutions pass, errors do not."""

import keras
import numpy as np
import pytest

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "equations/lstm"


def check_parameters(parameters):
    for steps, features, units in [(64, 16, 64), (128, 16, 64), (5, 3, 2), (1, 7, 1)]:
        layer = keras.layers.LSTM(units)
        layer.build((None, steps, features))
        told, counted = parameters(steps, features, units), layer.count_params()
        assert told == counted, (
            f"{steps} steps, {features} features, {units} units: Keras counts "
            f"{counted}, not {told}. Three gates and the candidate, a bias each; "
            "all steps share them."
        )


def test_count_the_weights():
    check_parameters(solution(PAGE, "ex-eq-lstm-parameters")["parameters"])


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda t, f, u: 3 * u * (f + u + 1), id="gates only"),
        pytest.param(lambda t, f, u: 4 * u * (f + u), id="no bias"),
        pytest.param(lambda t, f, u: 4 * t * u * (f + u + 1), id="once a step"),
    ],
)
def test_count_the_weights_finds_errors(wrong):
    with pytest.raises(AssertionError, match="all steps share"):
        check_parameters(wrong)


def three_lines(seed):
    """Lines of ink and gaps with a break before the second and third: (1, steps, 2).

    Returns the steps and, at the end of each line, how many digits it had.
    """
    rng = np.random.default_rng(seed)
    steps, ends = [], {}
    for _ in range(3):
        digits = rng.integers(1, 9)
        for _ in range(digits):
            steps += [(0, 0)] * rng.integers(1, 5) + [(1, 0)] * rng.integers(1, 13)
        steps.append((0, 0))
        ends[len(steps) - 1] = digits
        steps.append((0, 1))
    return np.array(steps[:-1], dtype=float)[None], ends


def check_new_line(weights):
    for seed in range(20):
        steps, ends = three_lines(seed)
        counter = ct.equations.lstm(steps, *weights).c[0, :, 1]
        for end, digits in ends.items():
            assert abs(counter[end] - digits) < 0.1, (
                f"a line of {digits} digits, but the counter holds {counter[end]:.2f}: "
                "which gate clears a memory?"
            )


def test_a_new_line():
    check_new_line(solution(PAGE, "ex-eq-lstm-line")["weights"]())


@pytest.mark.parametrize(
    ("gate", "value"),
    [
        pytest.param(3, 0.0, id="no break"),
        pytest.param(1, -40.0, id="input gate instead"),
        pytest.param(3, 40.0, id="opened instead"),
    ],
)
def test_a_new_line_finds_errors(gate, value):
    kernel, recurrent_kernel, bias = solution(PAGE, "ex-eq-lstm-line")["weights"]()
    kernel[1] = 0  # (2, gates i, f, candidate, o of both units)
    kernel[1, gate] = value
    with pytest.raises(AssertionError, match="which gate clears"):
        check_new_line((kernel, recurrent_kernel, bias))


def check_first_sign(weights):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(1000, 100))
    numbers += 0.1 * np.sign(numbers)
    flags = np.zeros_like(numbers)
    flags[:, 0] = 1
    sequences = np.stack([numbers, flags], axis=-1)
    shown = ct.equations.lstm(sequences, *weights).h[:, -1, 0]
    right = np.sign(shown) == np.sign(numbers[:, 0])
    assert right.all(), (
        f"{np.mean(~right):.0%} have the wrong sign: does only the first number get in?"
    )
    assert np.abs(shown).min() > 0.7, (
        f"|h| falls to {np.abs(shown).min():.1g}: a gate is multiplied 99 times"
    )


def test_remember_the_first_sign():
    check_first_sign(solution(PAGE, "ex-eq-lstm-sign")["weights"]())


@pytest.mark.parametrize(
    ("gate", "kernel_flag", "bias", "hint"),
    [
        pytest.param(1, 0, np.log(9), "99 times", id="forget gate of 0.9"),
        pytest.param(0, 0, 20, "only the first", id="input gate always open"),
    ],
)
def test_remember_the_first_sign_finds_errors(gate, kernel_flag, bias, hint):
    weights = solution(PAGE, "ex-eq-lstm-sign")["weights"]()
    weights[0][1, gate] = kernel_flag
    weights[2][gate] = bias
    with pytest.raises(AssertionError, match=hint):
        check_first_sign(weights)
