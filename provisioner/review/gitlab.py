"""A merge request on GitLab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from provisioner.review.forge import Comment, ForgeApi, needed, only

_TOKEN = "Make a project access token with the scope api and the role Reporter."  # noqa: S105  # a hint


class GitLab:
    """One merge request."""

    def __init__(self, api: ForgeApi, project: str, number: int) -> None:
        self._api = api
        self._notes = f"/projects/{project}/merge_requests/{number}/notes"

    def mine(self) -> Iterator[Comment]:
        me = self._api.call("GET", "/user")["id"]
        for note in self._api.every(self._notes, sort="asc", order_by="created_at"):
            if note["author"]["id"] == me:
                yield Comment(id=note["id"], text=note["body"])

    def add(self, text: str) -> None:
        self._api.call("POST", self._notes, {"body": text})

    def edit(self, comment: Comment, text: str) -> None:
        self._api.call("PUT", f"{self._notes}/{comment.id}", {"body": text})


def gitlab_api(environ: Mapping[str, str]) -> ForgeApi:
    url = needed(environ, "CI_API_V4_URL")
    return ForgeApi(url, {"private-token": needed(environ, "GITLAB_TOKEN", _TOKEN)})


def merge_request(api: ForgeApi, environ: Mapping[str, str], number: int | None) -> GitLab | None:
    """The merge request of this job; None if a newer commit is at its head by now."""
    project = environ.get("CI_MERGE_REQUEST_PROJECT_ID") or needed(environ, "CI_PROJECT_ID")
    if number:
        return GitLab(api, project, number)
    hint = "No merge request started this job: name one with --number."
    number = int(needed(environ, "CI_MERGE_REQUEST_IID", hint))
    # A pipeline of merged results runs on a commit of its own.
    ours = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or needed(environ, "CI_COMMIT_SHA")
    head = api.call("GET", f"/projects/{project}/merge_requests/{number}")["sha"]
    return GitLab(api, project, number) if head == ours else None


def merged_merge_request(api: ForgeApi, environ: Mapping[str, str]) -> GitLab:
    """The merge request that brought this job's commit into its branch."""
    project, commit = needed(environ, "CI_PROJECT_ID"), needed(environ, "CI_COMMIT_SHA")
    branch = needed(environ, "CI_COMMIT_BRANCH")
    listed = api.every(f"/projects/{project}/repository/commits/{commit}/merge_requests")
    numbers = [
        int(request["iid"])
        for request in listed
        if request["state"] == "merged" and request["target_branch"] == branch
    ]
    return GitLab(api, project, only(numbers, f"brought {commit} into {branch}"))
