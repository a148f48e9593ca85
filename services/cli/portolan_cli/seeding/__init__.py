"""The demo's people, brought in at the first start through the same doors as everybody else."""
