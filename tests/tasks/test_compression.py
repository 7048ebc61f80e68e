"""Compressors: what they round, how large files get, and which files they refuse."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

import crnn_tutorial as ct
from crnn_tutorial.metrics.pictures import psnr_per_image
from crnn_tutorial.network import heads
from crnn_tutorial.tasks import compressed_files, compression
from crnn_tutorial.tasks.compression import Compress, Quantise, stride_of

RATE = 1.0
SIZE = (32, 32)


@pytest.fixture(scope="module")
def photos():
    return ct.load_photos(size=SIZE, channels=1, crops=6)


def small_compressor(shape=(None, None, 1), seed=0, **options):
    ct.set_seed(seed)
    options = {"filters": (2, 2, 4), "units": 2, **options}
    return ct.build_compressor(shape, RATE, **options)


@pytest.fixture(scope="module")
def trained(photos):
    model = small_compressor()
    images = photos.train.images
    ct.train_crnn_model(model, ct.Split(images, images), None, 10, 2, verbose=0)
    return model


@pytest.fixture(scope="module")
def pca(photos):
    return ct.build_pca_compressor(photos.train.images, RATE)


def bits_per_pixel(files, size=SIZE):
    return 8 * np.mean([len(file) for file in files]) / np.prod(size)


# ---------------------------------------------------------------- without a coder


def test_psnr_is_that_of_scikit_image():
    rng = np.random.default_rng(0)
    targets, answers = rng.random((2, 3, 8, 9, 3))
    theirs = [
        peak_signal_noise_ratio(one, other, data_range=1)
        for one, other in zip(targets, answers, strict=True)
    ]
    np.testing.assert_allclose(psnr_per_image(targets, answers), theirs)
    assert psnr_per_image(targets, targets).tolist() == [100, 100, 100]
    with pytest.raises(ValueError, match="have one shape"):
        psnr_per_image(targets, answers[:, :4])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_cosines_are_those_of_scipy_and_at_right_angles(channels):
    from scipy.fft import idctn

    patterns = compression._cosines(4, channels).reshape(16 * channels, -1)
    np.testing.assert_allclose(patterns @ patterns.T, np.eye(len(patterns)), atol=1e-12)
    first, second = np.zeros((2, 4, 4))
    first[0, 0], second[0, 1] = 1, 1
    first, second = (idctn(one, norm="ortho") for one in (first, second))
    assert np.ptp(patterns[:channels].sum(axis=0)) < 1e-12  # no wave at all
    np.testing.assert_allclose(patterns[0].reshape(4, 4, -1)[..., 0], first)
    next_one = patterns[channels].reshape(4, 4, -1)[..., 0]
    np.testing.assert_allclose(next_one, second)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_untrained_compressor_only_rounds_cosines(channels):
    """At a fine step nothing is lost: the linear part is its own inverse."""
    images = ct.load_photos(size=SIZE, channels=channels, crops=1).test.images
    model = ct.build_compressor((*SIZE, channels), 50.0, filters=(2, 4), units=2)
    # The step is 0.12 / 50; levels stop at 127, so keep the images dim.
    back = model.predict(images * 0.1 + 0.45, verbose=0)
    assert psnr_per_image(images * 0.1 + 0.45, back).min() > 55


def test_whole_numbers_and_the_gradient_of_the_identity():
    quantise = Quantise(1.0, stride=1)
    latents = np.array([[[[0.4, 0.6, -1.5, 200.0]]]], "float32")
    for training in (False, True):
        numbers = np.array(quantise(latents, training=training))
        np.testing.assert_allclose(np.ravel(numbers), [0, 1, -2, 127], atol=1e-5)


def test_how_often_each_level_occurred():
    quantise = Quantise(1.0, stride=1)
    numbers = np.random.default_rng(0).integers(-3, 4, (2, 5, 5, 3)).astype("float32")
    quantise(numbers, training=True)
    counts = keras.ops.convert_to_numpy(quantise.counts)
    np.testing.assert_array_equal(
        counts, compression._count_levels(numbers.reshape(-1, 3))
    )
    assert counts.sum() == numbers.size
    quantise(numbers, training=True)
    again = keras.ops.convert_to_numpy(quantise.counts)
    np.testing.assert_allclose(again, counts * (1 + compression.MEMORY))


def test_what_a_number_costs_on_average():
    costs = np.random.default_rng(0).random((2, compression.LEVELS)).astype("float32")
    latents = np.array([[0.0, -3.0], [0.25, 126.5]], "float32")
    found = keras.ops.convert_to_numpy(compression._expect(costs, latents))
    at = costs[:, compression.LARGEST :], costs[:, compression.LARGEST :: -1]
    expected = [
        [at[0][0, 0], at[1][1, 3]],
        [0.75 * at[0][0, 0] + 0.25 * at[0][0, 1], (at[0][1, 126] + at[0][1, 127]) / 2],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_price_follows_the_size_of_the_files():
    images = np.zeros((4, 8, 8, 1), "float32")
    busy = np.random.default_rng(0).integers(-50, 50, (4, 8, 8, 1)).astype("float32")
    for numbers, direction in ((images, -1), (busy, 1)):
        quantise = Quantise(3.0, stride=1)
        quantise.build(numbers.shape)
        before = float(quantise.price)
        for _ in range(3):
            quantise(numbers, training=True)
        assert np.sign(float(quantise.price) - before) == direction


def test_the_loss_is_the_error_and_the_price_of_the_bits(photos):
    images = photos.train.images[:8]
    model = small_compressor(recurrence=None)
    quantise = model.get_layer("whole_numbers")
    error = np.mean((model.predict(images, verbose=0) - images) ** 2)
    found = float(model.train_on_batch(images, images))
    cost = found - error  # the price is near the one that it began with
    start = compression.PRICE * compression.first_step(RATE) ** 2
    assert 0.2 * start < cost < 5 * start
    assert float(keras.ops.sum(quantise.counts)) == 8 * 16 * 64


def test_a_head_that_trains_is_scored_and_asked(trained, photos):
    images = photos.test.images
    assert isinstance(heads.of(trained), Compress)
    found = ct.evaluate(trained, ct.Split(images, images))
    assert found.metric == "PSNR" and 20 < found.score < 50
    back = trained.predict(images, verbose=0)
    assert back.min() >= 0 and back.max() <= 1
    answer = ct.predict(trained, images[0]).answer
    np.testing.assert_allclose(answer, back[0], atol=1e-5)


@pytest.mark.parametrize("recurrence", ["order_blind", "attention", "raster", None])
def test_controls_train_too(recurrence, photos):
    model = small_compressor(recurrence=recurrence)
    images = photos.train.images[:10]
    history = ct.train_crnn_model(model, images, images, 5, 1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_an_augmentation_changes_the_targets_with_the_images():
    images = np.zeros((2, 4, 4, 1))
    changed, targets = Compress().augment(
        lambda images, rng: images + rng.random(),
        images,
        images,
        np.random.default_rng(),
    )
    assert changed is targets and changed.min() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((64, 64, 1), 0), "bits_per_pixel is above 0"),
        (((64, 64, 1), -1.0), "bits_per_pixel is above 0"),
        (((60, 64, 1), 1), "multiples of the patch, 8 pixels, but got 60 x 64"),
        (((8, 8, 1), 1), "has 64 bits, and its header has 120: ask for 3.8"),
        (((64, 64), 1), "input_shape is"),
    ],
)
def test_arguments_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        ct.build_compressor(*arguments)


def test_what_cannot_be_trained_or_fitted(photos):
    images = photos.train.images
    with pytest.raises(ValueError, match=r"their own targets.*ct\.Split"):
        small = small_compressor()
        ct.train_crnn_model(small, images, images[:, :16], verbose=0)
    with pytest.raises(ValueError, match="multiples of 8"):
        ct.train_crnn_model(small, images[:, :30], images[:, :30], verbose=0)
    with pytest.raises(ValueError, match="power of 2, but got 6"):
        ct.build_pca_compressor(images, RATE, patch_size=6)


def test_pca_is_that_of_scikit_learn(pca, photos):
    """One step for all components, so that their lengths say the step."""
    from sklearn.decomposition import PCA

    patches = ct.to_patches(photos.train.images, 8).reshape(-1, 64)
    theirs = PCA(3).fit(patches - patches.mean()).components_
    kernel = pca.get_layer("cut_patches").get_weights()[0][4:12, 4:12]
    ours = kernel.reshape(64, 64).T
    lengths = np.linalg.norm(ours, axis=1)
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-3)
    # The first is brightness; the mean patch, which is not quite flat, is in it.
    cosines = np.abs((theirs * ours[:3] / lengths[0]).sum(axis=1))
    assert cosines.min() > 0.98


def test_without_the_library_the_message_says_what_to_install(pca, monkeypatch):
    monkeypatch.setitem(sys.modules, "constriction", None)
    for call in (
        lambda: ct.compress(pca, np.zeros((8, 8, 1))),
        lambda: ct.decompress(pca, b"CR"),
    ):
        with pytest.raises(ImportError, match=r'pip install "crnn-tutorial\[compres'):
            call()


# ------------------------------------------------------------------- real files


@pytest.fixture
def coder():
    return pytest.importorskip(
        "constriction", reason="files need constriction, which is not installed"
    )


@pytest.mark.usefixtures("coder")
class TestFiles:
    @pytest.mark.parametrize("which", ["trained", "pca"])
    def test_the_file_gives_what_the_model_says(self, which, photos, request):
        model, images = request.getfixturevalue(which), photos.test.images
        files = ct.compress(model, images)
        assert all(isinstance(file, bytes) for file in files)
        back = ct.decompress(model, files)
        np.testing.assert_allclose(back, model.predict(images, verbose=0), atol=1e-5)

    @pytest.mark.parametrize("which", ["trained", "pca"])
    def test_whole_numbers_come_back_to_the_last_bit(self, which, request):
        model = request.getfixturevalue(which)
        shape = (3, 5, keras.ops.shape(model.get_layer("whole_numbers").counts)[0])
        rng = np.random.default_rng(0)
        for scale in (0.1, 3.0, 60.0):  # also what hardly ever occurred
            numbers = np.rint(rng.normal(0, scale, shape)).clip(-127, 127)
            data = compressed_files._write(model, numbers, 24, 40)
            read, size = compressed_files._read(model, data)
            np.testing.assert_array_equal(read, numbers)
            assert size == (24, 40)

    def test_one_image_is_one_file(self, trained, photos):
        images = photos.test.images[:2]
        files = ct.compress(trained, images)
        assert ct.compress(trained, images[1]) == files[1]
        assert ct.decompress(trained, files[1]).shape == (*SIZE, 1)
        both = ct.decompress(trained, files)
        np.testing.assert_allclose(ct.decompress(trained, files[1]), both[1], atol=1e-5)

    @pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
    def test_pca_files_have_the_size_that_was_asked_for(self, rate, photos):
        images = photos.train.images
        model = ct.build_pca_compressor(images, rate)
        assert bits_per_pixel(ct.compress(model, images)) == pytest.approx(
            rate, rel=0.05
        )

    def test_a_higher_rate_draws_a_better_picture(self, photos):
        images, scores = photos.test.images, []
        for rate in (0.5, 1.0, 2.0):
            model = ct.build_pca_compressor(photos.train.images, rate)
            back = ct.decompress(model, ct.compress(model, images))
            scores.append(psnr_per_image(images, back).mean())
        assert scores == sorted(scores)

    @pytest.mark.slow
    def test_training_brings_files_to_the_size_that_was_asked_for(self, photos):
        # On photographs with much to see: training lowers a rate, and hardly raises it.
        left_out = "astronaut clock coffee coins flower moon rocket".split()
        images = np.concatenate(
            [
                part.images[
                    [photos.class_names[k] not in left_out for k in part.targets]
                ]
                for part in (photos.train, photos.validation, photos.test)
            ]
        )
        model = small_compressor(recurrence=None)
        ct.train_crnn_model(model, images, images, 10, 30, verbose=0)
        found = bits_per_pixel(ct.compress(model, images))
        assert found == pytest.approx(RATE, rel=0.1)

    @pytest.mark.parametrize("size", [(32, 32), (17, 40), (8, 8), (5, 3)])
    def test_any_size_comes_back_as_large_as_it_was(self, size, trained):
        image = np.random.default_rng(0).random((*size, 1)).astype("float32")
        assert ct.decompress(trained, ct.compress(trained, image)).shape == image.shape

    def test_colour(self):
        images = ct.load_photos(size=SIZE, crops=2).train.images
        model = ct.build_pca_compressor(images, 2.0)
        back = ct.decompress(model, ct.compress(model, images))
        assert psnr_per_image(images, back).mean() > 22

    def test_a_file_that_was_cut_short_or_changed(self, trained, photos):
        data = ct.compress(trained, photos.test.images[0])
        for end in (0, 1, 5, compression.HEADER.size - 1):
            with pytest.raises(ValueError, match="cut short: it has"):
                ct.decompress(trained, data[:end])
        for end in (compression.HEADER.size, len(data) - 4, len(data) - 1):
            with pytest.raises(ValueError, match="cut short or damaged"):
                ct.decompress(trained, data[:end])
        changed = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
        with pytest.raises(ValueError, match="cut short or damaged"):
            ct.decompress(trained, changed)
        with pytest.raises(ValueError, match="cut short or damaged"):
            ct.decompress(trained, data[:10] + b"\xff" + data[11:])  # another width

    def test_what_is_no_file_of_ours_or_of_another_version(self, trained, photos):
        data = ct.compress(trained, photos.test.images[0])
        with pytest.raises(ValueError, match=r"no file of ct\.compress"):
            ct.decompress(trained, b"\xff\xd8" + data[2:])
        with pytest.raises(ValueError, match="of version 9, but .* reads version 1"):
            ct.decompress(trained, data[:2] + b"\x09" + data[3:])

    def test_another_model_is_refused(self, trained, pca, photos):
        data = ct.compress(trained, photos.test.images[0])
        with pytest.raises(ValueError, match="Another model wrote the file"):
            ct.decompress(pca, data)

    def test_what_does_not_fit(self, trained, pca, photos):
        with pytest.raises(ValueError, match=r"no compressor.*build_compressor"):
            ct.compress(ct.build_crnn_model((8, 8, 1), 3), photos.test.images)
        with pytest.raises(
            ValueError, match=r"takes images of .* but got \(32, 32, 3\)"
        ):
            ct.compress(trained, np.zeros((32, 32, 3)))
        fixed = small_compressor((16, 16, 1), filters=(2,), recurrence=None)
        with pytest.raises(ValueError, match="For any size build it with input_shape"):
            ct.compress(fixed, photos.test.images[0])
        two = [ct.compress(pca, np.zeros((8, side, 1))) for side in (8, 16)]
        with pytest.raises(ValueError, match="images of one size, but got 2"):
            ct.decompress(pca, two)

    @pytest.mark.slow
    def test_a_fresh_process_reads_the_file(self, trained, photos, tmp_path):
        image = photos.test.images[0]
        trained.save(tmp_path / "model.keras")
        data = ct.compress(trained, image)
        (tmp_path / "image.cr").write_bytes(data)
        subprocess.run(
            [sys.executable, "-c", FRESH, str(tmp_path)], check=True, env=os.environ
        )
        np.testing.assert_array_equal(
            np.load(tmp_path / "fresh.npy"), ct.decompress(trained, data)
        )


FRESH = """
import sys
from pathlib import Path
import numpy as np
import crnn_tutorial as ct

folder = Path(sys.argv[1])
model = ct.load_model(folder / "model.keras")
image = ct.decompress(model, (folder / "image.cr").read_bytes())
np.save(folder / "fresh.npy", image)
"""


def test_the_side_of_a_patch():
    assert stride_of(small_compressor(filters=(2, 2))) == 4
