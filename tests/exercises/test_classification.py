"""The exercises of "Ten digits, a fair fight": solutions pass, wrong answers fail."""

import functools

import numpy as np
import pytest

import crnn_tutorial as ct
from exercises.reading import solution

PAGE = "faq/classification"

# ------------------------------------------------------------ predict: how many images?


@functools.cache
def width(accuracy, count):
    right = round(accuracy * count)
    found = ct.interval([1] * right + [0] * (count - right))
    return found.high - found.low


def check_images_needed(images_needed):
    for accuracy, wanted in [(0.985, 0.01), (0.9, 0.03), (0.5, 0.1)]:
        count = images_needed(accuracy, wanted)
        assert count % 100 == 0, f"whole hundreds were asked for, not {count}"
        assert width(accuracy, count) <= wanted, (
            f"with {count:,} images the interval is {width(accuracy, count):.2%} wide, "
            "from end to end: did you take the half of it?"
        )
        assert width(accuracy, count - 100) > wanted, (
            f"{count - 100:,} images are enough: the interval of a model that is right "
            f"in {accuracy:.1%} is narrower than that of a coin"
        )


def test_the_number_of_images():
    check_images_needed(solution(PAGE, "ex-classify-images")["images_needed"])


def half_of_the_interval(accuracy, wanted):
    count = 100
    while width(accuracy, count) / 2 > wanted:
        count += 100
    return count


def as_for_a_coin(accuracy, wanted):
    return 100 * int(np.ceil((1.96 / wanted) ** 2 / 100))


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [(half_of_the_interval, "the half of it"), (as_for_a_coin, "of a coin")],
)
def test_a_wrong_number_of_images_is_told_why(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_images_needed(wrong)


# ------------------------------------------------------------ build: none of these


@functools.cache
def reader():
    """A model that nobody has trained, ten images, and what it says of them."""
    ct.set_seed(0)
    model = ct.build_crnn_model((8, 8, 1), 10, filters=(8,), units=8)
    images = np.random.default_rng(0).random((10, 8, 8, 1), "float32")
    return model, images, ct.predict(model, images)


def check_refusal(read_or_refuse):
    model, images, said = reader()
    answers = [one.answer for one in said]
    assert list(read_or_refuse(model, images, 0.0)) == answers, (
        "no probability is below 0: nothing may be refused"
    )
    least = sorted(one.confidence for one in said)[5]
    found = list(read_or_refuse(model, images, least))
    assert len(found) == len(images), (
        "one entry for each image: a refusal is None, and not left out"
    )
    wanted = [one.answer if one.confidence >= least else None for one in said]
    assert found == wanted, (
        "refuse where the probability is *less* than the least one, and nowhere else"
    )


def test_reading_or_refusing():
    check_refusal(solution(PAGE, "ex-classify-refuse")["read_or_refuse"])


def refusals_left_out(model, images, least):
    said = ct.predict(model, images)
    return [one.answer for one in said if one.confidence >= least]


def equal_is_refused(model, images, least):
    return [
        one.answer if one.confidence > least else None
        for one in ct.predict(model, images)
    ]


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [(refusals_left_out, "not left out"), (equal_is_refused, "less")],
)
def test_another_refusal_is_told_why(wrong, hint):
    with pytest.raises(AssertionError, match=hint):
        check_refusal(wrong)
