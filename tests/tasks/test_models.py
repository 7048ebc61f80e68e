"""Every builder with every recurrence: compiled right, saved, loaded, any size."""

import ast
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.ops import convert_to_numpy

import crnn_tutorial as ct
from crnn_tutorial.network import heads
from crnn_tutorial.network.assemble import _jit_compile
from crnn_tutorial.network.backbones import RECURRENCES

ROOT = Path(__file__).parents[2]
LETTERS = ct.Alphabet("ab网络")
IMAGE, CLIP, LINE = (9, 12, 1), (3, 8, 10, 1), (8, None, 1)
SMALL = {"filters": (2, 3), "units": 2}
quick = settings(max_examples=10, deadline=None, derandomize=True)

# name -> function of no arguments; small, but each with two blocks
ZOO = {
    **{
        f"crnn-{r}": lambda r=r: ct.build_crnn_model(IMAGE, 3, recurrence=r, **SMALL)
        for r in RECURRENCES
    },
    **{
        f"patches-{r}": lambda r=r: ct.build_crnn_model(
            IMAGE, 3, recurrence=r, sequence="patches", **SMALL
        )
        for r in ("lstm", "order_blind")
    },
    "cnn": lambda: ct.build_cnn_model(IMAGE, 3, dropout=0.5, **SMALL),
    "cnn-small-window": lambda: ct.build_cnn_model(
        IMAGE, 3, whole_image=False, **SMALL
    ),
    "rnn": lambda: ct.build_rnn_model(IMAGE, 3, units=2),
    "lstm": lambda: ct.build_lstm_model(IMAGE, 3, units=2, along="height"),
    **{
        f"video-{r}": lambda r=r: ct.build_video_classifier(
            CLIP, 3, recurrence=r, **SMALL
        )
        for r in RECURRENCES
    },
    "video-features": lambda: ct.build_video_classifier((None, 5), 3, units=2),
    "clip-cnn": lambda: ct.build_video_cnn(CLIP, 3, **SMALL),
    "clip-cnn-one-frame": lambda: ct.build_video_cnn(CLIP, 3, frame=1, **SMALL),
    **{
        f"text-{r}": lambda r=r: ct.build_text_recognizer(
            LINE, LETTERS, recurrence=r, dropout=0.2, **SMALL
        )
        for r in RECURRENCES
    },
    "fixed": lambda: ct.build_fixed_length_reader(
        (8, 24, 1), LETTERS, 4, filters=(2, 3), dropout=0.2
    ),
}
if keras.backend.backend() != "jax":  # where Keras masks no ConvLSTM
    ZOO["video-conv-lstm"] = lambda: ct.build_video_classifier(
        (None, 8, 10, 1), 3, recurrence="conv_lstm", dropout=0.2, **SMALL
    )


def examples(model, number=3):
    shape = [24 if side is None else side for side in model.input_shape[1:]]
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(number, *shape)).astype("float32")
    if model.output_shape[-1] == 5:  # a reader: some columns are padding
        images[0, :, 13:] = -1
    return images


@pytest.fixture(scope="module")
def zoo():
    keras.utils.set_random_seed(0)
    return {name: build() for name, build in ZOO.items()}


@pytest.fixture(scope="module")
def outputs(zoo):
    return {
        name: convert_to_numpy(model(examples(model))) for name, model in zoo.items()
    }


class TestCompiled:
    def test_name_of_the_output_loss_and_metrics_agree(self, zoo, outputs):
        for name, model in zoo.items():
            last = model.layers[-1].name
            if name.startswith("text"):
                assert last == "logits", name
                assert isinstance(model.loss, keras.losses.CTC), name
                assert not np.allclose(outputs[name].sum(axis=-1), 1), name
            else:
                assert last == "probabilities", name
                assert model.loss == "sparse_categorical_crossentropy", name
                np.testing.assert_allclose(outputs[name].sum(axis=-1), 1, rtol=1e-5)
                assert (outputs[name] >= 0).all(), name
            metrics = model.get_compile_config()["metrics"]
            if name.startswith(("text", "fixed")):
                merges = [m["config"]["merge_repeats"] for m in metrics]
                assert merges == [name.startswith("text")] * 2, name
            else:
                assert list(metrics) == ["accuracy"], name
            assert isinstance(model.optimizer, keras.optimizers.Adam), name

    @pytest.mark.parametrize("name", ["cnn", "fixed"])
    def test_the_loss_is_the_cross_entropy_of_the_probabilities(self, zoo, name):
        # A loss that expects logits would give another number.
        model = zoo[name]
        images = examples(model)
        chances = convert_to_numpy(model(images))
        targets = heads.of(model).encode(
            ["ab", "", "网"] if name == "fixed" else [2, 0, 1]
        )
        picked = np.take_along_axis(chances, targets[..., None], axis=-1)
        loss = model.compute_loss(y=targets, y_pred=chances)
        assert float(loss) == pytest.approx(-np.log(picked).mean(), abs=1e-5)

    def test_learning_rate_and_dropout_arrive(self):
        model = ct.build_cnn_model(
            (8, 8, 1), 2, filters=(2,), units=2, dropout=0.25, learning_rate=0.02
        )
        assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
        assert model.get_layer("dropout").rate == 0.25

    def test_fit_works_at_once_and_learns_what_is_easy(self):
        # Bright left or bright right: within a few steps.
        images = np.zeros((32, 8, 8, 1), "float32")
        labels = np.arange(32) % 2
        images[labels == 1, :, :4] = 1
        images[labels == 0, :, 4:] = 1
        keras.utils.set_random_seed(0)
        model = ct.build_crnn_model(
            (8, 8, 1), 2, filters=(8,), units=8, learning_rate=0.02
        )
        history = model.fit(images, labels, epochs=12, batch_size=16, verbose=0)
        assert history.history["accuracy"][-1] == 1
        assert history.history["loss"][-1] < 0.1


READ = """
import json, sys
import keras
import numpy as np
import crnn_tutorial as ct
from crnn_tutorial.network import heads
folder, known = sys.argv[1], {}
for name in json.loads(sys.argv[2]):
    model = ct.load_model(f"{folder}/{name}.keras")
    images = np.load(f"{folder}/{name}.npy")
    answer = keras.ops.convert_to_numpy(model(images))
    np.save(f"{folder}/{name}.answer.npy", answer)
    loss = model.loss if isinstance(model.loss, str) else type(model.loss).__name__
    known[name] = [repr(heads.of(model)), loss]
print(json.dumps(known))
"""


@pytest.fixture(scope="module")
def loaded(zoo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, model in zoo.items():
        model.save(folder / f"{name}.keras")
        np.save(folder / f"{name}.npy", examples(model))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(folder), json.dumps(list(zoo))],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return folder, json.loads(done.stdout.splitlines()[-1])


class TestSaved:
    """All models in one fresh process, which knows nothing of this one."""

    def test_the_same_numbers(self, zoo, outputs, loaded):
        folder, known = loaded
        assert list(known) == list(ZOO)
        for name in zoo:
            answer = np.load(folder / f"{name}.answer.npy")
            np.testing.assert_allclose(answer, outputs[name], atol=1e-6, err_msg=name)

    def test_the_same_head_and_loss(self, zoo, loaded):
        for name, (head, loss) in loaded[1].items():
            assert head == repr(heads.of(zoo[name])), name
            assert loss == ("CTC" if name.startswith("text") else zoo[name].loss), name

    def test_code_in_a_file_is_not_run(self, tmp_path):
        layer = keras.layers.Lambda(lambda x: x + 1)
        keras.Sequential([keras.Input((2,)), layer]).save(tmp_path / "evil.keras")
        with pytest.raises(ValueError, match="(?i)lambda"):
            ct.load_model(tmp_path / "evil.keras")

    def test_no_file_and_no_model(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no file .*digits.keras"):
            ct.load_model(tmp_path / "digits.keras")
        (tmp_path / "note.keras").write_text("not a model")
        with pytest.raises(ValueError, match="note.keras is no .keras file"):
            ct.load_model(tmp_path / "note.keras")

    def test_a_file_cut_short(self, zoo, tmp_path):
        path = tmp_path / "half.keras"
        zoo["rnn"].save(path)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(ValueError, match="half.keras is no .keras file"):
            ct.load_model(path)


IMAGE_BUILDERS = {
    "crnn": ct.build_crnn_model,
    "patches": lambda *a, **k: ct.build_crnn_model(*a, sequence="patches", **k),
    "cnn": ct.build_cnn_model,
    "rnn": ct.build_rnn_model,
    "lstm": ct.build_lstm_model,
}


class TestSizes:
    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            *itertools.product(IMAGE_BUILDERS, [(8, 8, 1), (512, 512, 3)]),
            ("crnn", (5, 9, 2)),
            ("cnn", (2, 3, 1)),
            ("rnn", (1, 1, 1)),
        ],
    )
    def test_from_the_smallest_to_the_largest(self, name, shape):
        model = IMAGE_BUILDERS[name](shape, 3)
        model.run_eagerly = shape[0] < 512  # one small step is not worth compiling
        images = np.random.default_rng(0).uniform(size=(2, *shape)).astype("float32")
        if shape[0] < 512:
            history = model.fit(images, np.array([0, 2]), verbose=0)
            assert np.isfinite(history.history["loss"]).all()
            assert convert_to_numpy(model(images[:1])).shape == (1, 3)
        else:
            assert model.predict_on_batch(images[:1]).shape == (1, 3)

    def test_large_clips(self):
        model = ct.build_video_classifier((2, 512, 512, 3), 3, filters=None, units=4)
        assert convert_to_numpy(model(np.zeros((1, 2, 512, 512, 3)))).shape == (1, 3)

    def test_clips_of_any_number_of_frames(self):
        model = ct.build_video_classifier((None, 8, 8, 1), 3, filters=(2,), units=2)
        for frames in (1, 5):
            assert model(np.zeros((2, frames, 8, 8, 1))).shape == (2, 3)

    # Too small is refused with the smallest size; that one works, one less does not.
    @quick
    @given(
        blocks=st.integers(1, 4),
        side=st.integers(1, 16),
        which=st.sampled_from(["crnn", "patches", "cnn", "video", "fixed"]),
    )
    def test_the_smallest_size_that_is_named_works(self, blocks, side, which):
        filters, smallest = (1,) * blocks, 2**blocks

        def build(height, width):
            if which == "video":
                shape = (2, height, width, 1)
                return ct.build_video_classifier(shape, 2, filters=filters, units=1)
            if which == "fixed":
                shape = (height, width, 1)
                return ct.build_fixed_length_reader(shape, "a", 1, filters=filters)
            builder = IMAGE_BUILDERS[which]
            return builder((height, width, 1), 2, filters=filters, units=1)

        for height, width in ((smallest - 1, 16), (16, smallest - 1)):
            with pytest.raises(ValueError, match=f"works is {smallest} x {smallest}"):
                build(height, width)
        model = build(smallest, max(smallest, side))
        images = np.zeros((1, *model.input_shape[1:]), "float32")
        assert np.isfinite(convert_to_numpy(model(images))).all()

    def test_a_reader_halves_its_width_twice_and_no_more(self):
        size = {"filters": (1, 1, 1), "units": 1}
        model = ct.build_text_recognizer((8, 4, 1), "a", **size)
        assert model.output_shape == (None, 1, 2)
        with pytest.raises(ValueError, match="3 pixels wide .* at least 4 pixels wide"):
            ct.build_text_recognizer((8, 3, 1), "a", **size)
        with pytest.raises(ValueError, match="too small for 3 pooling layers"):
            ct.build_text_recognizer((7, 16, 1), "a", **size)

    def test_the_pools_of_a_reader_decide_its_steps(self):
        size = {"filters": (1, 1), "units": 1}
        for pools, steps in (([2, 2], 4), ([2, (2, 1)], 8), ([(2, 4), 1], 4)):
            model = ct.build_text_recognizer((8, 16, 1), "a", pools=pools, **size)
            assert model.output_shape[1] == steps
        for wrong in ([2], [2, 0], [2, 2.5], [2, (2, 1, 1)], "22"):
            with pytest.raises(ValueError, match="one window for each number"):
                ct.build_text_recognizer((8, 16, 1), "a", pools=wrong, **size)

    def test_the_text_stem_takes_any_width(self):
        model = ct.build_text_recognizer((16, None, 1), "ab", filters=(2, 2), units=2)
        for width in (4, 5, 31):
            assert model(np.zeros((1, 16, width, 1))).shape == (1, width // 4, 3)

    @pytest.mark.parametrize(
        ("shape", "seen"), [((28, 28, 1), 2), ((9, 70, 1), 4), ((64, 8, 1), 4)]
    )
    def test_the_cnn_sees_the_whole_image(self, shape, seen):
        blocks = [x for x in ct.build_cnn_model(shape, 2).layers if "conv" in x.name]
        fewer = ct.build_cnn_model(shape, 2, whole_image=False)
        assert len(blocks) > len([x for x in fewer.layers if "conv" in x.name])
        assert 3 * 2 ** len(blocks) - 2 >= max(shape)


BAD_SHAPES = [28, (28, 28), (1, 28, 28, 1), (28, 0, 1), (28, None, 1), (28.5, 28, 1)]


class TestRefused:
    @pytest.mark.parametrize("shape", [*BAD_SHAPES, "abc", None, (-8, 8, 1)])
    @pytest.mark.parametrize("name", IMAGE_BUILDERS)
    def test_shapes_of_images(self, name, shape):
        with pytest.raises(ValueError) as refusal:
            IMAGE_BUILDERS[name](shape, 3)
        message = str(refusal.value)
        assert "input_shape is (height, width, channels)" in message
        assert "(28, 28, 1)" in message and f"but got {shape!r}" in message

    @pytest.mark.parametrize(
        "shape", [(16, 0, 1), (None, 32, 1), (16, 32), (16, 2.5, 1)]
    )
    def test_shapes_of_lines_of_text(self, shape):
        with pytest.raises(ValueError, match=r"\(height, width or None, channels\)"):
            ct.build_text_recognizer(shape, "ab")

    @pytest.mark.parametrize(
        "shape", [(16, 32, 1), (8, None, 32, 1), (0, 16, 32, 1), 8]
    )
    def test_shapes_of_clips(self, shape):
        with pytest.raises(ValueError, match=r"\(frames or None, height, width, chan"):
            ct.build_video_classifier(shape, 2)

    def test_numbers_of_numpy_are_numbers(self):
        shape = tuple(np.array([8, 8, 1]))
        model = ct.build_cnn_model(shape, np.int64(3), filters=[np.int64(2)], units=2)
        assert model.input_shape == (None, 8, 8, 1)

    @pytest.mark.parametrize("filters", [(), (0,), (32, -1), (2.5,), 32, "ab"])
    def test_filters(self, filters):
        with pytest.raises(ValueError, match="filters are whole numbers above 0"):
            ct.build_crnn_model((32, 32, 1), 3, filters=filters)
        with pytest.raises(ValueError, match="filters are whole numbers above 0"):
            ct.build_video_classifier((2, 32, 32, 1), 3, filters=filters)

    @pytest.mark.parametrize("number", [1, 0, 2.5, "3", None])
    def test_number_of_classes(self, number):
        for build, shape in ((ct.build_rnn_model, IMAGE), (ct.build_cnn_model, IMAGE)):
            with pytest.raises(ValueError, match="num_classes is a whole number"):
                build(shape, number)

    def test_words(self):
        with pytest.raises(ValueError, match="recurrence is one of lstm, .*'rnn'"):
            ct.build_crnn_model(IMAGE, 3, recurrence="rnn")
        with pytest.raises(ValueError, match='"columns" or "patches", not \'rows\''):
            ct.build_crnn_model(IMAGE, 3, sequence="rows")
        with pytest.raises(ValueError, match='"width" or "height", not \'columns\''):
            ct.build_lstm_model(IMAGE, 3, along="columns")

    def test_alphabets_and_positions(self):
        with pytest.raises(ValueError, match=r"\['a'\] repeated"):
            ct.build_text_recognizer((16, None, 1), "aa")
        with pytest.raises(ValueError, match="positions is a whole number"):
            ct.build_fixed_length_reader((16, 32, 1), "ab", positions=0)


READERS = [f"text-{recurrence}" for recurrence in RECURRENCES]


def with_padding(image, width):
    rest = np.full((*image.shape[:2], width - image.shape[2], 1), -1, "float32")
    return np.concatenate([image, rest], axis=2)


@pytest.fixture(scope="module")
def readers():
    rng = np.random.default_rng(0)
    models = {}
    for name in READERS:
        model = models[name] = ZOO[name]()
        for weight in model.weights:
            value = rng.normal(scale=0.5, size=weight.shape)
            positive = np.abs(value) + 0.5
            weight.assign(positive if "variance" in weight.path else value)
    return models


class TestPaddedText:
    @pytest.mark.parametrize("name", READERS)
    @pytest.mark.parametrize(("width", "more"), [(16, 40), (19, 20)])
    def test_logits_loss_and_answers_ignore_it(self, readers, name, width, more):
        model, head = readers[name], heads.of(readers[name])
        image = np.random.default_rng(width).uniform(size=(2, 8, width, 1))
        image = image.astype("float32")
        targets, steps = head.encode(["ab", "网"]), width // 4
        bare = convert_to_numpy(model(image))
        loss = float(model.loss(targets, bare))
        logits = convert_to_numpy(model(with_padding(image, more)))
        np.testing.assert_allclose(logits[:, :steps], bare, atol=1e-5)
        assert (logits[:, steps:].argmax(axis=-1) == 0).all()
        assert float(model.loss(targets, logits)) == pytest.approx(loss, abs=1e-4)
        assert head.decode(logits) == head.decode(bare)

    @pytest.mark.parametrize("name", READERS)
    def test_a_picture_that_is_all_padding_reads_as_nothing(self, readers, name):
        model = readers[name]
        logits = convert_to_numpy(model(np.full((1, 8, 24, 1), -1, "float32")))
        assert heads.of(model).decode(logits) == [""]

    def test_narrow_and_wide_texts_in_one_batch_are_read_as_alone(self, readers):
        rng = np.random.default_rng(0)
        widths = (9, 14, 24)
        images = [rng.uniform(size=(1, 8, w, 1)).astype("float32") for w in widths]
        batch = np.concatenate([with_padding(image, 24) for image in images])
        for name, model in readers.items():
            together = convert_to_numpy(model(batch))
            for one, image, width in zip(together, images, widths, strict=True):
                alone = convert_to_numpy(model(image))[0]
                steps = width // 4
                np.testing.assert_allclose(one[:steps], alone, atol=1e-5, err_msg=name)

    def test_the_fixed_length_reader_reads_padding_as_black(self, zoo):
        image = np.random.default_rng(0).uniform(size=(1, 8, 10, 1)).astype("float32")
        padded = with_padding(image, 24)
        black = np.maximum(padded, 0)
        answers = [convert_to_numpy(zoo["fixed"](x)) for x in (padded, black)]
        np.testing.assert_array_equal(*answers)


class TestBackend:
    def test_tensorflow_is_the_default(self):
        if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
            assert keras.backend.backend() == "tensorflow"

    @pytest.mark.parametrize(
        "module",
        [
            "network/layers",
            "network/backbones",
            "network/heads",
            "network/assemble",
            "tasks/classification",
            "tasks/text",
            "tasks/video",
            "judging/controls",
            "article",
        ],
    )
    def test_no_module_needs_one_backend_when_it_is_imported(self, module):
        tree = ast.parse((ROOT / "crnn_tutorial" / f"{module}.py").read_text("utf-8"))
        imported = itertools.chain.from_iterable(
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            for node in tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
        )
        roots = {name.split(".")[0] for name in imported}
        assert not roots & {"tensorflow", "jax", "torch"}

    def test_a_cpu_with_tensorflow_does_without_its_compiler(self, monkeypatch):
        gpus = []
        monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: gpus)
        monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
        assert _jit_compile() is False
        gpus.append("gpu:0")
        assert _jit_compile() == "auto"
        monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
        assert _jit_compile() == "auto"
