"""Checks the protocol's model: it holds, each protection taken away is refuted, and each good end can be reached.

python tests/protocol/model.py              # all variants, a table; exit code 1 if one is not as it must
python tests/protocol/model.py --trace VARIANT      # the steps that refute one
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "docs" / "protocol" / "order.pml"
COMPILE = ("gcc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE")
BREADTH_FIRST = ("-DBFS",)
"""Finds the shortest trace; the whole model needs less memory in depth."""
MISSING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the search of a variant came to; `violated` is the assertion that failed, if one did."""

    variant: str
    states: int
    seconds: float
    violated: str
    steps: int
    is_complete: bool

    @property
    def verdict(self) -> str:
        """Judge: the model must hold to the last state, any other variant must not."""
        if self.variant == "model":
            return "holds" if self.is_complete and not self.violated else "FAILS"
        if self.variant.startswith("PROBE_"):
            return "reached" if _is_probe(self.violated) else "NOT REACHED"
        return "refuted" if self.violated and not _is_probe(self.violated) else "NOT REFUTED"

    @property
    def is_as_it_must(self) -> bool:
        """Whether the verdict is the one that this variant has to have."""
        return self.verdict.islower()


def _is_probe(assertion: str) -> bool:
    return assertion == "0"


def variants() -> tuple[str, ...]:
    """Name the model and every macro that its source asks for."""
    asked = re.findall(r"^#(?:ifn?def |elif defined\()((?:WITHOUT|PROBE)_[A-Z_]+)", MODEL.read_text(), re.MULTILINE)
    return ("model", *sorted(set(asked), reverse=True))


def missing() -> str | None:
    """Say what to install; None = everything is there."""
    absent = [name for name in ("spin", "gcc") if shutil.which(name) is None]
    return f"{' and '.join(absent)} not found; on Debian: apt-get install spin gcc libc6-dev" if absent else None


def search(variant: str, folder: Path, *defines: str) -> Found:
    """Build and run the checker of one variant in an empty folder."""
    macros = [*([] if variant == "model" else [f"-D{variant}"]), *defines]
    _ran(folder, "spin", *macros, "-a", str(MODEL))
    _ran(folder, *COMPILE, *(() if variant == "model" else BREADTH_FIRST), "-o", "pan", "pan.c")
    said = _ran(folder, "./pan", "-E", "-m1000000")
    violated = re.search(r"assertion violated +(.+) \(at depth (\d+)\)", said)
    return Found(
        variant=variant,
        states=int(float(_figure(r"([0-9.e+]+) states, stored", said))),
        seconds=float(_figure(r"elapsed time ([0-9.e+-]+) seconds", said)),
        violated="" if violated is None else violated[1].strip(),
        steps=0 if violated is None else int(violated[2]),
        is_complete="errors: 0" in said and "max search depth too small" not in said,
    )


def trace(variant: str, folder: Path) -> Iterator[str]:
    """Tell the steps that refute a variant: role, line of the model, what was executed, what changed."""
    search(variant, folder)
    said = _ran(folder, "spin", f"-D{variant}", "-k", "order.pml.trail", "-t", "-p", "-g", "-B", str(MODEL))
    for line in said.splitlines():
        step = re.match(r"\s*\d+:\s+proc\s+\d+ \((\w+):\d+\) \S*:(\d+) \(state \d+\)\s+(\[.*\])", line)
        yield f"{step[1]:<9} {step[2]:>4}  {step[3]}" if step else line.replace(str(MODEL), MODEL.name)


def _figure(pattern: str, text: str) -> str:
    figure = re.search(pattern, text)
    if figure is None:
        raise RuntimeError(f"the checker did not say {pattern!r}:\n{text}")
    return figure[1]


def _ran(folder: Path, *words: str) -> str:
    """Run a tool; spin and its checker tell of their findings on standard output."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1} or "Error:" in done.stderr:
        raise RuntimeError(f"{words[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def row(found: Found) -> str:
    """Lay a finding out for a reader."""
    steps = str(found.steps) if found.violated else "-"
    return f"{found.variant:<34} {found.states:>9} {found.seconds:>7.2f}  {found.verdict:<12} {steps:>5}"


def main(words: Sequence[str]) -> int:
    """Check everything, or tell one trace."""
    absent = missing()
    if absent is not None:
        sys.stderr.write(f"make model: {absent}\n")
        return MISSING
    if words[:1] == ["--trace"] and len(words) == 2 and words[1] in variants():
        with tempfile.TemporaryDirectory() as folder:
            print("\n".join(trace(words[1], Path(folder))))
        return 0
    print(f"{'variant':<34} {'states':>9} {'s':>7}  {'verdict':<12} {'trace':>5}", flush=True)
    are_all_right = True
    for variant in variants():
        with tempfile.TemporaryDirectory() as folder:
            found = search(variant, Path(folder))
        print(row(found), flush=True)
        are_all_right = are_all_right and found.is_as_it_must
    return int(not are_all_right)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
