"""A document's body: what the type's schema knows, filled with what the trade would write there."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from packs import Pack
from packs.goods import prefixes
from packs.model import DocumentType

from portolan_cli.generation.chance import Chance
from portolan_cli.generation.mix import Currency, Goods, Mix

HS_LIST = "hs"
LINES_MAX = 12
DESIGNATION_CHARACTERS_MAX = 350
OPTIONAL_SHARE = 0.5


@dataclass(frozen=True)
class Shelf:
    """One kind of goods with the codes that it may carry."""

    goods: Goods
    codes: Sequence[str]


class Bodies:
    """Of one pack. Members that nothing here knows stay as the type's own example has them."""

    def __init__(self, pack: Pack, mix: Mix) -> None:
        self._pack, self._mix = pack, mix
        hs = pack.lists.get(HS_LIST)
        self._names = {code.code: pack.label(code.labels, pack.default_language) for code in (hs.codes if hs else ())}
        self._shelves = [Shelf(goods, self._codes(goods)) for goods in mix.goods]

    def body(self, kind: DocumentType, chance: Chance, day: date, *, exempt: bool = False) -> dict[str, Any]:
        body: dict[str, Any] = copy.deepcopy(chance.among(kind.schema["examples"]))
        if kind.title:
            body |= self._title(kind, chance, day, exempt=exempt)
        elif "value" in body:
            body |= self._control(kind, chance)
        return self._known(kind, chance, body)

    def _control(self, kind: DocumentType, chance: Chance) -> dict[str, Any]:
        """Goods that are no title's: what they are, where they come from, and the papers that go with them."""
        currency = chance.weighed({one: one.weight for one in self._mix.currencies})
        country = chance.weighed(self._mix.import_countries)
        lines = self._lines(kind, chance.of("lines"), currency)
        kinds = kind.schema["properties"].get("certificates", {}).get("items", {}).get("properties", {}).get("kind", {})
        papers = chance.of("certificates")
        count = papers.whole(0, 2) if "enum" in kinds else 0
        return {
            "value": {"amount_minor": sum(one["value"]["amount_minor"] for one in lines), "currency": currency.code},
            "lines": [_as_control(kind, line, country) for line in lines],
            "certificates": [_certificate(papers.of(place), kinds["enum"], country) for place in range(count)],
            "lab_wanted": chance.happens(0.2),
            "remarks": f"{chance.among(self._mix.places)} {chance.whole(1, 10**9)}",
        }

    def _known(self, kind: DocumentType, chance: Chance, body: dict[str, Any]) -> dict[str, Any]:
        """Only members of the schema; of those it does not ask for, some are left out."""
        members, required = kind.schema["properties"], set(kind.schema["required"])
        kept = chance.of("optional")
        always = required | {"preference", "repatriation_due", "containers"}
        return {
            name: value
            for name, value in body.items()
            if name in members and value is not None and (name in always or kept.happens(OPTIONAL_SHARE))
        }

    def _title(self, kind: DocumentType, chance: Chance, day: date, *, exempt: bool) -> dict[str, Any]:
        mix, is_import = self._mix, kind.direction != "export"
        currency = chance.weighed({one: one.weight for one in mix.currencies})
        country = chance.weighed(mix.import_countries if is_import else mix.export_countries)
        lines = self._lines(kind, chance.of("lines"), currency)
        total = {"amount_minor": sum(line["value"]["amount_minor"] for line in lines), "currency": currency.code}
        signed = day - timedelta(days=chance.whole(5, 200))
        nature = "FIRM_SALE" if is_import else chance.weighed(mix.natures)
        return {
            "regime": self._regime(is_import, chance, exempt=exempt),
            "office": self._code("offices", chance),
            **self._partners(chance, country, is_import=is_import),
            "contract": self._contract(chance, signed),
            "incoterm": {"code": self._code("incoterms", chance), "place": chance.among(mix.places)},
            "total": total,
            "freight": self._cost(chance, total, 0.06),
            "insurance": self._cost(chance, total, 0.004),
            "payment": self._payment(chance, signed, nature),
            "bank": self._code("banks", chance),
            "branch": chance.among(mix.places),
            "port": self._code("ports", chance),
            "preference": chance.weighed(mix.preferences) if chance.happens(0.25) else None,
            "transaction_nature": nature,
            "repatriation_due": (signed + timedelta(days=chance.whole(150, 400))).isoformat(),
            "containers": [container(chance) for _ in range(chance.whole(1, 3))] if chance.happens(0.6) else None,
            "lines": lines,
            "remarks": f"{chance.among(mix.places)} {chance.whole(1, 10**9)}",
        }

    def _regime(self, is_import: bool, chance: Chance, *, exempt: bool) -> str:
        if exempt:
            return chance.among(self._mix.exempt_regimes)
        return chance.weighed(self._mix.regimes["import" if is_import else "export"])

    def _partners(self, chance: Chance, country: str, *, is_import: bool) -> dict[str, Any]:
        name = f"{self._pack.country}-{country} {chance.whole(1, 60)} {chance.among(self._mix.partners)}"
        partner = {"name": name, "address": f"{chance.whole(1, 400)}, {country}", "country": country}
        if is_import:
            return {"supplier": partner, "origin_country": country, "provenance_country": country}
        return {"consignee": partner, "destination_country": country, "destination_place": country}

    def _contract(self, chance: Chance, signed: date) -> dict[str, Any]:
        kind = chance.among(("PROFORMA", "CONTRACT", "ORDER"))
        return {"kind": kind, "number": f"{kind[0]}-{chance.whole(1000, 999_999)}", "date": signed.isoformat()}

    def _payment(self, chance: Chance, signed: date, nature: str) -> dict[str, Any]:
        if nature == "FREE":
            return {"mode": "NONE"}
        mode = chance.weighed(self._mix.payments)
        share = {"advance_percent": chance.among((10, 20, 30, 50, 100))} if mode == "ADVANCE" else {}
        return {"mode": mode, "due_date": (signed + timedelta(days=chance.whole(30, 180))).isoformat(), **share}

    def _cost(self, chance: Chance, total: Mapping[str, Any], share: float) -> dict[str, Any]:
        return {**total, "amount_minor": round(total["amount_minor"] * share * chance.between(0.3, 1.7))}

    def _lines(self, kind: DocumentType, chance: Chance, currency: Currency) -> list[dict[str, Any]]:
        shelf = chance.weighed({place: shelf.goods.weight for place, shelf in self._fitting(kind.key).items()})
        count = chance.weighed({1: 70, 2: 14, 3: 8, 4: 6, LINES_MAX: 2})
        goods, codes = self._shelves[shelf].goods, self._shelves[shelf].codes
        one = chance.among(codes)
        is_one = kind.key in self._mix.one_position
        return [
            self._line(goods, one if is_one else chance.among(codes), chance.of(place), currency)
            for place in range(count)
        ]

    def _fitting(self, document_type: str) -> dict[int, Shelf]:
        shelves = enumerate(self._shelves)
        return {place: shelf for place, shelf in shelves if document_type in shelf.goods.types and shelf.codes}

    def _line(self, goods: Goods, code: str, chance: Chance, currency: Currency) -> dict[str, Any]:
        quantity = _quantity(goods, chance)
        price = max(1, round(chance.skewed(*goods.price) * currency.factor))
        value = max(1, int((quantity * price).quantize(Decimal(1), ROUND_HALF_UP)))
        net = (quantity * Decimal(str(round(chance.between(*goods.kg), 3)))).quantize(Decimal("0.001"))
        net = max(net, Decimal("0.001"))
        gross = (net * Decimal(str(round(chance.between(1.01, 1.2), 3)))).quantize(Decimal("0.001"), ROUND_HALF_UP)
        told = [name for name, share in goods.characteristics.items() if chance.happens(share)]
        return {
            "hs_code": code,
            **({"national_code": f"{code}{chance.whole(0, 9999):04}"} if chance.happens(0.6) else {}),
            "designation": self._names.get(code, code)[:DESIGNATION_CHARACTERS_MAX],
            **({"characteristics": told} if told else {}),
            "quantity": {"value": text(quantity), "unit": goods.unit},
            "net_weight_kg": text(net),
            "gross_weight_kg": text(max(gross, net)),
            "unit_price": {"amount_minor": price, "currency": currency.code},
            "value": {"amount_minor": value, "currency": currency.code},
        }

    def _codes(self, goods: Goods) -> list[str]:
        starts = tuple(prefix for pattern in goods.hs for prefix in prefixes(pattern))
        return [code for code in self._names if code.startswith(starts)]

    def _code(self, name: str, chance: Chance) -> str | None:
        codes = self._pack.lists.get(name)
        return chance.among(codes.codes).code if codes and codes.codes else None


def _as_control(kind: DocumentType, line: Mapping[str, Any], country: str) -> dict[str, Any]:
    known = kind.schema["properties"]["lines"]["items"]["properties"]
    told = {**line, "description": line["designation"], "origin_country": country}
    return {name: value for name, value in told.items() if name in known}


def _certificate(chance: Chance, kinds: Sequence[str], country: str) -> dict[str, Any]:
    kind, number = chance.among(kinds), chance.whole(10_000, 99_999)
    electronic = {"ephyto_id": f"{country}-{number}-A"} if kind == "EPHYTO" else {}
    return {
        "kind": kind,
        "number": f"{country}-{number}",
        "issuer": f"{kind} {country}",
        "country": country,
        **electronic,
    }


def _quantity(goods: Goods, chance: Chance) -> Decimal:
    whole = round(chance.skewed(5, 20_000))
    if goods.kg[0] != goods.kg[1] or chance.happens(0.5):
        return Decimal(whole)
    return Decimal(whole) + Decimal(chance.whole(1, 999)) / 1000


def text(value: Decimal) -> str:
    """As documents write quantities: no exponent, no zeros at the end."""
    return f"{value.normalize():f}"


LETTER_VALUES = {letter: place + 10 + (place + 9) // 10 for place, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def container(chance: Chance) -> str:
    """An ISO 6346 number with its check digit."""
    body = chance.among(("MSKU", "TGHU", "CMAU", "MSCU", "HLXU")) + f"{chance.whole(0, 999_999):06}"
    values = [LETTER_VALUES[char] if char.isalpha() else int(char) for char in body]
    return body + str(sum(value << place for place, value in enumerate(values)) % 11 % 10)
