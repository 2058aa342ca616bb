# Short names for commands of the program; nothing needs this file. Arguments after a recipe go to the program.
# With the installed program instead of this source:  just hookswitch=hookswitch check

hookswitch := "cargo run --quiet --release --package hookswitch --"

set positional-arguments

# List the recipes
[private]
default:
    @{{ just_executable() }} --list --unsorted

# Set up a production database step by step; it can be repeated
[group('production')]
setup:
    @echo "1. Tables (DATABASE_URL; first: deploy/README.md, for the roles)"
    {{ hookswitch }} migrate
    @echo "2. The groups that rules name"
    {{ hookswitch }} groups create-defaults
    @echo "3. An API key for events"
    {{ hookswitch }} keys ensure events --scope events,read
    @echo "4. What is left to do (just link USERNAME NUMBER; just groups add GROUP PERSON); asks before it submits templates"
    {{ hookswitch }} check --fix

# Check the whole set-up and say how to fix what is wrong
[group('production')]
check *arguments:
    @{{ hookswitch }} check "$@"

# List the groups; or: create-defaults, add GROUP PERSON, remove GROUP PERSON
[group('production')]
groups *arguments='list':
    @{{ hookswitch }} groups "$@"

# Link a person to a WhatsApp number
[group('production')]
link username number:
    @{{ hookswitch }} people link "$@"

# Run the service
[group('production')]
serve *arguments:
    {{ hookswitch }} serve "$@"

# Exit with 0 if the service is ready, otherwise say why it is not
[group('production')]
ready *arguments:
    @{{ hookswitch }} ready "$@"

# Make a folder to install: the program without the simulator, rules, plugins with their components
[group('production')]
release folder='release':
    deploy/release.sh "$1"

# Explain why each person did or did not get a message, by the id of an event, a notification or a WhatsApp message
[group('production')]
explain id *arguments:
    @{{ hookswitch }} explain "$@"

# Show everything at work on this machine, with a simulated WhatsApp
[group('rules')]
demo *arguments:
    {{ hookswitch }} demo "$@"

# Show what the rules make of an event, without sending
[group('rules')]
try event *arguments:
    @{{ hookswitch }} rules try "$@"

# Run the tests, or those whose names contain a text
[group('development')]
test *arguments:
    cargo test --workspace "$@"

# Try random inputs for a number of seconds
[group('development')]
fuzz seconds='600' *arguments='':
    HOOKSWITCH_FUZZ={{ seconds }} cargo test --package hookswitch --test fuzz -- {{ arguments }}

# Make the pictures of the console in deploy/screenshots, with Chromium
[group('development')]
screenshots:
    HOOKSWITCH_SCREENSHOTS="$PWD/deploy/screenshots" cargo test --workspace --test browser

# Format the code
[group('development')]
fmt:
    cargo fmt --all

# Check format, lints and rules
[group('development')]
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    {{ hookswitch }} rules check

# Measure this machine
[group('development')]
bench *arguments:
    cargo build --release --package hookswitch --package hookswitch-bench
    target/release/hookswitch-bench "$@"

# Inject faults (hosts, PostgreSQL, networks, Meta, disk, clock) under load, and account for every event
[group('development')]
faults *arguments:
    HOOKSWITCH_FAULTS=long cargo test --workspace --test faults -- "$@"
