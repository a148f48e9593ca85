"""Who is told what, in which words: rules, wording and deliveries as values."""
