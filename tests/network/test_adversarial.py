"""The adversarial model: where gradients stop, what is refused, what is saved."""

import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest

import crnn_tutorial as ct
from crnn_tutorial.network.adversarial_parts import StopAtNaN, feed_of, warn_of_collapse
from crnn_tutorial.tasks.classification import Classify
from crnn_tutorial.tasks.quality import ScoreDamage

SIZE = (8, 8, 1)
SMALL = {"filters": (4,), "units": 3, "recurrence": None}  # quick to build
pytestmark = pytest.mark.filterwarnings("ignore:The generator has collapsed")


@pytest.fixture(scope="module")
def digits():
    return ct.load_digits()


def small_model(num_classes=10, heads=(), seed=0, discriminator=None, **options):
    ct.set_seed(seed)
    generator = ct.build_generator(SIZE, 6, num_classes, **SMALL)
    told = None if heads else num_classes
    discriminator = discriminator or ct.build_discriminator(SIZE, heads, told, **SMALL)
    return ct.AdversarialModel(generator, discriminator, **options)


def small_restorer():
    image = keras.Input((None, None, 1), name="image")
    conv = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer="zeros")
    return keras.Model(image, keras.layers.Add()([image, conv(image)]))


def train(model, x, y=None, **options):
    options = {"batch_size": 32, "epochs": 1, "verbose": 0, **options}
    return model.fit(x, y, **options).history


def weights_of(model):
    return [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]


def moved(before, model):
    pairs = zip(before, weights_of(model), strict=True)
    return np.array([not np.array_equal(old, new) for old, new in pairs])


# ------------------------------------------------------------ where gradients stop


def test_a_loss_of_weight_zero_teaches_the_generator_nothing(digits):
    """Only the discriminator learns: its loss does not reach the generator."""
    model = small_model(adversarial_weight=0.0)
    before = [weights_of(part) for part in (model.generator, model.discriminator)]
    train(model, digits.train.targets[:64], digits.train.images[:64])
    assert not moved(before[0], model.generator).any()
    assert moved(before[1], model.discriminator).mean() > 0.8


def test_the_generator_does_not_move_the_discriminator(digits):
    """Its gradient is that of the discriminator's own loss, to the last digit."""
    images = digits.train.images[:32]
    moves = []
    for weight in (0.0, 5.0):
        model = small_model(None, adversarial_weight=weight)
        model.compile(keras.optimizers.SGD(0.1))
        train(model, images, shuffle=False)
        moves.append(weights_of(model.discriminator))
    for one, other in zip(*moves, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_losses_are_those_of_the_formulas(digits):
    """With fixed logits: both lose log 2 where the discriminator cannot tell."""
    image = keras.Input(SIZE, name="image")
    flat = keras.layers.Flatten()(image)
    blind = keras.layers.Dense(1, kernel_initializer="zeros")(flat)
    model = small_model(None, discriminator=keras.Model(image, blind))
    found = train(model, digits.train.images[:32])
    assert found["generator_loss"][0] == pytest.approx(np.log(2), rel=1e-5)
    assert found["discriminator_loss"][0] == pytest.approx(2 * np.log(2), rel=1e-5)


def test_pixels_count_as_much_as_they_shall(digits):
    images = digits.train.images[:32]
    model = ct.AdversarialModel(
        small_restorer(),
        ct.build_discriminator(SIZE, **SMALL),
        pixel_weight=7.0,
        adversarial_weight=0.0,
    )
    found = train(model, images / 2, images)
    assert found["pixel_loss"][0] == pytest.approx(images.mean() / 2, rel=1e-5)
    assert found["generator_loss"][0] == pytest.approx(7 * images.mean() / 2, rel=1e-5)


def test_averaged_weights_follow_slowly(digits):
    model = small_model(None, average=0.9)
    start = model.generator.get_weights()
    train(model, digits.train.images[:32])
    np.testing.assert_allclose(model.averaged.get_weights()[0], start[0], rtol=1e-6)
    first = model.generator.get_weights()[0]  # after one step
    train(model, digits.train.images[:32])
    expected = 0.9 * start[0] + 0.1 * first
    np.testing.assert_allclose(model.averaged.get_weights()[0], expected, atol=1e-6)


def test_two_equal_images_cost_most(digits, monkeypatch):
    """The mode-seeking term: 10 where noise does nothing, less where it does."""
    model = small_model(None, mode_seeking_weight=1.0)
    real = digits.train.images[:16]
    same = keras.ops.zeros((16, *SIZE))
    monkeypatch.setattr(model, "_draw", lambda *_, **__: same)
    assert float(model._seek_modes(real, real, same)) == pytest.approx(10, rel=1e-3)
    assert float(model._seek_modes(real, real, same + 1)) < 1


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_generated_images_teach_the_other_heads_as_much_as_they_shall(weight, digits):
    """Where all answers are even, a head loses log 10 on any image."""
    model = small_model(heads={"digit": Classify(10)}, teach_weight=weight)
    even = [0 * one for one in model.discriminator.get_weights()]
    model.discriminator.set_weights(even)
    found = train(model, digits.train.targets[:32], digits.train.images[:32])
    assert found["digit_loss"][0] == pytest.approx(np.log(10), rel=1e-5)
    both = 2 * np.log(2) + (1 + weight) * np.log(10)
    assert found["discriminator_loss"][0] == pytest.approx(both, rel=1e-5)


# ------------------------------------------------------------ what it is told


def test_noise_alone(digits):
    model = small_model(None)
    train(model, digits.train.images[:64])
    assert model.predict(np.zeros(3), verbose=0).shape == (3, *SIZE)
    images = model.generate(4, seed=1)
    np.testing.assert_array_equal(images, model.generate(4, seed=1))
    assert not np.allclose(images, model.generate(4, seed=2))
    assert images.min() >= 0 and images.max() <= 1


def test_the_class_changes_the_image():
    model, noise = small_model(), np.zeros((10, 6), "float32")
    images = model.generate(np.arange(10), noise=noise)
    same = model.generate(np.zeros(10, int), noise=noise)
    assert ct.spread(images) > 1000 * ct.spread(same)


def test_other_heads_learn_from_real_images(digits):
    labels, images = digits.train.targets[:320], digits.train.images[:320]
    model = small_model(heads={"digit": Classify(10)}, learning_rate=0.01)
    found = train(model, labels, images, epochs=20)
    assert found["digit_loss"][-1] < found["digit_loss"][0] - 0.01
    unconditional = small_model(None, heads={"digit": Classify(10)})
    found = train(unconditional, images, {"images": images, "digit": labels})
    assert np.isfinite(found["digit_loss"]).all()


def test_what_a_head_is_told_is_encoded_by_the_head(digits):
    """One number for each image: as it stands, the loss would pair it with all."""
    images = digits.train.images[:32]
    damage = np.random.default_rng(0).random(32, dtype="float32")
    model = small_model(None, heads={"damage": ScoreDamage()})
    says = model.discriminator.predict(images, verbose=0)["damage"][:, 0]
    expected = -np.mean(damage * np.log(says) + (1 - damage) * np.log(1 - says))
    found = train(model, images, {"images": images, "damage": damage})
    assert found["damage_loss"][0] == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match="damage lies from 0 .* to 1.*but got 2 to 2"):
        model.fit(images, {"images": images, "damage": 2 + 0 * damage})
    with pytest.raises(ValueError, match='also says damage: pass .*"damage": '):
        model.fit(images)


def test_a_head_alone_is_the_same_network(digits):
    images, labels = digits.train.images[:64], digits.train.targets[:64]
    both = small_model(heads={"digit": Classify(10)}).discriminator
    alone = ct.head_alone(both, "digit", learning_rate=0.01)
    before = both.predict(images, verbose=0)
    np.testing.assert_array_equal(alone.predict(images, verbose=0), before["digit"])
    losses = alone.fit(images, labels, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    after = both.predict(images, verbose=0)
    np.testing.assert_array_equal(alone.predict(images, verbose=0), after["digit"])
    with pytest.raises(ValueError, match=r"heads are \[.*'digit'.*\], but got 'box'"):
        ct.head_alone(both, "box")


def test_each_input_gets_what_has_its_name():
    inputs = {name: keras.Input((2,), name=name) for name in ("image", "condition")}
    model = keras.Model(inputs, keras.layers.Add()(list(inputs.values())))
    fed = feed_of(model, "told", others="drawn")
    assert fed == {"image": "drawn", "condition": "told"}
    assert feed_of(keras.Model(inputs["image"], inputs["image"]), "x", "y") == "y"


def test_a_restorer_is_a_generator_without_noise(digits):
    images = digits.train.images[:64]
    model = ct.AdversarialModel(
        small_restorer(),
        ct.build_discriminator((None, None, 1), **SMALL),
        pixel_weight=10.0,
    )
    found = train(model, images / 2, images, validation_data=(images / 2, images))
    assert found["val_psnr"][0] > 8
    large = model.predict(np.zeros((1, 24, 17, 1)), verbose=0)
    assert large.shape == (1, 24, 17, 1)


def test_a_batch_of_one(digits):
    for options in ({}, {"mode_seeking_weight": 0.1}):
        model = small_model(None, **options)
        found = train(model, digits.train.images[:3], batch_size=1)
        assert np.isfinite([*found.values()]).all()


# ------------------------------------------------------------ what it reports


def test_samples_are_judged_in_place_of_a_loss(digits):
    labels, images = digits.train.targets[:64], digits.train.images[:64]
    model = small_model()
    held_out = digits.test.targets[:100], digits.test.images[:100]
    options = {"validation_data": held_out, "validation_freq": 2}
    found = train(model, labels, images, epochs=4, **options)
    assert len(found["val_frechet_distance"]) == len(found["val_spread"]) == 2
    assert not any("val_loss" in name for name in found)
    again = model.evaluate(*held_out)
    assert again["spread"] == pytest.approx(found["val_spread"][-1], rel=1e-4)
    fake = model.generate(held_out[0])
    pixels = ct.frechet_distance(held_out[1], fake)
    assert again["frechet_distance"] == pytest.approx(pixels, rel=1e-3)
    model.features = lambda images: images.mean(axis=(1, 2))
    assert model.evaluate(*held_out)["frechet_distance"] < pixels


@pytest.mark.filterwarnings("default:The generator has collapsed")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_collapse_is_told(digits):
    model = small_model()
    kernel = model.averaged.get_layer("first_map")
    kernel.set_weights([0 * w for w in kernel.get_weights()])
    model.average = 0.999999
    with pytest.warns(UserWarning, match="collapsed: two noises give .* 0%"):
        train(model, digits.train.targets[:64], digits.train.images[:64])


def test_a_generator_whose_noise_matters_is_not_called_collapsed(digits):
    model = small_model(None)
    images = digits.train.images[:64]
    model.generate = lambda count, seed: images[seed * 5 :][:count]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_collapse(model, images[:50], None)


@pytest.mark.parametrize("guilty", ["generator_loss", "discriminator_loss"])
def test_nan_stops_says_which_loss_and_brings_the_last_weights_back(guilty, digits):
    model, images = small_model(None), digits.train.images[:64]
    train(model, images)
    good = weights_of(model)

    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            logs[guilty] = np.nan

    stop = StopAtNaN()
    keras.Model.fit(model, images, batch_size=32, verbose=0, callbacks=[Spoil(), stop])
    with pytest.raises(FloatingPointError, match=f"{guilty} in epoch 1, batch 1"):
        stop.tell()
    for one, other in zip(good, weights_of(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_learning_rate_that_diverges(digits):
    model = small_model(None)
    good = weights_of(model)
    model.compile(keras.optimizers.SGD(1e30))
    with pytest.raises(FloatingPointError, match="lower learning rate"):
        train(model, digits.train.images[:320], epochs=3)
    for one, other in zip(good, weights_of(model), strict=True):
        np.testing.assert_array_equal(one, other)


# ------------------------------------------------------------ saving


@pytest.mark.parametrize("told", [True, False])
def test_it_is_saved_and_resumes(told, digits, tmp_path):
    """Two epochs at once are one epoch, saved, loaded, and one more.

    With momentum, because it must be kept, too, and not with Adam: Adam divides by the
    size of a gradient, and where that is nearly zero, another rounding moves a weight.
    Without the momentum weights differ by 2e-3; another order of images moves 1e-4.
    """
    images = digits.train.images[:64]
    data = (digits.train.targets[:64], images) if told else (images, None)
    model = small_model(10 if told else None, mode_seeking_weight=0.1)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9))
    train(model, *data, shuffle=False)
    model.save(tmp_path / "model.keras")
    train(model, *data, shuffle=False)
    again = ct.load_model(tmp_path / "model.keras")
    train(again, *data, shuffle=False)
    for one, other in zip(weights_of(model), weights_of(again), strict=True):
        np.testing.assert_allclose(one, other, atol=3e-5)
    assert again.get_config().keys() == model.get_config().keys()
    assert again.terms == model.terms


def test_the_averaged_generator_is_a_model_of_its_own(tmp_path):
    model, noise = small_model(), np.ones((3, 6), "float32")
    expected = model.generate(np.arange(3), noise=noise)
    model.averaged.save(tmp_path / "generator.keras")
    alone = ct.load_model(tmp_path / "generator.keras")
    feed = {"noise": noise, "condition": np.arange(3)}
    np.testing.assert_array_equal(alone.predict(feed, verbose=0), expected)


FRESH = """
import sys
import numpy as np
import crnn_tutorial as ct

model = ct.load_model(sys.argv[1])
np.save(sys.argv[2], model.generate(np.arange(10)))
"""


@pytest.mark.slow
def test_a_fresh_process_generates_the_same(digits, tmp_path):
    model = small_model()
    train(model, digits.train.targets[:64], digits.train.images[:64])
    files = [str(tmp_path / name) for name in ("model.keras", "images.npy")]
    model.save(files[0])
    subprocess.run([sys.executable, "-c", FRESH, *files], check=True, env=os.environ)
    np.testing.assert_array_equal(np.load(files[1]), model.generate(np.arange(10)))


# ------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ("images", None, r"told something \(condition\): pass it.*fit\(conditions, im"),
        ("labels", "pixels", "float32 lie between 0 and 1, but got 0 to 255"),
        ("few", "images", "one condition .* but got 5 and 16 images"),
        ("labels", "large", r"images of \(8, 8, 1\), but the real ones have \(16, 16"),
        ("labels", "named", 'y has the real images as "images", but got \\[\'digit'),
    ],
)
def test_data_that_do_not_fit(x, y, message, digits):
    images, labels = digits.train.images[:16], digits.train.targets[:16]
    values = {
        "images": images,
        "labels": labels,
        "few": labels[:5],
        "pixels": 255 * images,
        "large": np.zeros((16, 16, 16, 1)),
        "named": {"digit": labels},
        None: None,
    }
    with pytest.raises(ValueError, match=message):
        small_model().fit(values[x], values[y], verbose=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pixel_weight": -1.0}, "pixel_weight is at least 0, but got -1"),
        ({"adversarial_weight": np.nan}, "adversarial_weight is at least 0"),
        ({"average": 1.0}, r"average is in \[0, 1\), but got 1"),
        ({"mode_seeking_weight": 1.0}, "no input called noise"),
    ],
)
def test_weights_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        ct.AdversarialModel(
            small_restorer(), ct.build_discriminator(SIZE, **SMALL), **options
        )


def test_parts_that_do_not_fit():
    generator = ct.build_generator(SIZE, 6, **SMALL)
    with pytest.raises(ValueError, match=r"makes images of \(8, 8, 1\), but the disc"):
        ct.AdversarialModel(generator, ct.build_discriminator((16, 16, 1), **SMALL))
    with pytest.raises(ValueError, match="discriminator is a Keras model.*NoneType"):
        ct.AdversarialModel(generator, None)
