"""The document of a result has the rows of its plan."""

from __future__ import annotations

from provisioner.escape import json_text
from provisioner.model.facts import Done, Result
from provisioner.pricing import cost, costs
from provisioner.render.result import result_json
from provisioner.view.result import result_costs, result_view
from tests.render.fixtures import PLAN, RESULTS
from tests.stacks import CATALOG

COSTS = [cost(result.change, CATALOG.find, at=PLAN.at) for result in RESULTS]


def test_rows() -> None:
    """Each change is as in the plan, with its outcome and its error."""
    view = result_view(PLAN, RESULTS, COSTS)

    assert (view.summary.done, view.summary.failed, view.summary.not_attempted) == (1, 1, 1)
    assert [(row.name, row.outcome) for row in view.results] == [
        ("product-manual", "done"),
        ("brand-new", "failed"),
        ("old-faq", "not_attempted"),
    ]
    done, failed, _ = view.results
    assert done.error is None
    assert failed.error
    assert failed.error.endswith("503, says\nthe model is overloaded")
    assert done.before
    assert done.before.id == "cachedContents/1"
    assert done.cost
    assert done.cost.once
    assert done.cost.once.usd == 207_530 * 0.75e-6


def test_json() -> None:
    """The struct is the document that the commands print."""
    assert result_json(PLAN, RESULTS, COSTS) == json_text(result_view(PLAN, RESULTS, COSTS))


def test_costs_of_results() -> None:
    """Each result costs what its change costs in the plan."""
    results = [Result(change, Done()) for change in PLAN.changes]

    assert list(result_costs(PLAN, results, CATALOG.find)) == list(
        costs(PLAN, CATALOG.find, at=PLAN.now)
    )
