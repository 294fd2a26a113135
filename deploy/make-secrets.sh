#!/bin/sh
# Makes what an installation keeps secret, beside the certificates and keys of `stoa certs dev`: a
# password for each role of the database, with its URL, and the client secrets and the operator's
# password of the first start; besides the ids that name the installation.
#
#   make-secrets.sh FOLDER DATABASE_HOST [FILE_WITH_THE_AUTHORITY_OF_THE_DATABASE]
#
# FOLDER is the one of `stoa certs dev`. What exists already is left as it is.
set -eu
umask 077

usage="usage: make-secrets.sh FOLDER DATABASE_HOST [FILE_WITH_THE_AUTHORITY_OF_THE_DATABASE]"
folder=${1:?"$usage"}
host=${2:?"$usage"}
authority=${3:-$folder/ca.pem}
if [ -e "$folder/installation.env" ]; then
  echo "$folder/installation.env exists: nothing was made"
  exit 0
fi

# So many random bytes, in hexadecimal digits.
random() { od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
uuid() {
  random 16 | sed 's/^\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.\{12\}\)$/\1-\2-4\3-a\4-\5/'
}

mkdir -p "$folder/database" "$folder/bootstrap"
cp "$authority" "$folder/database/ca.crt"
: > "$folder/database/passwords.sql"
for role in owner auth users listings transactions event_log; do
  password=$(random 24)
  printf "ALTER ROLE stoa_%s PASSWORD '%s';\n" "$role" "$password" >> "$folder/database/passwords.sql"
  # The path is the one inside the container.
  printf 'postgres://stoa_%s:%s@%s/stoa?sslmode=verify-full&sslrootcert=/etc/stoa/database/ca.crt' \
    "$role" "$password" "$host" > "$folder/database/stoa_$role.url"
done
random 24 > "$folder/database/superuser.password"

random 32 > "$folder/bootstrap/marketplace-client-secret"
random 32 > "$folder/bootstrap/integration-client-secret"
random 16 > "$folder/bootstrap/operator-password"

# What `stoa certs dev` has written: key = "value".
of() { sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" "$folder/installation.toml"; }
# Last, because it says that everything was made.
cat > "$folder/installation.env" <<END
STOA_INSTALLATION__MARKETPLACE_ID=$(of marketplace_id)
STOA_INSTALLATION__DEPLOYMENT=$(of deployment)
STOA_BOOTSTRAP__MARKETPLACE_NAME=Stoa
STOA_BOOTSTRAP__MARKETPLACE_CLIENT_ID=$(uuid)
STOA_BOOTSTRAP__INTEGRATION_CLIENT_ID=$(uuid)
STOA_BOOTSTRAP__OPERATOR_EMAIL=operator@example.com
END
