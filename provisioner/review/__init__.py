"""Where edits are reviewed: one comment under a pull request or merge request, on either forge."""
