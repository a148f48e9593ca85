"""Writes proto/gen and released.binpb from the protos and topics.toml; with --check, says whether they are that.

Either way a contract that breaks the released one is refused: that needs a new major version beside it.
"""

import filecmp
import pathlib
import shutil
import subprocess
import sys
import tempfile

PROTO = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(sys.executable).parent
# What landed last, in one file: a checkout may be shallow or have no history, so git cannot be asked.
RELEASED = PROTO / "released.binpb"


def generate(target: pathlib.Path) -> None:
    sources = [str(path.relative_to(PROTO)) for path in sorted(PROTO.glob("portolan/**/*.proto"))]
    for name in ("python", "mypy", "grpc_python", "mypy_grpc"):
        chosen = [s for s in sources if "grpc" not in name or "service " in (PROTO / s).read_text()]
        plugin = [f"--plugin=protoc-gen-{name}={BIN / f'protoc-gen-{name}'}"] if name.startswith("mypy") else []
        command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--{name}_out={target}", *plugin, *chosen]
        subprocess.run(command, cwd=PROTO, check=True, capture_output=True)  # noqa: S603
    for folder in [target / "portolan", *(target / "portolan").glob("**/")]:
        (folder / "__init__.py").touch()
    shutil.copy(PROTO / "topics.toml", target / "portolan")


def breaks() -> str:
    """What would break who reads or wrote by the released contract; empty when nothing does."""
    if not RELEASED.exists():
        return f"{RELEASED} is missing: get it back from the last commit\n"
    return buf("breaking", "--against", str(RELEASED)).stdout


def image(target: pathlib.Path) -> None:
    """Without comments and places, so that only a change of the contract changes it."""
    built = buf("build", "--exclude-source-info", "-o", str(target))
    if built.returncode != 0:
        raise SystemExit(built.stdout + built.stderr)


def buf(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(BIN / "buf"), *arguments]
    return subprocess.run(command, cwd=PROTO.parent, check=False, capture_output=True, text=True)  # noqa: S603


def stubs(folder: pathlib.Path) -> set[str]:
    written = [*folder.glob("portolan/**/*.py*"), *folder.glob("portolan/*.toml")]
    return {str(path.relative_to(folder)) for path in written if path.suffix != ".pyc"}


def is_current(fresh: pathlib.Path, committed: pathlib.Path) -> bool:
    names = stubs(fresh)
    if names != stubs(committed) or any(filecmp.cmpfiles(fresh, committed, sorted(names), shallow=False)[1:]):
        return False
    return filecmp.cmp(fresh / RELEASED.name, RELEASED, shallow=False)


def main() -> int:
    committed = PROTO / "gen"
    if broken := breaks():
        print(f"{broken}the released contract is broken: see docs/decisions/0013", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        fresh = pathlib.Path(folder)
        generate(fresh)
        image(fresh / RELEASED.name)
        if "--check" not in sys.argv:
            shutil.rmtree(committed / "portolan", ignore_errors=True)
            shutil.copytree(fresh / "portolan", committed / "portolan")
            shutil.copy(fresh / RELEASED.name, RELEASED)
            return 0
        if is_current(fresh, committed):
            return 0
        print("proto/gen is not what proto says: run `make proto`", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
