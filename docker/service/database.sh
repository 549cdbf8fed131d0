# Make the database if there is none yet, and become PostgreSQL. PGPASSWORD is the password of `app`.
set -eu
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH

if ! [ -d /data/main ]; then
    # Under another name until it is complete: a start that was stopped leaves nothing half made.
    rm -rf /data/new
    initdb --pgdata=/data/new --auth-local=peer --auth-host=scram-sha-256 --encoding=UTF8 >/dev/null
    echo 'host app app samenet scram-sha-256' >>/data/new/pg_hba.conf
    pg_ctl --pgdata=/data/new --options="-c listen_addresses= -c unix_socket_directories=/tmp" --wait --silent start
    psql --host=/tmp --dbname=postgres --quiet --set=ON_ERROR_STOP=1 <<'SQL'
\getenv password PGPASSWORD
CREATE ROLE app LOGIN PASSWORD :'password';
CREATE DATABASE app OWNER app;
\connect app
SET ROLE app;
CREATE TABLE visit (request text PRIMARY KEY);
SQL
    pg_ctl --pgdata=/data/new --mode=fast --wait --silent stop
    mv /data/new /data/main
fi
unset PGPASSWORD
exec postgres -D /data/main -c listen_addresses='*'
