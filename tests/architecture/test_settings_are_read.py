"""A setting or limit that nothing reads is a promise that nobody keeps."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "libs/runtime/src/gpt_trader/runtime/settings.py"
POLICY = sorted((ROOT / "services/risk-gate/src/gpt_trader/risk_gate/domain/policy").glob("*.py"))
SETTINGS = sorted(ROOT.glob("services/*/src/gpt_trader/*/settings.py"))
CONFIRMATIONS = {"confirm_live": "its validator is its use: live mode does not start without it"}


def sources(*folders: Path) -> Iterator[Path]:
    return (path for folder in folders for path in sorted(folder.rglob("src/**/*.py")))


def attributes(tree: ast.AST) -> set[str]:
    """Names read from some object, by attribute or by pattern."""
    nodes = list(ast.walk(tree))
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}
    return read.union(*(node.kwd_attrs for node in nodes if isinstance(node, ast.MatchClass)))


def is_validator(method: ast.FunctionDef) -> bool:
    return any("validator" in ast.unparse(decorator) for decorator in method.decorator_list)


def unread_fields(model: ast.Module, others: Iterable[ast.Module]) -> list[str]:
    """Fields that others read neither themselves nor through a method; a validator's look is no use."""
    read = set[str]().union(*map(attributes, others))
    classes = [node for node in ast.walk(model) if isinstance(node, ast.ClassDef)]
    members = [(owner, member) for owner in classes for member in owner.body]
    for _, member in members:
        if isinstance(member, ast.FunctionDef) and member.name in read and not is_validator(member):
            read |= attributes(member)
    return [
        f"{owner.name}.{member.target.id}"
        for owner, member in members
        if isinstance(member, ast.AnnAssign)
        and isinstance(member.target, ast.Name)
        and member.target.id not in read | CONFIRMATIONS.keys()
        and not member.target.id.startswith("_")
    ]


def unread(model: Path, *folders: Path) -> list[str]:
    others = (path for path in sources(*folders) if path not in {model, RUNTIME})
    return unread_fields(ast.parse(model.read_text()), (ast.parse(path.read_text()) for path in others))


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda path: path.parts[-5])
def test_every_setting_is_read_by_its_service(settings: Path) -> None:
    assert not unread(settings, settings.parents[3])


def test_every_shared_setting_is_read() -> None:
    assert not unread(RUNTIME, ROOT / "libs", ROOT / "services")


def test_every_limit_of_the_policy_is_read_by_the_gate() -> None:
    for part in POLICY:
        assert not unread(part, ROOT / "services/risk-gate")


def test_a_field_that_only_a_validator_or_an_unused_method_looks_at_is_found() -> None:
    model = ast.parse("""
class Settings:
    used: int
    derived: int
    checked: int
    forgotten: int

    @model_validator(mode="after")
    def sane(self): return self.checked
    def limit(self): return self.derived
    def nobody_asks(self): return self.forgotten
""")
    service = ast.parse("settings.used; settings.limit()")

    assert unread_fields(model, [service]) == ["Settings.checked", "Settings.forgotten"]
