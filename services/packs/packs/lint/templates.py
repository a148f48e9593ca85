"""Messages say the same thing in every language, with words the system can fill in."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment

from ..errors import Finding
from ..model import Labels, Template
from .subject import Subject

VARIABLES = frozenset(
    {
        "reference",
        "document_type_label",
        "state_label",
        "agency_label",
        "amount",
        "quantity",
        "remaining",
        "due_at",
        "reason_label",
        "declaration",
        "payment",
        "still_payable",
        "url",
        "person",
        "organisation",
        "token",
        "client",
        "rung_label",
        "basis",
        "starts_at",
        "ends_at",
        "place",
        "reason",
    }
)
# What a letter that gathers others may say of them.
DIGEST_VARIABLES = frozenset({"count", "items"})
_ENVIRONMENT = SandboxedEnvironment(autoescape=True)


def texts_parse(subject: Subject) -> Iterator[Finding]:
    for file, part, texts in _texts(subject):
        for language, text in texts.items():
            try:
                _ENVIRONMENT.parse(text)
            except TemplateSyntaxError as error:
                yield subject.at(file, (part, language), f"not a template: {error.message}")


def variables_are_known(subject: Subject) -> Iterator[Finding]:
    for file, part, texts in _texts(subject):
        for language, text in texts.items():
            for name in sorted(_variables(text) - _known(subject, file)):
                yield subject.at(file, (part, language), f"unknown variable {name}")


def languages_agree_on_variables(subject: Subject) -> Iterator[Finding]:
    for file, part, texts in _texts(subject):
        used = {language: _variables(text) for language, text in texts.items()}
        everything: frozenset[str] = frozenset().union(*used.values())
        for language, names in used.items():
            for name in sorted(everything - names):
                yield subject.at(file, (part, language), f"{name} is used in another language, not in {language}")


def digest_has_its_template(subject: Subject) -> Iterator[Finding]:
    digest = subject.pack.digest
    if digest is not None and digest not in subject.pack.templates:
        yield subject.at("notifications.yaml", ("digest",), f"unknown template {digest}")


def _known(subject: Subject, file: str) -> frozenset[str]:
    return DIGEST_VARIABLES if file == f"templates/{subject.pack.digest}.yaml" else VARIABLES


def _texts(subject: Subject) -> Iterator[tuple[str, str, Labels]]:
    for name, template in subject.pack.templates.items():
        for part, texts in _parts(template):
            yield f"templates/{name}.yaml", part, texts


def _parts(template: Template) -> tuple[tuple[str, Labels], ...]:
    return ("subject", template.subject), ("body", template.body)


def _variables(text: str) -> frozenset[str]:
    try:
        return frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(text)))
    except TemplateSyntaxError:
        return frozenset()


RULES = (texts_parse, variables_are_known, languages_agree_on_variables, digest_has_its_template)
