#!/bin/sh
# Writes the secrets of docker-compose.yml that are missing into secrets/ (or BRIGADEWATCH_SECRETS), and changes none.
# An installation that had BRIGADEWATCH_SECRET_KEY, POSTGRES_PASSWORD or GRAFANA_PASSWORD in .env keeps their values.
set -eu
cd "$(dirname "$0")/.."
folder=${BRIGADEWATCH_SECRETS:-secrets}
mkdir -p "$folder"
chmod 700 "$folder"

# The containers' users are others than yours, so that the files have to be readable: the folder keeps others out.
keep() { # NAME VARIABLE BYTES
    [ ! -s "$folder/$1" ] || return 0
    value=
    [ ! -f .env ] || value=$(sed -n "s/^$2=//p" .env | tail -n 1)
    umask 077
    printf '%s\n' "${value:-$(openssl rand -hex "$3")}" > "$folder/$1.new"
    chmod 444 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
    echo "wrote $folder/$1${value:+ (from .env; delete $2 there)}"
}
keep brigadewatch_secret_key BRIGADEWATCH_SECRET_KEY 32
keep postgres_password POSTGRES_PASSWORD 24
keep valkey_password VALKEY_PASSWORD 24
keep grafana_password GRAFANA_PASSWORD 24
