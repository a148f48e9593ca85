"""Which document types a line of the tariff is about."""

EVERY = ".*"


def concerns(named: str, document_type: str) -> bool:
    """`import_title.*` is about every type whose key begins with `import_title.`."""
    if named.endswith(EVERY):
        return document_type.startswith(named.removesuffix("*"))
    return named == document_type
