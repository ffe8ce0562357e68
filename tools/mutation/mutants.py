"""The mutants of a module: mutmut's, as source texts. Needs mutmut, which is not in .venv."""

import ast
import dataclasses
import difflib
import hashlib
from collections.abc import Iterator

from mutmut.mutation.file_mutation import create_mutations


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One changed version of a module."""

    line: int
    """The first line that differs, from 1."""
    removed: str
    added: str
    """The lines that differ, without indentation and line breaks."""
    code: str
    """The whole module."""

    @property
    def key(self) -> str:
        """A digest of the module."""
        return hashlib.sha256(self.code.encode()).hexdigest()[:16]

    @property
    def change(self) -> str:
        """The change as one text, by which `survivors.toml` names the mutant."""
        return f"{self.removed} → {self.added}"


def mutants(file: str, code: str) -> Iterator[Mutant]:
    """Yield each mutant of *code*, the contents of *file*, that compiles to something else."""
    module, mutations, *_ = create_mutations(file, code)
    seen = {ast.dump(ast.parse(code))}
    for mutation in mutations:
        changed = module.deep_replace(mutation.original_node, mutation.mutated_node).code
        try:
            tree = ast.dump(ast.parse(changed))
        except SyntaxError:
            continue
        if tree not in seen:
            seen.add(tree)
            yield _described(code, changed)


def _described(code: str, changed: str) -> Mutant:
    before, after = code.splitlines(), changed.splitlines()
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changes = [block for block in blocks if block[0] != "equal"]
    removed = " ".join(line.strip() for _, start, end, _, _ in changes for line in before[start:end])
    added = " ".join(line.strip() for _, _, _, start, end in changes for line in after[start:end])
    return Mutant(changes[0][1] + 1, removed, added, changed)
