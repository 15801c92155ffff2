"""Learning from labels that are no masks: reports, slice labels, exam labels."""
