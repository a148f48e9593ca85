"""Which release this process is of: a consumer that stopped because of one goes on with the next."""

_name = ""


def name() -> str:
    return _name


def is_called(name: str) -> None:
    global _name
    _name = name
