"""Five seeds for the chapter "2015, or how the CNN learnt to read".

    python benchmarks/background.py    # about twenty minutes on one core

Lines of digits of other lengths than in training, films forward and backward, two
digits far apart, and the same with all pixels mixed. Writes
``results/background.json``: one entry for each, in the form of ``ct.run_seeds``.
"""

from dataclasses import replace
from functools import partial

import keras
import numpy as np
from keras import layers
from sklearn.neural_network import MLPClassifier

import crnn_tutorial as ct

SEEDS = range(5)
DIGITS = "0123456789"
SHAPE, STEM = (16, None, 1), (8, 32)
READING = {"batch_size": 16, "epochs": 8, "learning_rate": 8e-3}
LOOKING = {"batch_size": 32, "epochs": 8, "learning_rate": 5e-3}
SMALL = {"filters": (8, 16), "units": 16}
FARTHER = "CNN + CTC, 26 px"


def change(data, how):
    """Return the same data, with other pictures made from each."""
    parts = {
        name: ct.Split(how(part.images), part.targets)
        for name, part in vars(data).items()
        if isinstance(part, ct.Split)
    }
    return replace(data, **parts)


def run(rivals, ours, **recipe):
    """Train {name: (builder, data)} with each seed, and judge ours against the rest."""
    builders = {name: build for name, (build, _) in rivals.items()}
    views = {name: data for name, (_, data) in rivals.items()}
    return ct.run_seeds(
        lambda _: builders, lambda: views, SEEDS, ours, validation_data=None, **recipe
    )


# ------------------------------------------------------------ lines


def build_farther(units):
    """Build a reader without recurrence whose columns see 26 pixels."""
    image = keras.Input(SHAPE)
    real = ct.layers.ColumnMask()(image)
    x, real = ct.backbones.columns(image, STEM, units, "order_blind", mask=real)
    x = ct.layers.KeepColumns()(x, real)
    x = layers.Conv1D(2 * units, 5, padding="same")(x)
    x = layers.ReLU()(x)
    x = ct.layers.CharacterLogits(DIGITS, name="logits")(x, real)
    model = keras.Model(image, x)
    model.compile("adam", keras.losses.CTC(), jit_compile=False)
    return model


def load_lines(count):
    """Return lines of four digits, the same filled up, of all lengths; one test."""
    four = ct.load_digit_strings(length=(4, 4), sizes=(count, 1, 1))
    free = ct.load_digit_strings(length=(1, 8), sizes=(1, 1, 1600), width=160)
    every = ct.load_digit_strings(length=(1, 8), sizes=(count, 1, 1), width=160)
    missing = 160 - four.train.images.shape[2]
    canvas = [(0, 0), (0, 0), (0, missing), (0, 0)]
    filled = np.pad(four.train.images, canvas, constant_values=-1)
    lengths = np.array([len(text) for text in free.test.targets])
    test = free.test[lengths != 4]
    filled = replace(four, train=ct.Split(filled, four.train.targets), test=test)
    return replace(four, test=test), filled, replace(every, test=test)


def readers():
    size = {"filters": STEM, "units": 32}
    crnn = partial(ct.build_text_recognizer, SHAPE, DIGITS, **size)
    fixed = partial(ct.build_fixed_length_reader, (16, 160, 1), DIGITS, 8, filters=STEM)
    blind = ct.order_blind(ct.build_text_recognizer)
    whole = ct.convolution_twin(ct.build_text_recognizer)
    attention = ct.attention_twin(ct.build_text_recognizer)
    four, filled, every = load_lines(800)
    return {
        "fixed": (fixed, filled),
        "fixed, all lengths": (fixed, every),
        "CNN + CTC": (partial(blind, SHAPE, DIGITS, **size), four),
        FARTHER: (ct.match_parameters(build_farther, crnn()).builder, four),
        "CNN + CTC, 258 px": (partial(whole, SHAPE, DIGITS, **size), four),
        "attention + CTC": (partial(attention, SHAPE, DIGITS, **size), four),
        "CRNN + CTC": (crnn, four),
    }


# ------------------------------------------------------------ films, pairs


def cnn_like(crnn, data):
    return ct.match_parameters(
        ct.build_cnn_model, crnn(), data.input_shape, 2, filters=SMALL["filters"]
    ).builder


def films():
    clips = ct.load_direction_clips(sizes=(320, 16, 480), frames=8, size=(8, 16))
    one_frame = change(clips, lambda film: film[:, 0])
    stacked = change(clips, lambda film: np.moveaxis(film[..., 0], 1, -1))
    video = ct.rivals(ct.build_video_classifier, (8, 8, 16, 1), 2, **SMALL)
    crnn = video["CRNN"]
    return {
        "CRNN": (crnn, clips),
        "order-blind": (video["order-blind"], clips),
        "attention": (video["attention"], clips),
        "CNN along time": (video["CNN"], clips),
        "CNN, one frame": (cnn_like(crnn, one_frame), one_frame),
        "CNN, stacked": (cnn_like(crnn, stacked), stacked),
    }


def pictures():
    """Return the rivals on pairs of digits, and three of them with the pixels mixed."""
    pairs = ct.load_digit_pairs(distance=32, size=(8, 88), sizes=(600, 2, 500))
    order = np.random.default_rng(0).permutation(8 * 88)

    def mix(images):
        return images.reshape(len(images), -1)[:, order].reshape(images.shape)

    size = pairs.input_shape, 2
    sight = ct.rivals(ct.build_crnn_model, *size, **SMALL)
    sight["CNN, 10 px"] = partial(
        ct.build_cnn_model, *size, filters=SMALL["filters"], whole_image=False
    )
    sight["LSTM"] = ct.match_parameters(
        ct.build_lstm_model, sight["CRNN"](), *size
    ).builder
    testers = {"CRNN": sight["CRNN"], "CNN": sight["CNN"]}
    testers["dense"] = MLPClassifier((32,), max_iter=500)
    mixed = change(pairs, mix)
    return (
        {name: (build, pairs) for name, build in sight.items()},
        {
            name: {"as it is": (build, pairs), "mixed": (build, mixed)}
            for name, build in testers.items()
        },
    )


# ------------------------------------------------------------ all of it


def main():
    lines = readers()
    longer = {
        name: (lines[name][0], load_lines(1600)[0]) for name in ("CRNN + CTC", FARTHER)
    }
    sight, testers = pictures()
    results = {
        "lines": run(lines, "CRNN + CTC", **READING),
        "lines, four times the training": run(
            longer, "CRNN + CTC", **READING | {"epochs": 16}
        ),
        "clips": run(films(), "CRNN", **LOOKING),
        "pairs": run(sight, "CRNN", **LOOKING),
    }
    for name, rivals in testers.items():
        results[f"{name}, mixed"] = run(rivals, "as it is", **LOOKING)
    ct.save_results("background", results)
    for name, found in results.items():
        for rival, judgement in found["judgements"].items():
            print(f"{name}, {found['ours']} - {rival}: {judgement['sentence']}")


if __name__ == "__main__":
    main()
