"""A receipt is checked with nothing but the file and the public keys; any change of it shows."""

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from portolan_cli import receipts
from portolan_cli.__main__ import app
from portolan_cli.receipts import Outcome
from typer.testing import CliRunner

PRIVATE = Ed25519PrivateKey.generate()
BODY: dict[str, Any] = {"goods": [{"weight": "1.50"}], "name": "خضر", "count": 3}


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def keys(key_id: str = "k1") -> dict[str, Any]:
    return {
        "keys": [{"kty": "OKP", "crv": "Ed25519", "kid": key_id, "x": text(PRIVATE.public_key().public_bytes_raw())}]
    }


def signed() -> dict[str, Any]:
    digest = hashlib.sha256(rfc8785.dumps(BODY)).hexdigest()
    receipt: dict[str, Any] = {"reference": "R-1", "body_sha256": digest, "key_id": "k1", "version": 1}
    value = text(PRIVATE.sign(rfc8785.dumps(receipt)))
    return {"receipt": receipt, "signature": {"algorithm": "Ed25519", "key_id": "k1", "value": value}, "body": BODY}


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    content = copy.deepcopy(signed())
    change(content)
    return content


def test_a_receipt_as_it_was_signed_is_valid_with_and_without_its_body() -> None:
    assert receipts.verify(signed(), keys()).outcome is Outcome.VALID
    bare = {name: value for name, value in signed().items() if name != "body"}
    assert receipts.verify(bare, keys()).outcome is Outcome.VALID


def test_the_order_of_members_means_nothing() -> None:
    content = signed()
    content["receipt"] = dict(reversed(content["receipt"].items()))
    content["body"] = dict(reversed(BODY.items()))
    assert receipts.verify(content, keys()).outcome is Outcome.VALID


def test_a_document_that_holds_its_receipt_is_taken_too() -> None:
    content = signed()
    document = {"id": "d1", "receipt": {"receipt": content["receipt"], "signature": content["signature"]}, "body": BODY}
    assert receipts.verify(document, keys()).outcome is Outcome.VALID
    assert receipts.verify({**document, "body": {**BODY, "count": 4}}, keys()).outcome is Outcome.INVALID


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["receipt"].update(reference="R-2"),
        lambda content: content["receipt"].update(extra=1),
        lambda content: content["receipt"].pop("version"),
        lambda content: content["receipt"].update(version=1.5),
        lambda content: content["receipt"].update(key_id="k2"),
        lambda content: content["receipt"].update(version=2**60),
        lambda content: content["body"].update(count=4),
        lambda content: content["body"]["goods"].append({}),
        lambda content: content.update(body={}),
        lambda content: content["signature"].update(value=text(bytes(64))),
        lambda content: content["signature"].update(value="*not base64*"),
        lambda content: content["signature"].update(value=None),
        lambda content: content["signature"].pop("value"),
    ],
)
def test_any_change_makes_it_invalid(change: Callable[[dict[str, Any]], object]) -> None:
    assert receipts.verify(changed(change), keys()).outcome is Outcome.INVALID


@pytest.mark.parametrize(
    ("content", "known"),
    [
        ({"receipt": {}}, keys()),
        ([1, 2], keys()),
        (signed(), keys("another")),
        (signed(), {}),
        (changed(lambda content: content["signature"].update(algorithm="RS256")), keys()),
    ],
)
def test_what_cannot_be_judged_is_not_called_invalid(content: Any, known: Any) -> None:
    assert receipts.verify(content, known).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (json.dumps(signed()), 0),
        (json.dumps(changed(lambda content: content["receipt"].update(version=2))), 1),
        ('{"receipt": {}, "receipt": {}}', 2),
        ("no json", 2),
    ],
)
def test_the_command_says_it_by_its_exit_status(tmp_path: Path, content: str, status: int) -> None:
    (tmp_path / "receipt.json").write_text(content)
    (tmp_path / "keys.json").write_text(json.dumps(keys()))
    command = ["verify-receipt", str(tmp_path / "receipt.json"), "--keys", str(tmp_path / "keys.json")]
    assert CliRunner().invoke(app, command).exit_code == status


def test_without_keys_the_command_cannot_tell(tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_text(json.dumps(signed()))
    command = ["verify-receipt", str(tmp_path / "receipt.json"), "--home", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, command)
    assert (result.exit_code, json.loads(result.stdout)["outcome"]) == (2, "unknown")
