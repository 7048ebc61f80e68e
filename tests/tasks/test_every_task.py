"""Every pair of recurrence and head, and every task from training to a new process."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import crnn_tutorial as ct
from crnn_tutorial.network import backbones, heads
from crnn_tutorial.network.assemble import assemble
from crnn_tutorial.tasks.classification import Classify
from crnn_tutorial.tasks.detection import Detect
from crnn_tutorial.tasks.edges import FindEdges
from crnn_tutorial.tasks.multilabel import LabelSet
from crnn_tutorial.tasks.segmentation import Segment

ROOT = Path(__file__).parents[2]
FILTERS, UNITS = (2, 3), 2

COLUMNS = backbones.RECURRENCES
PLACES = ("lstm", "raster", "attention", "convolution", "order_blind")
# What a person has for two images of 16 x 16; one of them shows nothing.
HEADS = {
    "classify": (Classify(3), [2, 0]),
    "labels": (LabelSet(3), [{0, 2}, set()]),
    "segment": (Segment(3), np.eye(16, dtype=int)[None] * [[[2]], [[0]]]),
    "edges": (FindEdges(), np.eye(16, dtype=int)[None] * [[[1]], [[0]]]),
    "detect": (Detect(3), [([[2, 3, 11, 12]], [2]), ([], [])]),
}
PAIRS = [
    *(("patches", recurrence, name) for recurrence in PLACES for name in HEADS),
    # What answers for each place needs a map: columns are a sequence.
    *(("columns", recurrence, "classify") for recurrence in COLUMNS),
]


@pytest.mark.parametrize(("backbone", "recurrence", "name"), PAIRS)
def test_every_pair_learns_from_two_by_two_batches(backbone, recurrence, name):
    """Two batches of two images: the loss is a number, weights move, answers come."""
    head, targets = HEADS[name]
    rng = np.random.default_rng(0)
    images = rng.random((4, 16, 16, 1), dtype="float32")
    targets = (
        np.concatenate([targets, targets])
        if name in ("segment", "edges")
        else ([*targets, *targets])
    )
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 1), name="image")
    features = getattr(backbones, backbone)(image, FILTERS, UNITS, recurrence)
    model = assemble(image, features, head, dropout=0.1)
    before = [weight.numpy().copy() for weight in model.trainable_weights]
    split = ct.Split(images, np.array(targets) if name == "classify" else targets)
    history = ct.train_crnn_model(model, split, None, 2, 1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    moved = [
        not np.array_equal(old, new.numpy())
        for old, new in zip(before, model.trainable_weights, strict=True)
    ]
    assert np.mean(moved) > 0.5  # a ReLU may be dead at a single place
    assert repr(heads.of(model)) == repr(head)
    scores = heads.of(model).per_image(split.targets, model.predict(images, verbose=0))
    assert scores.shape == (4,)
    assert ((scores >= 0) & (scores <= 1)).all()


# ------------------------------------------------------ real scenes, whole tasks

SCENES = ct.load_digit_scenes((8, 2, 2), (32, 32), (1, 2), (12, 16), seed=1)
SMALL = {"filters": (8, 16), "units": 8, "learning_rate": 0.01}
# With a larger map, the recurrence of a few units first says the same of all scenes.
DEEPER = {"filters": (16, 32, 32), "units": 16, "learning_rate": 0.01}
BUILDERS = {
    "multilabel": ct.build_multilabel_classifier,
    "segmentation": ct.build_segmenter,
    "edges": ct.build_edge_detector,
    "detection": ct.build_detector,
}
# Enough epochs to know eight scenes by heart; how right the answers then are.
BY_HEART = {
    "multilabel": (DEEPER, 40, 0.99),
    "segmentation": (SMALL, 60, 0.7),
    "edges": (SMALL, 60, 0.8),
    "detection": (SMALL, 60, 0.9),
}


@pytest.fixture(scope="module")
def trained():
    """Each task on eight scenes, in a few seconds."""
    models = {}
    for name, build in BUILDERS.items():
        ct.set_seed(0)
        options, epochs, _ = BY_HEART[name]
        models[name] = build(SCENES, **options)
        ct.train_crnn_model(models[name], SCENES.train, None, 4, epochs, verbose=0)
    ct.set_seed(0)
    digit = SCENES.train.targets["boxes"][:, 0, 4].astype(int)
    models["patches"] = ct.build_patch_classifier(
        (32, 32, 1), 10, order="shuffled", **SMALL
    )
    split = ct.Split(SCENES.train.images, digit)
    ct.train_crnn_model(models["patches"], split, None, 4, 10, verbose=0)
    noisy = ct.degrade(SCENES.train.images, "noise", 0.1)
    models["restoration"] = ct.build_restorer((32, 32, 1), **SMALL)
    split = ct.Split(noisy, SCENES.train.images)
    ct.train_crnn_model(models["restoration"], split, None, 4, 5, verbose=0)
    models["quality"] = ct.build_quality_scorer((None, None, 1), **SMALL)
    split = ct.Split(noisy, np.linspace(0, 1, len(noisy), dtype="float32"))
    ct.train_crnn_model(models["quality"], split, None, 4, 2, verbose=0)
    return models


@pytest.mark.parametrize("name", BUILDERS)
def test_eight_scenes_are_learnt_by_heart(name, trained):
    """Judged by the very images: a loss that pulls the wrong way would be seen."""
    assert ct.evaluate(trained[name], SCENES.train).score >= BY_HEART[name][-1]


def test_boxes_learnt_by_heart_have_an_average_precision(trained):
    from crnn_tutorial.tasks.detection import as_pairs

    truth = as_pairs(SCENES.train.targets["boxes"])
    found = ct.detect(trained["detection"], SCENES.train.images, threshold=0.05)
    assert np.mean(list(ct.average_precision(truth, found).values())) > 0.9


READ = """
import sys
import numpy as np
import crnn_tutorial as ct
folder = sys.argv[1]
images = np.load(f"{folder}/images.npy")
for name in sys.argv[2:]:
    outputs = ct.load_model(f"{folder}/{name}.keras").predict(images, verbose=0)
    np.save(f"{folder}/{name}.npy", outputs)
"""


def test_a_new_process_answers_the_same_to_the_bit(trained, tmp_path):
    images = SCENES.test.images
    np.save(tmp_path / "images.npy", images)
    for name, model in trained.items():
        model.save(tmp_path / f"{name}.keras")
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path), *trained],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    for name, model in trained.items():
        expected = model.predict(images, verbose=0)
        assert np.array_equal(np.load(tmp_path / f"{name}.npy"), expected), name
        again = ct.load_model(tmp_path / f"{name}.keras")
        assert repr(heads.of(again)) == repr(heads.of(model))
        assert getattr(heads.of(again), "class_names", None) == getattr(
            heads.of(model), "class_names", None
        )
        assert type(again.loss) is type(model.loss)


def test_a_person_gets_an_answer_for_arrays_and_for_files(trained, tmp_path):
    images = SCENES.test.images
    file = tmp_path / "scene.png"
    Image.fromarray((255 * images[0, :, :, 0]).round().astype("uint8")).save(file)
    for name, model in trained.items():
        several = ct.predict(model, SCENES.test)
        assert len(several) == len(images), name
        alone = ct.predict(model, images[0])
        assert type(ct.predict(model, file)) is type(alone) is type(several[0])
        # Batches of other sizes differ in the last digits.
        if name == "restoration":
            np.testing.assert_allclose(alone.answer, several[0].answer, atol=1e-5)
        elif name == "detection":
            assert alone.answer.classes.tolist() == several[0].answer.classes.tolist()
            np.testing.assert_allclose(
                alone.answer.boxes, several[0].answer.boxes, atol=0.01
            )
        else:
            assert np.array_equal(alone.answer, several[0].answer), name
        if name not in ("edges", "restoration"):
            assert alone.confidence == pytest.approx(several[0].confidence, abs=1e-4)


@pytest.mark.parametrize("name", BUILDERS)
def test_any_size_of_image(name):
    """Built without a size: each image has its own, and answers for each size."""
    model = BUILDERS[name](
        *(((None, None, 1),) if name == "edges" else ((None, None, 1), 3)),
        filters=FILTERS,
        units=UNITS,
    )
    for height, width in ((16, 16), (21, 34)):
        image = np.random.default_rng(0).random((height, width, 1), dtype="float32")
        answer, _ = ct.predict(model, image)
        if name in ("segmentation", "edges"):
            assert answer.shape == (height, width)
        elif name == "detection":
            limits = [height, width, height, width]
            assert (answer.boxes <= limits).all()
        else:
            assert set(answer) <= {0, 1, 2}


@pytest.mark.parametrize("name", BUILDERS)
def test_a_split_of_several_kinds_of_targets_needs_no_choice(name):
    head = heads.of(BUILDERS[name](SCENES, filters=FILTERS, units=UNITS))
    kinds = {
        "multilabel": "labels",
        "segmentation": "masks",
        "edges": "edges",
        "detection": "boxes",
    }
    targets = SCENES.train.targets
    assert head.pick(targets) is targets[kinds[name]]
    with pytest.raises(ValueError, match=f"the model wants {kinds[name]}"):
        head.pick({"other": targets["masks"]})
