"""What billing says, and how it writes money."""

from portolan.type.v1 import type_pb2

from billing.domain.money import Money

TOPIC = "portolan.billing.charge.v1"


def money(money: Money) -> type_pb2.Money:
    return type_pb2.Money(amount_minor=money.amount_minor, currency=money.currency)
