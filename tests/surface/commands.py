"""Commands, options and arguments, as click knows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from provisioner import cli


def commands() -> dict[str, Any]:
    """Return each command, and each option and argument of it, with how it may be given."""
    return dict(_of("ctxprov", cli.group, None))


def _of(
    path: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    name = path.rpartition(" ")[2]
    context = click.Context(command, parent=parent, info_name=name, **command.context_settings)
    yield path, _filled({"hidden": command.hidden, "group": isinstance(command, click.Group)})
    place = 0
    for param in command.get_params(context):
        if isinstance(param, click.Argument):
            place += 1
            yield f"{path} <{place}>", _param(param)
        else:
            yield f"{path} {max(param.opts, key=len)}", _param(param)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            if subcommand := command.get_command(context, child):
                yield from _of(f"{path} {child}", subcommand, context)


def _param(param: click.Parameter) -> dict[str, Any]:
    kind = param.type
    is_flag = getattr(param, "is_flag", False)
    default = json.loads(json.dumps(param.to_info_dict().get("default"), default=str))
    return _filled(
        {
            "spelled": [*param.opts, *param.secondary_opts]
            if isinstance(param, click.Option)
            else [],
            "metavar": None if is_flag else param.metavar or _usual_metavar(param),
            "choices": list(kind.choices) if isinstance(kind, click.Choice) else None,
            "min": getattr(kind, "min", None),
            "max": getattr(kind, "max", None),
            "default": "computed" if callable(param.default) else default,
            "envvar": param.envvar,
            "flag": is_flag,
            "hidden": getattr(param, "hidden", False),
            "multiple": param.multiple,
            "nargs": param.nargs if param.nargs != 1 else None,
            "required": param.required,
        }
    )


def _usual_metavar(param: click.Parameter) -> str | None:
    """What click shows by itself; not the choices, since each version of click draws its own."""
    if isinstance(param.type, click.Choice):
        return None
    return param.type.name.upper() if isinstance(param, click.Option) else param.human_readable_name


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in (None, False, [])}
