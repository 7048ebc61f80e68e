"""Five seeds for the page "Draw and restore": does a discriminator restore better?

    python benchmarks/joint_restoration.py

A discriminator damages what it sees, and its second output restores it; `joint` has the
rules. The generator is told nothing. Beside both ways of training stands what one would
use without a network. Then two readings of their own: is the noise found again from
which an image was made (C74), and how many bits do generated images take (C77)? Writes
``results/joint_restoration.json`` in the form of ``ct.run_seeds``.
"""

import io
from functools import partial
from itertools import pairwise

import numpy as np
from common import LONGER, QUICK, SEEDS, SHORT, definitions, each, finish
from joint import JOBS, Job, drawn, levels, run, train
from PIL import Image
from skimage.restoration import denoise_tv_chambolle, inpaint_biharmonic
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

import crnn_tutorial as ct
from crnn_tutorial.data.degrade import resample
from crnn_tutorial.judging.draws import draw_training
from crnn_tutorial.judging.results import _pack
from crnn_tutorial.metrics.pictures import psnr_per_image

page = definitions("faq/joint_restoration")
MARGIN = 0.1  # dB
SHOWN = 20  # generated images that are kept to be looked at
TASKS = ("reconstruction", "super-resolution", "denoising", "compression")


# ------------------------------------------------------------ four jobs


def draw(seed):
    """Return the images, and nothing as the difference that is wanted."""
    found = draw_training(ct.load_digits(seed=0), seed)
    splits = {k: getattr(found, k).images for k in ("train", "validation", "test")}
    if QUICK:
        splits["train"] = splits["train"][:48]
    return {k: (one, one, np.zeros_like(one)) for k, one in splits.items()}


def asked(seed):
    """Ask for as many images as there are test images."""
    count = len(drawn(TASKS[0], seed)["test"][0])
    return count, np.zeros((count, *page["SHAPE"]), "float32")


def build(task):
    generator = ct.build_generator(page["SHAPE"], 32, filters=(16,), units=16)
    return generator, page["build_for"](task)


def restore(task, model, images, wanted):
    """Return the PSNR of each image: all networks meet the same damage."""
    damaged = page["harm"](task, images)
    restored = page["restorer_of"](model).predict(damaged, batch_size=256, verbose=0)
    return psnr_per_image(images, restored)


JOBS |= {
    task: Job(
        output="difference",
        draw=draw,
        build=partial(build, task),
        epochs=7,
        batch_size=32,
        times=5,
        rate=8e-3,
        metric="dB",
        score=partial(restore, task),
        asked=asked,
        samples=lambda told, images, made: {
            "real": levels(images[:SHOWN]),
            "generated": levels(made[:SHOWN]),
        },
        options={"mode_seeking_weight": 0.1, "head_weight": 0.0},
        margin=MARGIN,
    )
    for task in TASKS
}


# ------------------------------------------------------------ without a network


def biharmonic(images, damaged, train, setting):
    """Continue into the hole as smoothly as can be."""
    holes = page["harm"]("reconstruction", np.zeros_like(images)) > 0
    pairs = zip(damaged[..., 0], holes[..., 0], strict=True)
    return np.stack([inpaint_biharmonic(*pair) for pair in pairs])[..., None]


def bicubic(images, damaged, train, setting):
    return damaged


def lanczos(images, damaged, train, setting):
    small = images.reshape(len(images), 4, 2, 4, 2, 1).mean(axis=(2, 4))
    return resample(small, 8, 8, Image.Resampling.LANCZOS)


def total_variation(images, damaged, train, setting):
    found = [denoise_tv_chambolle(one, weight=setting) for one in damaged[..., 0]]
    return np.stack(found)[..., None]


def as_it_came(images, damaged, train, setting):
    return damaged


def onto_components(images, damaged, train, setting):
    """Keep the part that lies in the directions in which training digits vary."""
    pca = _components(train, setting)
    return pca.inverse_transform(pca.transform(_flat(damaged))).reshape(images.shape)


def coded_components(images, damaged, train, setting):
    """Round principal components to a few levels each, 32 bits in all."""
    count, reach = setting
    pca = _components(train, count)
    most = 2 ** (32 // count) - 1
    step = 2 * reach * np.sqrt(pca.explained_variance_) / most
    numbers = pca.transform(_flat(damaged)) / step + most / 2
    numbers = np.clip(np.round(numbers), 0, most)
    return pca.inverse_transform((numbers - most / 2) * step).reshape(images.shape)


def _components(train, count):
    return PCA(count, random_state=0, svd_solver="full").fit(_flat(train))


def _flat(images):
    return images.reshape(len(images), -1)


INSTEAD = {  # task -> name -> function, and the settings that it chooses from
    "reconstruction": {"biharmonic": (biharmonic, [None])},
    "super-resolution": {"bicubic": (bicubic, [None]), "Lanczos": (lanczos, [None])},
    "denoising": {
        "as it came": (as_it_came, [None]),
        "total variation": (total_variation, [0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2]),
        "components": (onto_components, [8, 12, 16, 20, 24, 28, 32, 40, 48]),
    },
    "compression": {
        "PCA": (
            coded_components,
            [(n, reach) for n in (4, 8, 16, 32) for reach in (1, 1.5, 2, 2.5, 3)],
        )
    },
}


def score_instead(task, name, setting, images, train):
    function, _ = INSTEAD[task][name]
    damaged = page["harm"](task, images)
    answers = function(images, damaged, train, setting)
    return psnr_per_image(images, np.clip(answers, 0, 1))


def instead(task, found):
    """Put what needs no network beside the two ways of training."""
    names = {k: ct.stored_scores(found, k) for k in ("joint", "alone")}
    images = drawn(task, SEEDS[0])["test"][0]
    found["judgements of alone"] = {}
    for name, (_, settings) in INSTEAD[task].items():
        seen, unseen = (drawn(task, SEEDS[0])[k][0] for k in ("train", "validation"))
        chosen = max(
            settings, key=lambda s: score_instead(task, name, s, unseen, seen).mean()
        )
        scores = [
            score_instead(task, name, chosen, images, drawn(task, seed)["train"][0])
            for seed in SEEDS
        ]
        means = [float(one.mean()) for one in scores]
        found["rivals"][name] = {
            "scores": means,
            "mean": float(np.mean(means)),
            "setting": chosen,
            "packed": [_pack(np.round(one, 4)) for one in scores],
        }
        for who, kept in (("joint", "judgements"), ("alone", "judgements of alone")):
            claim = f"{who} is better than {name}"
            judged = ct.judge(names[who], np.round(scores, 4), claim, margin=MARGIN)
            found[kept][name] = judged.as_dict()
    return found


# ------------------------------------------------------------ C74: find the noise


def find_noise(rate, teach, times, seed):
    """Return the share of the noise's variance that is found in new images."""
    found = train("reconstruction", "joint", seed, rate, teach, times)
    generator, _ = build("reconstruction")
    generator.set_weights(found["generator"])
    size = generator.inputs[0].shape[-1]
    rng = np.random.default_rng(1000 + seed)
    noise = rng.standard_normal((400 if QUICK else 8000, size), dtype="float32")
    images = generator.predict(noise, batch_size=256, verbose=0)
    cut = len(noise) * 3 // 4
    features = _flat(images)
    network = MLPRegressor(
        hidden_layer_sizes=(128, 128),
        early_stopping=True,
        n_iter_no_change=3,
        max_iter=2 if QUICK else 40,
        random_state=seed,
    )
    told, result = {}, {}
    for name, model in {"network": network, "linear": Ridge(1e-2)}.items():
        model.fit(features[:cut], noise[:cut])
        told[name] = model.predict(features[cut:])
        error = ((told[name] - noise[cut:]) ** 2).mean(axis=0)
        each_number = 1 - error / noise[cut:].var(axis=0)
        result[name] = {
            "share": float(each_number.mean()),
            "best number": float(each_number.max()),
            "worst number": float(each_number.min()),
        }
    again = generator.predict(told["network"].astype("float32"), verbose=0)
    result["image again (dB)"] = float(psnr_per_image(images[cut:], again).mean())
    others = np.roll(images[cut:], 1, axis=0)
    result["another image (dB)"] = float(psnr_per_image(images[cut:], others).mean())
    return result


# ------------------------------------------------------------ C77: bits of both


WANTED = 25  # dB
MOSAIC = 36  # digits side by side: one block of JPEG each


def bits_of(images):
    """Return the bits that a digit takes in a JPEG file of the PSNR that is wanted.

    Only the data of the scan count: a header is the same for all.
    """
    picture = images.reshape(6, 6, 8, 8).swapaxes(1, 2).reshape(48, 48)
    grey = np.round(255 * picture).astype("uint8")
    points = []
    for quality in range(5, 100, 3):
        file = io.BytesIO()
        Image.fromarray(grey).save(file, "JPEG", quality=quality)
        data = file.getvalue()
        read = np.asarray(Image.open(io.BytesIO(data))) / 255
        error = ((read - grey / 255.0) ** 2).mean()
        scan = len(data) - data.index(b"\xff\xda") - 12  # its own header, and the end
        points.append((-10 * np.log10(error), 8 * scan / MOSAIC))
    if points[0][0] > WANTED:
        return points[0][1]
    for (low, few), (high, many) in pairwise(points):
        if low <= WANTED <= high:
            return few + (many - few) * (WANTED - low) / (high - low)
    raise ValueError(f"No quality has {WANTED} dB: {points}.")


def weigh(chosen, times):
    """Compare the files of generated and of real digits, mosaic by mosaic."""
    bits = {"generated": [], "real": []}
    spreads = []
    real = drawn("compression", SEEDS[0])["test"][0]
    for seed in SEEDS:
        made = train("compression", "joint", seed, *chosen[1:], times)["images"]
        spreads.append(ct.spread(made) / ct.spread(real))
        for name, images in (("generated", made), ("real", real)):
            parts = np.split(images, len(images) // MOSAIC)
            bits[name].append([bits_of(one) for one in parts])
    # More is better for `judge`: minus the bits.
    scores = {name: -np.round(one, 4) for name, one in bits.items()}
    claim = "generated digits take fewer bits than real ones"
    judged = ct.judge(scores["generated"], scores["real"], claim, margin=1.0)
    return {
        "metric": f"bits of a digit in a JPEG file at {WANTED} dB",
        "mean": {name: float(np.mean(one)) for name, one in bits.items()},
        "each": {name: np.round(one, 2).tolist() for name, one in bits.items()},
        "spread": [float(one) for one in spreads],
        "ours": "generated",
        "judgements": {"real": judged.as_dict()},
    }


def main():
    results = {}
    times = 1 if SHORT else LONGER
    for task in TASKS:
        results[task], chosen = run(task)
        for one in (results[task], results[task].get("longer")):
            if one:
                instead(task, one)
        if task == "reconstruction":
            found = [(*chosen["joint"][1:], times, seed) for seed in SEEDS]
            found = {"seeds": each(find_noise, found), "judgements": {}}
            results["noise found"] = found
        if task == "compression":
            results["bits"] = weigh(chosen["joint"], times)
        if not QUICK:  # what is known so far
            ct.save_results("joint_restoration", results)
    finish("joint_restoration", results)


if __name__ == "__main__":
    main()
