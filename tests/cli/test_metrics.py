"""`--metrics-file` holds how each stack ended, for a collector."""

from __future__ import annotations

from provisioner import runtime
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.metrics import value_of

A = f"a: {{{GEMINI}, content: a.md}}"


def test_metrics_of_success_and_failure(stage: Stage) -> None:
    """A collector sees caches and rent, and after a failure when all was last well."""
    stage.write(A, a=LONG)
    file = stage.root / "ctxprov.prom"
    before = runtime.SYSTEM.now().timestamp()

    assert stage.apply("--metrics-file", str(file)).status == 0
    well = file.read_text()
    (stage.root / "a.md").unlink()
    assert stage.apply("--metrics-file", str(file)).status == 1
    ill = file.read_text()

    folder, last_success = str(stage.root), "ctxprov_last_success_timestamp_seconds"
    assert value_of(well, "ctxprov_caches", stack="demo") == 1
    assert value_of(well, "ctxprov_rent_usd_per_hour", stack="demo")
    success = value_of(well, last_success, folder=folder)
    assert success is not None
    assert success >= before
    assert value_of(ill, last_success, folder=folder) == success
    assert value_of(ill, "ctxprov_last_exit_status", folder=folder) == 1


def test_metrics_of_keepalive(stage: Stage) -> None:
    """A schedule tells the same, and lacks nothing but prices if their file cannot be read."""
    stage.write(A, a=LONG)
    stage.apply()
    file = stage.root / "ctxprov.prom"

    result = stage.run("keepalive", ".", "--metrics-file", str(file), "--models", "missing.json")
    assert result.status == 0
    left = value_of(file.read_text(), "ctxprov_cache_seconds_to_expiry", stack="demo", name="a")
    assert left is not None
    assert left > 0
