"""Resolves the workspace into requirement files without addresses: pinned, hashed, the same from any index."""

import pathlib
import subprocess
import sys

# The oldest that is promised: what its first patch releases need beside the others is pinned as well.
PYTHON = "3.11"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def resolve(target: str, *groups: str) -> None:
    members = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("services/*/pyproject.toml"))]
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "-q", "--upgrade", "--generate-hashes"),
        *("--python-version", PYTHON),
        *("--no-emit-index-url", "--no-header", "--no-annotate", "--no-emit-find-links"),
        *("pyproject.toml", *members, "proto/gen/pyproject.toml", *groups),
    ]
    text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603
    lines = [line for line in text.splitlines() if not line.startswith("-e ")]
    (ROOT / target).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    resolve("requirements.lock")
    resolve("requirements-dev.lock", "--group", "dev")
