"""A contract that breaks the released one is refused by `make check` and by `make proto`; one that only adds is not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVENTS = Path("proto/portolan/billing/v1/events.proto")
BREAKS = {
    "a field taken away": ("  string policy = 4;\n", ""),
    "a number used again": ("  string policy = 4;\n", "  bytes policy_digest = 4;\n"),
    "a field of another type": ("  int64 payer_sequence = 14;\n", "  string payer_sequence = 14;\n"),
    "a message renamed": ("message CreditNoted {", "message CreditSaid {"),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "proto", tmp_path / "proto", ignore=shutil.ignore_patterns("gen", "__pycache__"))
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def generate(workspace: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(workspace / "proto/generate.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def change(workspace: Path, before: str, after: str) -> None:
    text = (workspace / EVENTS).read_text()
    assert text.count(before) == 1
    (workspace / EVENTS).write_text(text.replace(before, after))


@pytest.mark.parametrize("arguments", [["--check"], []], ids=["check", "proto"])
@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_contract_is_refused(workspace: Path, broken: str, arguments: list[str]) -> None:
    change(workspace, *BREAKS[broken])
    released = (workspace / "proto/released.binpb").read_bytes()
    done = generate(workspace, *arguments)
    assert done.returncode == 1
    assert str(EVENTS.relative_to("proto")) in done.stderr
    assert "the released contract is broken" in done.stderr
    assert (workspace / "proto/released.binpb").read_bytes() == released


def test_without_the_released_contract_nothing_is_taken_for_unbroken(workspace: Path) -> None:
    (workspace / "proto/released.binpb").unlink()
    done = generate(workspace)
    assert (done.returncode, "is missing" in done.stderr) == (1, True)


def test_what_only_adds_is_taken_over_and_from_then_on_held(workspace: Path) -> None:
    sequence = "  int64 payer_sequence = 14;\n"
    change(workspace, sequence, sequence + "  string reason = 15;\n")
    assert generate(workspace, "--check").returncode == 1
    assert generate(workspace).returncode == 0
    assert generate(workspace, "--check").returncode == 0
    change(workspace, "  string reason = 15;\n", "")
    assert "the released contract is broken" in generate(workspace).stderr
