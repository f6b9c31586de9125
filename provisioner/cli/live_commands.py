"""
Options and help of what looks at caches and serves them: `drift`, `list`, `gc`, `next`, `show`,
`output` and `emulator`.

What a command does is imported when it is called.
"""

from __future__ import annotations

import click

from provisioner.cli import options


@click.command("drift")
@options.stacks_options
@options.accept_scope_option
@options.brief_max_wait_option
@options.models_option
@options.document_options
@options.each_stack("drift", "report_drift")
def drift_command() -> None:
    """
    Report what another program changed on the live side; change nothing.

    Compares the record with the live side. Reports caches that are missing, were shortened, or
    carry this stack's label without being on record; ignores edits and what time does. Exits 2
    on drift.

    \b
    Examples:
      ctxprov drift
      ctxprov drift --json
    """


@click.command("list")
@options.stacks_options
@options.report_options
@options.calls("list_caches", "list_caches")
def list_command() -> None:
    """
    List every live cache of the project, with or without our label.

    Needs an API key, but neither manifest nor state. Where manifests name several projects,
    all whose keys are at hand are listed, each once. Caches that ctxprov labelled are
    grouped by stack; of every stack whose manifest is at hand the strays are marked, in all
    environments unless one is chosen, and caches of environments that it no longer declares.
    Changes nothing.

    \b
    Examples:
      ctxprov list
      ctxprov list --json
      ctxprov list stacks/*
      ctxprov list examples/support-bot --emulator
    """


@click.command("gc")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@options.repeatable(
    "--state",
    "addresses",
    metavar="ADDRESS",
    help="Where states are: every place that stacks of this project use; or CTXPROV_STATE.",
)
@options.repeatable("--stack", "stacks", metavar="NAME[.ENV]", help="Delete all of it; repeatable.")
@click.option(
    "--key-env",
    metavar="VARIABLE",
    help="Read the project's key from this variable, not the usual one.",
)
@options.auto_approve_option
@options.lock_timeout_option
@options.report_options
@options.calls("list_caches", "collect_garbage")
def gc_command() -> None:
    """
    List live caches whose label names a stack without a state, and delete those that are named.

    Looks at a whole project. A stack counts as gone only if its state is absent at every
    ADDRESS; one that cannot be read, or that a run holds, is left alone and exits 1. Deletes
    nothing unless a --stack or an ID is given, and asks first.

    \b
    Examples:
      ctxprov gc --state s3://bucket/prefix
      ctxprov gc --state s3://bucket/prefix --stack support-bot.staging
      ctxprov gc --state state --state git+branch:ctxprov-state cachedContents/abc123
    """


@click.command("next")
@options.stacks_options
@options.json_option
@options.calls("drift", "report_next_run")
def next_command() -> None:
    """
    Show when to run again, by the state alone.

    Prints the moment at which the first refresh falls due, and until when everything that
    is kept warm stays warm without a run. Needs a key only if nothing is on record: then it
    looks for live caches of the stack, and exits 1 if there are any, or if CI keeps its state in
    a folder.

    \b
    Examples:
      ctxprov next
      ctxprov next --json
      ctxprov next stacks/*
    """


@click.command("show")
@click.argument("name", required=False)
@options.folders_or_one_options
@options.flag("--live", help="Ask the provider as well; needs a key.")
@options.models_option
@options.terminal_options
@options.each_stack("show", "show_stack", only_one_with="name")
def show_command() -> None:
    """
    Show what is on record: a line per cache, or one cache in full.

    Reads the state; with --live asks the provider what has become of it.

    \b
    Examples:
      ctxprov show
      ctxprov show product-manual -C examples/support-bot --emulator --live
      ctxprov show -C stacks/one -C stacks/two
    """


@click.command("output")
@click.argument("name", required=False)
@options.folders_or_one_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "env", "request"]),
    default="json",
    show_default=True,
    help="The handle as JSON or as variables for a shell, or a whole request.",
)
@click.option(
    "--api",
    type=click.Choice(["responses", "chat"]),
    default=None,
    help="Which of OpenAI's APIs a request is for; by default responses.",
)
@options.flag(
    "--no-content",
    help="Put path and digest in place of the content of a request.",
)
@options.each_stack("show", "output_handles", only_one_with="name", as_json=True)
def output_command() -> None:
    """
    Print the handles that applications need, as JSON.

    Reads the state. With a NAME prints that cache alone; a cache that has expired, or was
    never applied, has no handle, and asking for it by name fails. A request is made of the
    entry's files, which must be those that were applied.

    \b
    Examples:
      ctxprov output
      ctxprov output product-manual -C examples/support-bot
      ctxprov output product-manual --format env
      ctxprov output refund-policy --format request --no-content
      ctxprov output triage --format request --api chat
      ctxprov output -C stacks/one -C stacks/two
    """


@click.command("emulator")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=8085,
    show_default=True,
    help="Port on loopback; 0 takes a free one.",
)
@options.repeatable(
    "--api-key",
    "api_keys",
    metavar="KEY",
    help="Accept this key only; repeatable. Without it any key will do.",
)
@options.file(
    "--store",
    help="Keep the caches in this SQLite file; by default they end with the program.",
)
@options.calls("emulator", "serve_emulator")
def emulator_command() -> None:
    """
    Serve a local Gemini cachedContents API.

    Point any Gemini client at it; it behaves as the real one does, errors included, and
    sends nothing anywhere. Stop it with Ctrl-C.

    \b
    Examples:
      ctxprov emulator
      ctxprov emulator --port 9000 --api-key secret --store caches.sqlite3
      GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8085 GEMINI_API_KEY=any ctxprov list
    """
