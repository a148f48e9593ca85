"""What intake does: submit, simulate, withdraw, cancel, impute, hear; each one transaction and one sentence."""
