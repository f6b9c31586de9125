"""
A pull request on GitHub, or on a forge that speaks its API.

Which one it is comes from the event that started the job, never from a file that another
job left.  That of a run that follows another one (`workflow_run`) names a commit: the pull
request is the open one that has it at its head, also if it comes from a fork.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from provisioner.errors import CtxprovError
from provisioner.files import read_whole
from provisioner.review.forge import Comment, Denied, ForgeApi, ForgeJson, needed, only

_TOKEN = "Give the step `GITHUB_TOKEN: ${{ github.token }}` and the job `pull-requests: write`."  # noqa: S105  # a hint

JOB = "github-actions[bot]"
"""Who comments with the token of a job."""


class GitHub:
    """One pull request, under which *author* comments; None stands for the owner of the token."""

    def __init__(self, api: ForgeApi, repository: str, number: int, author: str | None) -> None:
        self._api = api
        self._repository = f"/repos/{repository}"
        self._number = number
        self._author = author

    def mine(self) -> Iterator[Comment]:
        login = self._author or self._login()
        for comment in self._api.every(f"{self._repository}/issues/{self._number}/comments"):
            if (comment["user"] or {}).get("login") == login:
                yield Comment(id=comment["id"], text=comment["body"] or "")

    def add(self, text: str) -> None:
        path = f"{self._repository}/issues/{self._number}/comments"
        self._api.call("POST", path, {"body": text})

    def edit(self, comment: Comment, text: str) -> None:
        path = f"{self._repository}/issues/comments/{comment.id}"
        self._api.call("PATCH", path, {"body": text})

    def _login(self) -> str:
        """Who we are, which the token of a job may not ask."""
        try:
            return str(self._api.call("GET", "/user")["login"])
        except Denied:
            return JOB


def github_api(environ: Mapping[str, str]) -> ForgeApi:
    url = needed(environ, "GITHUB_API_URL")
    token = needed(environ, "GITHUB_TOKEN", _TOKEN)
    return ForgeApi(
        url, {"authorization": f"Bearer {token}", "accept": "application/vnd.github+json"}
    )


def pull_request(
    api: ForgeApi, environ: Mapping[str, str], number: int | None, author: str | None
) -> GitHub | None:
    """The pull request of this job; None if a newer commit is at its head by now."""
    repository = needed(environ, "GITHUB_REPOSITORY")
    number = number or _number(api, repository, _event(environ))
    return GitHub(api, repository, number, author) if number else None


def merged_pull_request(api: ForgeApi, environ: Mapping[str, str], author: str | None) -> GitHub:
    """The pull request that brought this job's commit into its branch."""
    repository, commit = needed(environ, "GITHUB_REPOSITORY"), needed(environ, "GITHUB_SHA")
    branch = needed(environ, "GITHUB_REF_NAME")
    listed = api.every(f"/repos/{repository}/commits/{commit}/pulls")
    numbers = [
        int(pull["number"])
        for pull in listed
        if pull["merged_at"] and pull["base"]["ref"] == branch
    ]
    number = only(numbers, f"brought {commit} into {branch}")
    return GitHub(api, repository, number, author)


def _event(environ: Mapping[str, str]) -> ForgeJson:
    path = Path(needed(environ, "GITHUB_EVENT_PATH"))
    try:
        return json.loads(read_whole(path, follow=True))
    except (OSError, ValueError) as error:
        raise CtxprovError(f"The event of this job cannot be read: {error}") from error


def _number(api: ForgeApi, repository: str, event: ForgeJson) -> int | None:
    match event:
        case {"pull_request": {"number": int(number)}}:
            return number
        case {
            "workflow_run": {
                "head_sha": str(commit),
                "head_branch": str(branch),
                "head_repository": {"owner": {"login": str(owner)}},
            }
        }:
            return _with_head(api, repository, commit, f"{owner}:{branch}")
        case _:
            raise CtxprovError("No pull request started this job: name one with --number.")


def _with_head(api: ForgeApi, repository: str, commit: str, branch: str) -> int | None:
    listed = api.every(f"/repos/{repository}/pulls", state="open", head=branch)
    numbers = [int(pull["number"]) for pull in listed if pull["head"]["sha"] == commit]
    return only(numbers, f"{commit} at its head") if numbers else None
