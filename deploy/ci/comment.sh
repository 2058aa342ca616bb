#!/usr/bin/env bash
# Comments a pull request with what its rules would change for people: hookswitch replay over past events. A later run of
# the same pull request updates the comment. Nothing is sent.
#
# Settings, in the environment:
#   EVENTS_FILE          exported events (hookswitch events export), or
#   DATABASE_URL         a database with past events; a role that may only read does not suffice: the report is kept there
#   BASE                 folder with the version to compare with, for EVENTS_FILE [default: ../base]
#   SINCE                how far back to look in the database [default: 7d]
#   GITHUB_REPOSITORY    owner/name; GitHub Actions sets it
#   PULL_REQUEST         number of the pull request; without it, the summary is only printed
#   GH_TOKEN             token that may comment (permission pull-requests: write)
#
# Requires hookswitch and gh (GitHub's command line) in the PATH. Run it in the folder with rules/ and plugins/.
set -euo pipefail

marker="<!-- hookswitch replay -->"
report=$(mktemp)
trap 'rm -f "$report"' EXIT

echo "$marker" >"$report"
if [[ -n ${EVENTS_FILE:-} ]]; then
  hookswitch replay --events "$EVENTS_FILE" --base "${BASE:-../base}" --markdown >>"$report"
elif [[ -n ${DATABASE_URL:-} ]]; then
  hookswitch replay --since "${SINCE:-7d}" --markdown >>"$report"
else
  echo "comment.sh: set EVENTS_FILE or DATABASE_URL" >&2
  exit 2
fi

if [[ -z ${PULL_REQUEST:-} ]]; then
  cat "$report"
  exit
fi

: "${GITHUB_REPOSITORY:?set it to owner/name}"
comments="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments"
mine=$(gh api "$comments" --paginate --jq ".[] | select(.body | startswith(\"$marker\")) | .id" | sed -n 1p)
if [[ -n $mine ]]; then
  gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$mine" --field "body=@$report" --silent
else
  gh api --method POST "$comments" --field "body=@$report" --silent
fi
