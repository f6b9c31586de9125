"""
Options and help of what plans and applies: `plan`, `explain`, `apply`, `destroy`, `keepalive`.

What a command does is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from provisioner.cli import options

if TYPE_CHECKING:
    from provisioner.approval import Approval
    from provisioner.model.changes import Cause


plan_option = options.file(
    "--plan",
    "plan_file",
    help="Perform only the edits that this plan in JSON shows; skip the prompt.",
)


@options.TextParam
def _approval(text: str) -> Approval:
    """A fingerprint is approved whole: twelve digits can be met on purpose."""
    from provisioner.approval import Approval

    try:
        return Approval.parse(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an approval: give all 64 digits of a fingerprint, as a plan in JSON "
            "or Markdown has them, or what ctxprov approved prints."
        ) from None


expect_option = click.option(
    "--expect",
    type=_approval,
    metavar="APPROVAL",
    help="Perform only the edits of this fingerprint or of what approved printed; skip the prompt.",
)


allow_older_option = options.flag(
    "--allow-older",
    help="Perform edits of an older commit than the one that was applied last.",
)


watch_option = options.flag(
    "--watch",
    help="Keep running: sleep until the next refresh or expiry is due, and apply again; while "
    "edits are refused, fail or are in error, keep alive what is recorded.",
)


every_option = click.option(
    "--every",
    type=options.duration(at_least=options.SOONEST),
    metavar="DURATION",
    help="Look for edits at least this often with --watch; by default 1h.",
)


def _key_envs(
    _: click.Context, param: click.Parameter, pairs: tuple[str, ...]
) -> Mapping[str, str]:
    """Read `PROVIDER=VARIABLE`, as often as it is given."""
    cut = [pair.partition("=") for pair in pairs]
    if not all(map(all, cut)):
        raise click.BadParameter("give PROVIDER=VARIABLE", param=param)
    return {name: variable for name, _, variable in cut}


@options.TextParam
def _causes(text: str) -> frozenset[Cause]:
    from provisioner.model.changes import Cause

    try:
        return frozenset(map(Cause, text.split(",")))
    except ValueError:
        raise ValueError(f"{text!r} is not a list of edit, drift and time") from None


@click.command("plan")
@options.stacks_options
@options.json_option
@options.flag("-v", "--verbose", help="Show every change attribute by attribute.")
@click.option(
    "--base",
    metavar="REF",
    help="Compare with the merge base of a git ref instead of state and live side; no key needed.",
)
@click.option(
    "--at",
    type=options.moment,
    metavar="WHEN",
    help="Plan for +6h from the provider's now, or for a moment.",
)
@options.flag("--detailed-exitcode", help="Exit 2 if changes are pending, 0 if none are.")
@click.option(
    "--exit-on",
    type=_causes,
    default="edit,drift,time",
    show_default=True,
    metavar="CAUSES",
    help="Which causes count for --detailed-exitcode.",
)
@options.flag(
    "--count-tokens",
    help="Let the provider count what is not counted yet, and remember it.",
)
@options.edit_options
@options.brief_max_wait_option
@options.models_option
@options.part_options
@options.override_option
@options.out_option
@options.terminal_options
@options.each_stack("plan", "plan_stacks")
def plan_command() -> None:
    """
    Show what apply would do.

    Compares the manifest and its content with the recorded state and with what is live,
    and changes nothing. It takes no lock. The provider's clock decides what has expired; with
    --base, which asks no provider, this machine's. Of a stack or environment that the branch
    removes, --base says what stays alive and which command ends that.

    \b
    Examples:
      ctxprov plan
      ctxprov plan examples/support-bot --emulator
      ctxprov plan --detailed-exitcode --exit-on edit,drift
      ctxprov plan --at +6h
      ctxprov plan --out json=plan.json --out markdown=plan.md
      ctxprov plan --base origin/main -v
      ctxprov plan stacks/* --count-tokens
    """


@click.command("explain")
@click.argument("name")
@options.folders_options
@click.option(
    "--at",
    type=options.moment,
    metavar="WHEN",
    help="Explain for +6h from the provider's now, or for a moment.",
)
@options.accept_scope_option
@options.report_options
@options.each_stack("plan", "explain_cache")
def explain_command() -> None:
    """
    Explain what plan decides about one cache, and from what.

    Shows what is desired, recorded and live side by side, the row of the planner's table that
    decided, the thresholds, what it costs, the calls that apply would make, and when the
    decision turns if only time passes. NAME may also be the id of a live or retiring cache.
    Changes nothing and takes no lock.

    \b
    Examples:
      ctxprov explain product-manual -C examples/support-bot --emulator
      ctxprov explain product-manual --at +6h
      ctxprov explain cachedContents/abc123 --json
      ctxprov explain product-manual -C 'stacks/*'
    """


@click.command("apply")
@options.stacks_options
@options.auto_approve_option
@plan_option
@expect_option
@options.edit_options
@options.pace_options
@options.part_options
@options.override_option
@allow_older_option
@options.models_option
@watch_option
@every_option
@options.metrics_option
@options.document_options
@options.calls("apply", "apply_stacks")
def apply_command() -> None:
    """
    Create, refresh, replace and retire caches to match the manifest.

    Shows the plan and asks before it changes anything. It creates, records and publishes a new
    cache before it retires an old one. The next run retries what fails.

    \b
    Examples:
      ctxprov apply
      ctxprov apply examples/support-bot --emulator
      ctxprov apply --auto-approve --lock-timeout 5m
      ctxprov apply --replace product-manual
      ctxprov apply --plan plan.json
      ctxprov apply stacks/* --auto-approve
      ctxprov apply --watch --auto-approve --metrics-file ctxprov.prom
    """


@click.command("destroy")
@options.stacks_options
@click.option(
    "--stack",
    "name",
    metavar="NAME[.ENV]",
    help="End a stack that no manifest names any more; needs --state.",
)
@options.repeatable(
    "--key-env",
    "key_envs",
    callback=_key_envs,
    metavar="PROVIDER=VARIABLE",
    help="With --stack: read a provider's key from this variable; repeatable.",
)
@options.auto_approve_option
@options.prune_option
@options.accept_scope_option
@options.pace_options
@options.models_option
@options.part_options
@options.document_options
@options.calls("apply", "destroy_stacks")
def destroy_command() -> None:
    """
    Delete every recorded cache of a stack.

    Shows what would go and asks. Protected caches stay. The manifest's limits are ignored. The
    content files need not be there any more. Running applications lose their caches at once; to
    let caches expire instead, remove them from the manifest and apply.

    A stack or environment that no manifest names any more is ended by its name and the place
    of its state; the key comes from the environment.

    \b
    Examples:
      ctxprov destroy examples/support-bot --emulator
      ctxprov destroy --prune --auto-approve
      ctxprov destroy --stack support-bot.staging --state s3://bucket/prefix
    """


@click.command("keepalive")
@options.stacks_options
@options.accept_options
@options.pace_options
@options.models_option
@options.metrics_option
@options.document_options
@options.each_stack("apply", "keep_stack")
def keepalive_command() -> None:
    """
    Keep alive what is recorded; leave every edit to a review.

    For schedules. Refreshes what is about to expire, creates again what has expired if the
    working tree still has exactly its content, finishes retirements and publishes handles. It
    never prompts, replaces nothing and creates no new content. Exits 1 if a cache could not be
    kept, or if nothing is on record although caches of the stack are alive or CI keeps its state
    in a folder.

    \b
    Examples:
      ctxprov keepalive
      ctxprov keepalive examples/support-bot --emulator
    """
