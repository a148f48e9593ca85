"""What intake does: submit, simulate, withdraw, impute, cancel, hear; each one transaction and one sentence."""
