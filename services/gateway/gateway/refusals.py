"""What only HTTP can be told: refusals that no service behind would make."""

from kit.errors import PortolanError


class MethodNotAllowed(PortolanError):
    """`facts["allow"]` lists what is allowed."""

    status = 405


class RequestTimeout(PortolanError):
    status = 408


class UriTooLong(PortolanError):
    status = 414


class HeadersTooLarge(PortolanError):
    status = 431
