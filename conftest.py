"""Let nbval accept decimal numbers that differ by rounding noise.

nbval compares stored and fresh outputs as strings. Two processors add floats in another
order: a printed `0.12345` may come back as `0.12346`, and `0.4880999` as `0.4881001`.
Everything else must be equal to the letter:

- integers, also when NumPy prints them as `3274.`, and percentages: they count things;
- numbers of fewer than four significant digits (`99.9`, `0.05`, `1e-06`): one unit of
  their last digit is no noise. Print a bound (`below 1e-5`), not the noise itself;
- a number that gains a digit (`99.99` and `100.00`).
"""

import copy
import os
import re
from decimal import Decimal

# As where the outputs were stored: no progress bar.
os.environ.setdefault("CRNN_TUTORIAL_QUIET", "1")

ENOUGH_DIGITS = 4
RELATIVE_NOISE = Decimal("1e-6")  # of numbers that are printed in full: float32 sums
# A number with a point or an exponent, but no part of a version such as 2.21.0, and no
# percentage.
DECIMAL = re.compile(
    r"(?<![\w.])[-+]?(?:\d+\.\d*(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+)(?!\d|\.\d|\s?\\?%)"
)


def mantissa(number):
    return re.split("[eE]", number)[0]


def significant_digits(number):
    """Count them in a number as printed: 4 in `0.05010`, 2 in `1.0e-6`."""
    return len(mantissa(number).lstrip("+-0.").replace(".", ""))


def equal_up_to_noise(fresh, stored):
    """Whether two decimals, as printed, are the same number for us."""
    if fresh == stored:
        return True
    digits = [significant_digits(number) for number in (fresh, stored)]
    whole = all(Decimal(mantissa(number)) % 1 == 0 for number in (fresh, stored))
    if whole or min(digits) < ENOUGH_DIGITS:
        return False
    new, old = Decimal(fresh), Decimal(stored)
    same_form = (
        digits[0] == digits[1] and new.as_tuple().exponent == old.as_tuple().exponent
    )
    one_unit = Decimal(1).scaleb(old.as_tuple().exponent) if same_form else 0
    return abs(new - old) <= max(one_unit, abs(old) * RELATIVE_NOISE)


def nearly_equal(fresh, stored):
    """Whether two texts differ at most by rounding noise in their decimals."""
    if DECIMAL.sub("#", fresh) != DECIMAL.sub("#", stored):
        return False
    pairs = zip(DECIMAL.findall(fresh), DECIMAL.findall(stored), strict=True)
    return all(equal_up_to_noise(*pair) for pair in pairs)


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
