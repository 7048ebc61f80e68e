"""Five seeds for the page "Denoising: it never saw your photo".

    python benchmarks/denoising.py                  # all
    python benchmarks/denoising.py discriminator    # this alone, beside what is stored

Photographs in grey with noise of a standard deviation of 25 grey levels (of 255), and
twins of the network for 15 and 50. Writes ``results/denoising.json``: "sigma 25" with
all rivals, "sigma 15" and "sigma 50" with two, each what ``ct.run_seeds`` returns. Its
tests: noise of the strength trained on first, then of the two others, and stripes.
Beside the networks stand four that have no seed: non-local means and total variation,
their settings chosen on the validation photographs; the image as it came; and the mean
of the test images, which is the best answer of anyone who does not see the image.
"discriminator": restorers that go on with one that has more and more to say.
"""

import sys
from dataclasses import replace
from functools import partial

import numpy as np
from common import FEW, QUICK, beside, compare, definitions, finish
from discriminator import RESTORERS, Restorer, run_discriminator

import crnn_tutorial as ct
from crnn_tutorial.metrics.pictures import psnr_per_image

MARGIN = 0.1  # dB: less is not seen
SIGMAS = (25, 15, 50)
JUDGED = 50  # the strength at which a discriminator has a say


def make_tests(page, trained_on):
    """Return the tests by name, the one that is trained on first."""
    photographs, add_noise = page["large"].test.images, page["add_noise"]
    first = sorted(SIGMAS, key=lambda sigma: sigma != trained_on)
    tests = {f"sigma {sigma}": add_noise(photographs, sigma) for sigma in first}
    return tests | {"fences": add_noise(page["load_fences"](), trained_on)}


def draw(page, sigma, test, seed):
    """Return crops of its own to train on for each seed, and the same to choose by."""
    parts = {
        "train": page["draw"](sigma, seed),
        "validation": page["add_noise"](page["large"].validation.images, sigma),
        "test": test,
    }
    return replace(page["photos"], **parts)


def score_others(page, split, sigma):
    """Score each test image with the methods that are not trained."""
    targets = np.asarray(split.targets)
    mean = np.broadcast_to(targets.mean(axis=0), targets.shape)
    scores = {
        "as it came": psnr_per_image(targets, split.images),
        "mean image": psnr_per_image(targets, mean),
    }
    for name in page["CLASSICAL"]:
        setting = page["choose_classical"](name, sigma)
        print(f"{name}, sigma {sigma}: {setting}", flush=True)
        scores[name] = page["score_classical"](name, split, sigma, setting)
    return scores


def run(page, sigma, builders, **options):
    """Compare networks that are trained on noise of one strength."""
    tests = make_tests(page, sigma)
    photograph = page["large"].test.targets
    clusters = dict.fromkeys(tests, photograph)
    clusters["fences"] = np.arange(len(tests["fences"]))
    found = compare(
        f"sigma {sigma}",
        builders,
        partial(draw, page, sigma, tests[f"sigma {sigma}"]),
        "CRNN",
        evaluate_on=tests,
        clusters=clusters,
        margin=MARGIN,
        **page["recipe"] | options,
    )
    if QUICK:
        tests = {name: split[:FEW] for name, split in tests.items()}
    strengths = {f"sigma {one}": one for one in SIGMAS} | {"fences": sigma}
    scores = {
        name: score_others(page, split, strengths[name])
        for name, split in tests.items()
    }
    for part in filter(None, (found, found.get("longer"))):
        beside(part, scores, margin=MARGIN)
    return found


def run_part(name, page):
    """Run one part of what is stored."""
    if name == "discriminator":
        return go_on_with_discriminator(page)
    sigma = int(name.split()[-1])
    builders = ct.rivals(ct.build_restorer, (None, None, 1), **page["network"])
    if sigma == SIGMAS[0]:
        return run(page, sigma, builders)
    # At the rate that the page takes: they show how it goes on.
    two = {name: builders[name] for name in ("CRNN", "order-blind")}
    return run(page, sigma, two, learning_rates=[page["recipe"]["learning_rate"]])


def go_on_with_discriminator(page):
    """Train further, with a discriminator that has more and more to say."""
    RESTORERS["denoising"] = Restorer(
        build=lambda: ct.build_restorer((None, None, 1), **page["network"]),
        draw=partial(page["draw"], JUDGED),
        test=make_tests(page, JUDGED)[f"sigma {JUDGED}"],
        clusters=page["large"].test.targets,
        recipe=page["recipe"],
    )
    return run_discriminator("denoising")


def main():
    page, names = definitions("faq/denoising"), sys.argv[1:]
    results = ct.load_results("denoising") if names else {}
    for name in names or (*(f"sigma {sigma}" for sigma in SIGMAS), "discriminator"):
        results[name] = run_part(name, page)
    finish("denoising", results)


if __name__ == "__main__":
    main()
