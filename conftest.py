"""Let nbval accept decimal numbers that differ by rounding noise.

nbval compares stored and fresh outputs as strings. Two processors add floats in another
order, so a printed `0.12345` may come back as `0.12346`. Everything else, integers
included, must be equal to the letter.
"""

import copy
import math
import os
import re

# As where the outputs were stored: no progress bar.
os.environ.setdefault("CRNN_TUTORIAL_QUIET", "1")

RELATIVE_TOLERANCE = 1e-3
# A number with a point or an exponent, but no part of a version such as 2.21.0.
DECIMAL = re.compile(
    r"(?<![\w.])[-+]?(?:\d+\.\d*(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+)(?!\d|\.\d)"
)


def nearly_equal(fresh, stored, tolerance=RELATIVE_TOLERANCE):
    """Whether two texts differ at most in decimals, by a relative `tolerance`."""
    if DECIMAL.sub("#", fresh) != DECIMAL.sub("#", stored):
        return False
    pairs = zip(DECIMAL.findall(fresh), DECIMAL.findall(stored), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=tolerance) for a, b in pairs)


def take_over(fresh, stored):
    """Return `fresh` outputs with each nearly equal text replaced by the stored one."""
    fresh = copy.deepcopy(fresh)
    if len(fresh) != len(stored):
        return fresh
    for new, old in zip(fresh, stored, strict=True):
        for holder, reference in ((new, old), (new.get("data"), old.get("data"))):
            for key in set(holder or ()) & set(reference or ()):
                texts = holder[key], reference[key]
                if all(isinstance(text, str) for text in texts):
                    if nearly_equal(*texts):
                        holder[key] = reference[key]
    return fresh


def make_tolerant(cell_class):
    """Wrap `compare_outputs` of nbval's cell."""
    strict = cell_class.compare_outputs

    def compare_outputs(self, test, ref, skip_compare=None):
        return strict(self, take_over(test, ref), ref, skip_compare)

    cell_class.compare_outputs = compare_outputs


try:
    from nbval.plugin import IPyNbCell
except ImportError:  # the unit tests run without it
    pass
else:
    make_tolerant(IPyNbCell)
