#!/bin/sh
# Writes the secrets of docker-compose.yml that are missing into secrets/ (or BRIGADEWATCH_SECRETS), and changes none.
# An installation that had BRIGADEWATCH_SECRET_KEY, POSTGRES_PASSWORD or GRAFANA_PASSWORD in .env keeps their values.
set -eu
cd "$(dirname "$0")/.."

of_env() { # NAME: its value in .env, as Compose reads it, without quotes around it
    [ ! -f .env ] || tr -d '\r' < .env | sed -n "s/^$1=//p" | tail -n 1 | sed "s/^\\([\"']\\)\\(.*\\)\\1\$/\\2/"
}

folder=${BRIGADEWATCH_SECRETS:-$(of_env BRIGADEWATCH_SECRETS)}
folder=${folder:-secrets}
mkdir -p "$folder"
chmod 700 "$folder"

# The containers' users are others than yours, so that the files have to be readable: the folder keeps others out.
keep() { # NAME VARIABLE BYTES
    [ ! -s "$folder/$1" ] || return 0
    value=$(of_env "$2")
    from=${value:+ (from .env; delete $2 there)}
    value=${value:-$(openssl rand -hex "$3")}  # ends the script where there is no openssl
    umask 077
    printf '%s\n' "$value" > "$folder/$1.new"
    chmod 444 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
    echo "wrote $folder/$1$from"
}
keep brigadewatch_secret_key BRIGADEWATCH_SECRET_KEY 32
keep postgres_password POSTGRES_PASSWORD 24
keep valkey_password VALKEY_PASSWORD 24
keep grafana_password GRAFANA_PASSWORD 24
