"""The shipped pipeline on a fixed set of synthetic heads that training never saw, against exact
truth.

``python -m lab.evaluate_synth -o runs/evaluate`` (``make evaluate-synth``). Read `case` first (one
head), then `measures` (what is made of all of them, and the targets).
"""

TEST_SEEDS = range(900_000, 900_200)  # training takes seeds from 0 up; nothing else may use these
PICTURE_SEEDS = range(
    900_200, 900_300
)  # came as pictures of a window that nobody noted; figures of their own
