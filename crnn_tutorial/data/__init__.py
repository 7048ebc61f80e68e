"""Load, draw, cut, augment: from what a reader has to arrays."""
