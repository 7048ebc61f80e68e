"""One file for each task: its builders, and how its answers are read."""
