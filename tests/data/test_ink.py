"""Where the text stands in an image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_tutorial.data.text.ink import find_text


def draw(start, end, width=120, ink=0.0, paper=1.0):
    """Strokes of two pixels with gaps of two, from one column to another."""
    image = np.full((1, 32, width, 1), paper, "float32")
    for column in range(start, end, 4):
        image[0, 8:24, column : column + 2] = ink
    return image


@given(
    start=st.integers(8, 40),
    length=st.integers(24, 70),
    ink=st.sampled_from([0.0, 0.3, 1.0]),
    padding=st.integers(0, 20),
)
def test_text_is_found_within_a_few_pixels_on_dark_and_on_light(
    start, length, ink, padding
):
    image = draw(start, start + length, ink=ink, paper=0.7)
    image = np.pad(image, ((0, 0), (0, 0), (0, padding), (0, 0)), constant_values=-1)
    first, end = find_text(image)[0]
    assert abs(first - start) <= 6
    assert abs(end - (start + length)) <= 8


def test_noise_and_a_line_across_the_image_are_no_text():
    image = draw(40, 80)
    image[0, 15:17] = 0
    image += np.random.default_rng(0).normal(0, 0.1, image.shape)
    first, end = find_text(image.clip(0, 1))[0]
    assert 32 <= first <= 48
    assert 72 <= end <= 88


@pytest.mark.parametrize("width", [1, 3, 50])
def test_an_empty_image_is_all_text(width):
    image = np.pad(np.ones((1, 16, width, 1)), ((0, 0), (0, 0), (0, 7), (0, 0)))
    image[:, :, width:] = -1
    assert find_text(image).tolist() == [[0, width]]


def test_many_images_at_once_are_as_one_by_one():
    images = np.concatenate([draw(10, 40), draw(60, 110, ink=0.2)])
    one_by_one = [find_text(image[None])[0].tolist() for image in images]
    assert find_text(images).tolist() == one_by_one
    assert find_text(images[:0]).shape == (0, 2)
