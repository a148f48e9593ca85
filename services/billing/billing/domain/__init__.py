"""What things cost and who owes what: values and rules, no machinery."""
