"""
Options and help of the state and its lock: `state`, `lock` and `unlock`.

What a command does is imported when it is called.
"""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.cli import options

_writing_options = options.together(
    options.flag("--dry-run", help="Show what would change; write nothing."),
    options.lock_timeout_option,
)


@click.group("lock")
def lock_command() -> None:
    """
    Show the lock owner of a stack's state.

    \b
    Examples:
      ctxprov lock status
      ctxprov lock status --json
    """


@lock_command.command("status")
@options.folders_options
@options.json_option
@options.each_stack("state", "show_locks")
def lock_status_command() -> None:
    """
    Show the lock owner of the state, since when, and the lock's ID.

    \b
    Examples:
      ctxprov lock status
      ctxprov lock status --json
      ctxprov lock status -C 'stacks/*'
    """


@click.command("unlock")
@click.argument("lock_id", metavar="[ID]", required=False)
@options.flag("--mine", help="End the lock of this CI job, if it has one.")
@options.folders_or_one_options
@options.each_stack("state", "end_locks", only_one_with="lock_id")
def unlock_command() -> None:
    """
    End the lock of a run that is dead.

    A lease expires by itself; unlock does not wait for it. If the run lives after all, the backend
    refuses its writes. On disk a lock ends with its run and needs no unlock.

    \b
    Examples:
      ctxprov unlock 3f9c0a7be1d2
      ctxprov unlock --mine
      ctxprov unlock --mine -C 'stacks/*'
    """


@click.group("state")
def state_command() -> None:
    """
    Show and edit the state of a stack by hand.

    A command that writes takes the lock, keeps the state it replaces and adds to the history.
    None asks a provider or touches a live cache.

    \b
    Examples:
      ctxprov state list
      ctxprov state mv old-name new-name --dry-run
      ctxprov state pull --serial 12 > earlier.json
      ctxprov state push demo.unsaved.json
      ctxprov state migrate s3://bucket/prefix
    """


@state_command.command("list")
@options.folders_options
@options.json_option
@options.each_stack("state", "list_records")
def state_list_command() -> None:
    """
    List what is on record by name, and what is retiring by id.

    \b
    Examples:
      ctxprov state list
      ctxprov state list --json
      ctxprov state list -C 'stacks/*'
    """


@state_command.command("show")
@click.argument("name")
@options.folder_options
@options.each_stack("state", "show_record")
def state_show_command() -> None:
    """
    Print one record as it stands in the state.

    \b
    Examples:
      ctxprov state show product-manual
    """


@state_command.command("pull")
@click.option("--serial", type=int, metavar="N", help="Print this earlier version.")
@options.folder_options
@options.each_stack("state", "pull_state")
def state_pull_command() -> None:
    """
    Print the state, or an earlier version of it, byte for byte.

    \b
    Examples:
      ctxprov state pull > now.json
      ctxprov state pull --serial 12 > earlier.json
    """


@state_command.command("push")
@click.argument("file", type=click.Path(path_type=Path))
@options.flag(
    "--force",
    help="Replace also a state that has no older serial or cannot be read.",
)
@_writing_options
@options.folder_options
@options.each_stack("state", "push_state")
def state_push_command() -> None:
    """
    Put a state from a file in place of the one that is there.

    \b
    Examples:
      ctxprov state push demo.unsaved.json
      ctxprov state push earlier.json --force --dry-run
    """


@state_command.command("mv")
@click.argument("old")
@click.argument("new", required=False)
@click.option(
    "--to-stack", type=click.Path(path_type=Path), metavar="DIR", help="Move it to this stack."
)
@click.option(
    "--to-env", metavar="NAME", help="Move it to this environment; by default that of --env."
)
@options.accept_scope_option
@_writing_options
@options.folder_options
@options.each_stack("state", "move_record")
def state_mv_command() -> None:
    """
    Rename a record, or give it to another stack, whose folder --to-stack names.

    Nothing is created, and the live cache's label keeps the old name. A stack that gave a cache
    away never takes it for a stray. Declare the cache there, and no longer here, before the next
    apply.

    \b
    Examples:
      ctxprov state mv old-name new-name
      ctxprov state mv old-name new-name --dry-run
      ctxprov state mv product-manual --to-stack ../support
    """


@state_command.command("rename-stack")
@click.argument("old", metavar="OLD[.ENV]")
@click.argument("new", metavar="NEW[.ENV]")
@_writing_options
@options.folder_option
@options.state_option
@options.emulator_option
@options.each_stack("state", "give_stack_name")
def state_rename_stack_command() -> None:
    """
    Give everything on record in a stack, or in one environment of it, another stack's name.

    Nothing is created, and live caches keep their labels. Runs under the old name are refused
    from then on. The manifest may have either name; with --state none is needed.

    \b
    Examples:
      ctxprov state rename-stack support-bot helpdesk
      ctxprov state rename-stack shop.staging shop.preview --dry-run
      ctxprov state rename-stack support-bot helpdesk --state s3://bucket/prefix
    """


@state_command.command("rm")
@click.argument("name")
@_writing_options
@options.folder_options
@options.each_stack("state", "forget_record")
def state_rm_command() -> None:
    """
    Forget a record; the live cache stays as it is.

    \b
    Examples:
      ctxprov state rm product-manual --dry-run
    """


@state_command.command("migrate")
@click.argument("destination", metavar="PLACE")
@_writing_options
@options.folders_option
@options.env_option
@options.state_option
@options.each_stack("state", "copy_state")
def state_migrate_command() -> None:
    """
    Copy state, history and kept versions to another backend, under both locks.

    A trial with --emulator stays where it is.

    \b
    Examples:
      ctxprov state migrate s3://bucket/prefix
      ctxprov state migrate git+branch:ctxprov-state --dry-run
      ctxprov state migrate s3://bucket/prefix -C 'stacks/*'
    """


@state_command.command("history")
@options.folders_options
@options.json_option
@options.each_stack("state", "show_history")
def state_history_command() -> None:
    """
    List the last runs that changed the stack or tried to, oldest first.

    \b
    Examples:
      ctxprov state history
      ctxprov state history --json
      ctxprov state history -C 'stacks/*'
    """
