"""Measures of generated images: numbers that are known without them."""

import keras
import numpy as np
import pytest
from scipy import linalg

import crnn_tutorial as ct


def images_of(rows):
    """Return each row of numbers as an image of one line."""
    return np.asarray(rows, "float32")[:, np.newaxis, :, np.newaxis]


def random_images(count, seed=0, width=5):
    return images_of(np.random.default_rng(seed).random((count, width)))


class ByBrightness:
    """A classifier that is known: class 1 where an image is bright, else 0."""

    def predict(self, images, **_):
        bright = images.mean(axis=(1, 2, 3)) > 0.5
        return np.stack([~bright, bright], axis=1).astype(float)


# ------------------------------------------------------------ Fréchet distance


def test_the_same_images_have_no_distance():
    images = random_images(40)
    assert ct.frechet_distance(images, images[::-1]) < 1e-6


def test_moved_images_have_the_squared_shift_as_distance():
    images = random_images(40) / 2
    found = ct.frechet_distance(images, images + 0.25)
    assert found == pytest.approx(5 * 0.25**2, rel=1e-5)


def test_two_normal_distributions_of_one_number():
    """The distance of two means, plus that of two standard deviations, squared."""
    one, two = images_of([[0.0], [0.2]]), images_of([[0.5], [0.9]])
    deviations = 0.2 / np.sqrt(2), 0.4 / np.sqrt(2)
    expected = (0.7 - 0.1) ** 2 + (deviations[0] - deviations[1]) ** 2
    assert ct.frechet_distance(one, two) == pytest.approx(expected, rel=1e-5)


def test_it_is_the_formula_with_the_root_of_scipy():
    one, two = random_images(60), random_images(50, seed=1) ** 2
    rows = [images.reshape(len(images), -1).astype(float) for images in (one, two)]
    mean, other = (row.mean(axis=0) for row in rows)
    covariances = [np.cov(row, rowvar=False) for row in rows]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((mean - other) ** 2).sum() + np.trace(sum(covariances) - 2 * root)
    assert ct.frechet_distance(one, two) == pytest.approx(expected, rel=1e-4)
    assert ct.frechet_distance(two, one) == pytest.approx(expected, rel=1e-4)


def test_features_are_a_function_or_a_classifier():
    images = random_images(30)
    mean = ct.frechet_distance(images, images / 2, lambda x: x.mean(axis=(1, 2, 3)))
    assert mean == pytest.approx(
        images.mean(axis=(1, 2, 3)).mean() ** 2 / 4
        + images.mean(axis=(1, 2, 3)).std(ddof=1) ** 2 / 4,
        rel=1e-4,
    )
    classifier = ct.build_cnn_model((8, 8, 1), num_classes=3, units=4)
    digits = ct.load_digits().test.images
    features = ct.class_features(classifier)
    probabilities = classifier.layers[-1](features(digits[:5]))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(probabilities),
        classifier.predict(digits[:5], verbose=0),
        atol=1e-5,
    )
    found = ct.frechet_distance(digits[:90], digits[90:180], classifier)
    assert found == ct.frechet_distance(digits[:90], digits[90:180], features)


def test_noise_is_farther_from_digits_than_other_digits_are():
    digits = ct.load_digits()
    real, others = digits.test.images, digits.train.images[:360]
    noise = np.random.default_rng(0).random(real.shape)
    assert 5 * ct.frechet_distance(real, others) < ct.frechet_distance(real, noise)


def test_one_image_has_no_covariance():
    with pytest.raises(ValueError, match="generated are at least two images, but got"):
        ct.frechet_distance(random_images(3), random_images(1))
    with pytest.raises(ValueError, match="real of type float32 lie between 0 and 1"):
        ct.frechet_distance(255 * random_images(3), random_images(3))


# ------------------------------------------------------------ classes


def test_class_match_counts_what_the_classifier_sees():
    images = images_of([[0.1], [0.9], [0.8]])
    assert ct.class_match(ByBrightness(), images, [0, 1, 0]).tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match="3 images and 2 targets"):
        ct.class_match(ByBrightness(), images, [0, 1])


@pytest.mark.parametrize(("bright", "classes"), [(0, 1.0), (4, 1.0), (2, 2.0)])
def test_the_number_of_classes_covered(bright, classes):
    images = images_of([[1.0]] * bright + [[0.0]] * (4 - bright))
    assert ct.classes_covered(ByBrightness(), images) == pytest.approx(classes)


def test_a_class_that_is_rare_counts_in_part():
    images = images_of([[1.0]] + [[0.0]] * 9)
    expected = 0.1**-0.1 * 0.9**-0.9
    assert ct.classes_covered(ByBrightness(), images) == pytest.approx(expected)


# ------------------------------------------------------------ copies and spread


def test_a_copy_is_found_where_it_is():
    others = random_images(50)
    found = ct.nearest_neighbours(others[[7, 3]], others)
    assert found.index.tolist() == [7, 3] and found.distance.tolist() == [0, 0]


def test_the_nearest_of_all_is_that_of_scipy():
    from scipy.spatial.distance import cdist

    images, others = random_images(20), random_images(30, seed=1)
    all_of_them = cdist(images[:, 0, :, 0], others[:, 0, :, 0])
    found = ct.nearest_neighbours(images, others)
    np.testing.assert_array_equal(found.index, all_of_them.argmin(axis=1))
    np.testing.assert_allclose(found.distance, all_of_them.min(axis=1), rtol=1e-5)
    with pytest.raises(ValueError, match="resize them"):
        ct.nearest_neighbours(images, random_images(3, width=4))


def test_the_spread_is_the_mean_of_all_pairs():
    from scipy.spatial.distance import pdist

    images = random_images(30)
    expected = pdist(images[:, 0, :, 0]).mean()
    assert ct.spread(images) == pytest.approx(expected, rel=1e-5)


def test_each_class_counts_once_and_alone():
    images = images_of([[0.0], [0.2], [1.0], [1.0], [1.0], [0.5]])
    # Within class 0: 0.2. Within class 1: 0. The last is alone in its class.
    found = ct.spread(images, [0, 0, 1, 1, 1, 2])
    assert found == pytest.approx(0.1, rel=1e-5)
    with pytest.raises(ValueError, match="pairs of images of one class"):
        ct.spread(images[:2], [0, 1])
