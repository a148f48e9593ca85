"""What intake does: submit, simulate, amend, withdraw, cancel, impute, hear; each one transaction and one sentence."""
