#!/bin/sh
# Gives the roles of roles.sql their passwords, at the first start of the PostgreSQL image (compose.yaml).
set -eu
psql --set=ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set=owner="$HOOKSWITCH_OWNER_PASSWORD" --set=host="$HOOKSWITCH_PASSWORD" <<'SQL'
ALTER ROLE hookswitch_owner PASSWORD :'owner';
ALTER ROLE hookswitch PASSWORD :'host';
SQL
