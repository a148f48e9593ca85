"""Writes proto/gen from the protos and topics.toml; with --check, says whether the committed stubs are that."""

import filecmp
import pathlib
import shutil
import subprocess
import sys
import tempfile

PROTO = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(sys.executable).parent


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


def stubs(folder: pathlib.Path) -> set[str]:
    written = [*folder.glob("portolan/**/*.py*"), *folder.glob("portolan/*.toml")]
    return {str(path.relative_to(folder)) for path in written if path.suffix != ".pyc"}


def is_current(fresh: pathlib.Path, committed: pathlib.Path) -> bool:
    names = stubs(fresh)
    return names == stubs(committed) and not any(filecmp.cmpfiles(fresh, committed, sorted(names), shallow=False)[1:])


def main() -> int:
    committed = PROTO / "gen"
    with tempfile.TemporaryDirectory() as folder:
        fresh = pathlib.Path(folder)
        generate(fresh)
        if "--check" not in sys.argv:
            shutil.rmtree(committed / "portolan", ignore_errors=True)
            shutil.copytree(fresh / "portolan", committed / "portolan")
            return 0
        if is_current(fresh, committed):
            return 0
        print("proto/gen is not what proto says: run `make proto`", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
