"""Files of many documents: rows of CSV, elements of XML; each becomes a submission of its own."""

from gateway.bulk.form import Form
from gateway.bulk.rows import DOCUMENTS_MAX, Row
from gateway.bulk.template import template

__all__ = ["DOCUMENTS_MAX", "Form", "Row", "template"]
