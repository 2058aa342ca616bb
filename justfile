# Short names for the program's commands; nothing needs this file. What follows a recipe goes to the program.
# With the installed program instead of this source:  just hookswitch=hookswitch check

hookswitch := "cargo run --quiet --release --package hookswitch --"

set positional-arguments

# List the recipes
[private]
default:
    @{{ just_executable() }} --list --unsorted

# First set-up of a production database, step by step; does nothing twice
[group('production')]
setup:
    @echo "1. Tables (DATABASE_URL; first: deploy/README.md, for the roles)"
    {{ hookswitch }} migrate
    @echo "2. The groups that rules name"
    {{ hookswitch }} groups create-defaults
    @echo "3. An API key for events, unless there is one"
    {{ hookswitch }} keys list | awk 'NR > 1 && NF == 3 { found = 1 } END { exit !found }' || {{ hookswitch }} keys create events --scope events,read
    @echo "4. What is left to do (just link USERNAME NUMBER; just groups add GROUP PERSON); asks before it hands templates in"
    {{ hookswitch }} check --fix

# Say what is set up and what is missing, with the command that mends it
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

# Tell why each person did or did not get a message: an event's, notification's or WhatsApp message's id
[group('production')]
explain id *arguments:
    @{{ hookswitch }} explain "$@"

# Show everything at work on this machine, with a stand-in for WhatsApp
[group('rules')]
demo *arguments:
    {{ hookswitch }} demo "$@"

# Show what the rules make of an event; sends nothing
[group('rules')]
try event *arguments:
    @{{ hookswitch }} rules try "$@"

# Run the tests, or those whose names hold a text
[group('development')]
test *arguments:
    cargo test --workspace "$@"

# Try inputs made at random, for some seconds
[group('development')]
fuzz seconds='600' *arguments='':
    HOOKSWITCH_FUZZ={{ seconds }} cargo test --package hookswitch --test fuzz -- {{ arguments }}

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

# Break hosts, PostgreSQL, networks, Meta, disk and clock while thousands of events flow, and account for each
[group('development')]
faults *arguments:
    HOOKSWITCH_FAULTS=long cargo test --workspace --test faults -- "$@"
