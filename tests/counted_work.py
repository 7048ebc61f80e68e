"""Work is counted, not timed: a count is the same on every machine, busy or not."""

import sys


def count_calls(work):
    """Return how many functions `work()` calls, of Python and of C."""
    count = 0

    def see(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
