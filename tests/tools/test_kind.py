"""`make kind`: the parts of its script that need no Docker."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "tools/kind/up.sh"


def test_missing_program_is_named_before_anything_is_done(tmp_path: Path) -> None:
    for program in ("dirname", "bash"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")

    done = subprocess.run([SCRIPT], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr == "make kind needs docker kind kubectl git on PATH\n"


def test_dockerfile_starts_what_the_procfile_starts() -> None:
    [command] = [line for line in (SCRIPT.parent / "Dockerfile").read_text().splitlines() if line.startswith("CMD")]

    assert (
        f"web: exec {' '.join(command.removeprefix('CMD ').strip('[]').replace(chr(34), '').split(', '))}"
        in (ROOT / "Procfile").read_text()
    )
