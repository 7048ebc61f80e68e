"""Which is better, and how sure we are."""
