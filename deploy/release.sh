#!/usr/bin/env bash
# Makes a folder with all that a production machine needs: the program without the simulator, the rules, and the plugins
# with their components but without what they are built from. It is made only if the rules and plugins in it pass their
# check.
#
#   deploy/release.sh FOLDER            builds the program
#   deploy/release.sh FOLDER PROGRAM    takes a built one
set -euo pipefail
shopt -s nullglob

folder=$(realpath --canonicalize-missing "${1:?usage: deploy/release.sh FOLDER [PROGRAM]}")
program=${2:+$(realpath "$2")}
cd "$(dirname "$0")/.."
if [ -e "$folder" ]; then
  echo "$folder exists; remove it first, or name another folder" >&2
  exit 1
fi

if [ -z "$program" ]; then
  cargo build --release --locked --package hookswitch --no-default-features
  program=${CARGO_TARGET_DIR:-target}/release/hookswitch
fi
# Plugins in JavaScript require Node.js, those in Python componentize-py.
"$program" plugin build --plugins plugins

new=$(mktemp --directory "$folder.XXXXXX")
trap 'rm -rf "$new"' EXIT
install -m 0755 "$program" "$new/hookswitch"
cp -R rules "$new/rules"
mkdir "$new/plugins"
for manifest in plugins/*/plugin.yaml; do
  plugin=$(dirname "$manifest")
  mkdir "$new/$plugin"
  tar -C "$plugin" --exclude=./target --exclude=./node_modules --exclude=./src --exclude='./Cargo.*' -cf - . |
    tar -C "$new/$plugin" -xf -
done
# For the user that the host runs as, whatever the umask of whoever builds.
chmod -R u=rwX,go=rX "$new"

cache=$(mktemp --directory)
trap 'rm -rf "$new" "$cache"' EXIT
"$new/hookswitch" rules check --rules "$new/rules" --plugins "$new/plugins" --plugin-cache "$cache"
mv --no-target-directory "$new" "$folder"
echo "$folder"
