#!/usr/bin/env bash
# Deploys clawgate to a host by ssh: one command from a bare Debian to a healthy service, and again for every upgrade.
# The same file runs on both sides; what it does on the host begins at "on the host". Written for bash 3.2 and newer.
#
# Law: secrets travel on standard input alone. They are in no command line, no environment of ssh, no file but the
# environment file of the service (0600), and a token is on the host only as its SHA-256.

[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -euo pipefail
umask 077

usage() {
    cat <<'TEXT'
usage: deploy/deploy.sh [options] user@host [port]

Installs clawgate on the host in its own venv, as a hardened systemd service of its own user, and waits until it is
healthy. port is that of the service: 8089 (server) or 18789 (gateway). Needs ssh, and on the host root or sudo
without a password, systemd and Python 3.11 or newer. A second run changes nothing.

  --role server|gateway    what to deploy (server)
  --listen ADDRESS         the server's address (127.0.0.1: put TLS in front of it)
  --upgrade                replace the release that is there; streams go on, no request is refused
  --rollback               return to the deployment before: program, settings and schema
  --uninstall              stop and remove it; its state stays
  --extras NAMES           install these extras, too: postgres,mcp (those that are there; none removes them)
  --offline WHEELHOUSE     install from this folder of wheels, and ask no package index
  --make-token             make a token without asking, if the host has none
  --dry-run                check the host and print what would be done
  --ssh-config FILE        another ssh configuration

From the environment: OPENAI_API_KEY, OPENAI_PROXY_TOKEN (a token for clients, named "default"), OPENAI_BASE_URL.
What is not set stays as it is on the host. PIP_INDEX_URL names a package index for both sides.
TEXT
}

say() { printf 'deploy: %s\n' "$*" 2>/dev/null || true; } # whose ssh is cut finishes its work
die() { # where and what; what to do
    printf 'deploy: %s\n' "$*" >&2
    exit 1
}

role=server port='' listen='' action=deploy wheelhouse='' make_token='' dry_run='' ssh_config='' on_host=''
target='' id='' payload='' extras=''
while [ $# -gt 0 ]; do
    case $1 in
        --role | --listen | --extras | --offline | --ssh-config | --id | --payload | --port)
            [ $# -gt 1 ] || die "$1 needs a value; see: deploy/deploy.sh --help"
            case $1 in
                --role) role=$2 ;; --listen) listen=$2 ;; --offline) wheelhouse=$2 ;; --ssh-config) ssh_config=$2 ;;
                --extras) extras=$2 ;;
                --id) id=$2 ;; --payload) payload=$2 ;; --port) port=$2 ;;
            esac
            shift
            ;;
        --upgrade | --rollback | --uninstall)
            [ "$action" = deploy ] || die "--$action and $1: choose one"
            action=${1#--}
            ;;
        --make-token) make_token=yes ;;
        --dry-run) dry_run=yes ;;
        --on-host) on_host=yes ;;
        -h | --help) usage && exit 0 ;;
        -*) die "$1: no such option; see: deploy/deploy.sh --help" ;;
        *)
            if [ -z "$target" ]; then target=$1; elif [ -z "$port" ]; then port=$1; else
                die "$1: one host and one port at most; see: deploy/deploy.sh --help"
            fi
            ;;
    esac
    shift
done
case $role in
    server) default_port=8089 ;; gateway) default_port=18789 ;; *) die "--role $role: no such role; use server or gateway" ;;
esac
case ${port:-1} in *[!0-9]* | 0*) die "$port is not a port; use a number from 1 to 65535" ;; esac
case ${listen:-::} in *[!0-9a-fA-F.:]*) die "--listen $listen is not an address; use 127.0.0.1, 0.0.0.0 or one of the host" ;; esac
case $extras in *[!a-z,]*) die "--extras $extras is no list of names; write them as in postgres,mcp" ;; esac

# ---------------------------------------------------------------------------------------------------- on the host

base=/opt/clawgate
home=$base/$role
state=/var/lib/clawgate-$role
env_file=/etc/clawgate/$role.env
units=/etc/systemd/system
socket=clawgate-$role.socket
owner=clawgate

service() { echo "clawgate-$role-$1.service"; }
generation() { [ ! -L "$home/current" ] || basename "$(readlink "$home/current")"; }
address() { sed -n 's/^ListenStream=//p' "$1/$socket" | head -n 1; }
release_of() { cat "$home/$1/release"; }
as_owner() { runuser -u "$owner" -- env -i PATH=/usr/bin:/bin HOME="$state" OPENCLAW_STATE_DIR="$state" "$@"; }
program() { echo "$base/releases/$1/venv/bin/clawgate"; }

check_host() {
    [ "$(id -u)" = 0 ] || die "the host: not root; log in as root or as a user with sudo without a password"
    [ -d /run/systemd/system ] || die "the host: systemd does not run it; deploy to one that it does, or see deploy/README.md for containers"
    command -v runuser flock >/dev/null || die "the host: runuser or flock is missing; run there: apt-get install -y util-linux"
    command -v python3 >/dev/null || die "the host: there is no python3; run there: apt-get install -y python3"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "the host: its python3 is $(python3 -V 2>&1 | cut -d' ' -f2); clawgate needs 3.11, as in Debian 12 and Ubuntu 24.04"
    python3 -c 'import venv' 2>/dev/null || die "the host: its python3 has no module venv; run there: apt-get install -y python3-venv"
    case $(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))') in
        /home/* | /root/*) die "the host: its python3 is in a home folder, which the service cannot read; install the system's python3" ;;
    esac
    [ "$(df -Pk /opt | awk 'NR == 2 {print $4}')" -gt 300000 ] || die "the host: less than 300 MB are free in /opt; free some space"
}

port_is_free() { # units-folder
    python3 - "$(address "$1")" <<'PY'
import socket, sys
host, _, port = sys.argv[1].rpartition(":")
host, port = host.strip("[]"), int(port)
with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sys.exit(error.strerror)
PY
}

healthy() { # waits up to 20 seconds
    python3 - "$(address "$units")" <<'PY'
import http.client, sys, time
host, _, port = sys.argv[1].rpartition(":")
host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.strip("[]"), host.strip("[]"))
reason = ""
for _ in range(100):
    try:
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        connection.request("GET", "/health")
        status = connection.getresponse().status
        if status == 200:
            sys.exit()
        reason = f"status {status}"
    except OSError as error:
        reason = str(error)
    time.sleep(0.2)
sys.exit(f"GET /health: {reason}")
PY
}

install_release() { # id: what its lock names is fetched and compared with the hashes, then nothing else is asked for
    local folder=$base/releases/$1 index=() lock=run
    [ ! -e "$folder/complete" ] || return 0
    say "installing release $1"
    rm -rf "$folder"
    mkdir -p "$folder"
    chmod 755 "$base" "$base/releases" "$folder"
    [ -z "$extras" ] || lock=all
    (
        umask 022
        python3 -m venv --without-pip "$folder/venv" || exit 1
        pip=$(echo "$payload"/pip-*.whl)
        [ -z "$wheelhouse" ] || index=(--no-index --find-links "$payload")
        [ -z "$index_url" ] || export PIP_INDEX_URL="$index_url"
        set -- env PYTHONPATH="$pip" "$folder/venv/bin/python" -m pip --disable-pip-version-check --no-input
        "$@" download --quiet --no-cache-dir ${index[@]+"${index[@]}"} --only-binary :all: --require-hashes \
            -r "$payload/$lock.lock" -d "$folder/wheels" || exit 1
        "$@" install --quiet --no-index --find-links "$folder/wheels" "$(echo "$payload"/clawgate-*.whl)${extras:+[$extras]}"
    ) || die "the host: release $1 cannot be installed (pip's reason is above); without a way to a package index set PIP_INDEX_URL or use --offline"
    rm -r "$folder/wheels"
    echo "$extras" >"$folder/complete"
}

set_variables() { # file: reads NAME=value lines up to an empty one into it, in the place of those of these names
    local new=$1 line name
    while IFS= read -r line && [ -n "$line" ]; do
        name=${line%%=*}
        grep -v "^$name=" "$new" >"$new.part" || true
        printf '%s\n' "$line" >>"$new.part"
        LC_ALL=C sort "$new.part" >"$new"
    done
    rm -f "$new.part"
}

render_units() { # release instance folder env-file
    mkdir -p "$3"
    env -i PATH=/usr/bin:/bin HOME="$state" OPENCLAW_STATE_DIR="$state" "$(program "$1")" "$role" install --force --system "$owner" \
        --environment-file "$4" --instance "$2" --unit-folder "$3" >/dev/null
}

settle() { # a run that was killed may have left any step half done: what serves is the present deployment
    local one number now
    now=$(generation) settled=''
    for one in "$units/clawgate-$role-"*.service; do
        number=${one##*-} number=${number%.service}
        if [ ! -e "$one" ] || [ "$number" = "$now" ] || ! is_up "$number"; then continue; fi
        if [ -n "$now" ] && is_up "$now"; then
            systemctl stop --no-block "$(service "$number")"
        elif systemctl start "$(service "$number")"; then # waits for the end of a start
            ln -sfn "$number" "$home/current"
            now=$number settled=yes
        fi
    done
    [ -z "$now" ] || [ ! -e "$home/$now/unfinished" ] || settled=yes
    [ -n "$now" ] || discard "$units/clawgate-$role-"*.service
}

is_up() { # generation
    case $(systemctl show --property ActiveState --value "$(service "$1")") in active | activating | reloading) ;; *) return 1 ;; esac
}

discard() { # unit-file...: and the socket
    local one
    for one in "$units/$socket" "$@"; do
        [ ! -e "$one" ] || systemctl disable --quiet --now "$(basename "$one")" || true
        rm -f "$one"
    done
    systemctl daemon-reload
}

serve() { # generation: as its units say; changes nothing where it does
    systemctl --quiet is-active "$socket" && systemctl --quiet is-active "$(service "$1")" &&
        systemctl --quiet is-enabled "$socket" && systemctl --quiet is-enabled "$(service "$1")" &&
        cmp -s "$home/$1/units/$socket" "$units/$socket" && return
    install -m 644 "$home/$1/units/"* "$units/"
    systemctl daemon-reload
    systemctl enable --quiet --now "$socket" && systemctl enable --quiet --now "$(service "$1")"
}

start_first() { # generation [old]: where nothing serves; what served before comes back if this one does not start
    serve "$1" && return
    show_why "$1"
    discard "$units/$(service "$1")"
    rm -rf "${home:?}/$1"
    if [ -n "${2-}" ]; then
        mv "$home/$2/env" "$env_file"
        serve "$2" || true
    fi
    die "the service does not start (its log is above); correct what it names and run it again"
}

show_why() { # generation
    journalctl --no-pager -o cat -n 15 -u "$(service "$1")" 2>/dev/null | sed 's/^/    /' >&2 || true
}

switch() { # old new: the new service serves before the old one stops; a gateway has to stop first, for its state
    local old=$1 new=$2
    if [ "$(address "$home/$old/units")" != "$(address "$home/$new/units")" ]; then
        say "the address changes, so the old service is stopped first"
        systemctl stop "$socket" "$(service "$old")"
        [ "$role" = server ] || prepare_state "$old" "$new" || without_state "$old"
        systemctl disable --quiet "$(service "$old")"
        start_first "$new" "$old"
        return
    fi
    install -m 644 "$home/$new/units/$(service "$new")" "$units/"
    if [ "$role" = gateway ]; then # whose socket must not start the old one again for a request that waits
        install -m 644 "$home/$new/units/$socket" "$units/"
        systemctl daemon-reload
        say "waiting until the responses in progress have ended"
        systemctl stop "$(service "$old")"
        prepare_state "$old" "$new" || without_state "$old"
    fi
    systemctl daemon-reload
    if ! systemctl start "$(service "$new")"; then
        show_why "$new"
        systemctl stop "$(service "$new")" 2>/dev/null || true
        rm -f "$units/$(service "$new")"
        systemctl daemon-reload
        mv "$home/$old/env" "$env_file"
        serve "$old" || true
        rm -rf "${home:?}/$new"
        die "the new service does not start (its log is above); the old one goes on serving, correct what the log names and run it again"
    fi
    install -m 644 "$home/$new/units/$socket" "$units/"
    systemctl daemon-reload
    systemctl enable --quiet "$(service "$new")"
    systemctl disable --quiet "$(service "$old")"
    systemctl stop --no-block "$(service "$old")"
}

without_state() { # generation: that comes back
    mv "$home/$1/env" "$env_file"
    serve "$1" || true
    die "the state cannot be kept (the reason is above); the old service goes on serving"
}

served_env() { # generation: the variables that it runs with; its own copy is there once another takes its place
    if [ -n "$1" ] && [ -f "$home/$1/env" ]; then echo "$home/$1/env"; else echo "$env_file"; fi
}

take_env() { # file generation: of the next deployment, in the place of those of this one
    [ -z "$2" ] || [ -f "$home/$2/env" ] || { cp -p "$env_file" "$home/$2/env.part" && mv "$home/$2/env.part" "$home/$2/env"; }
    install -m 600 "$1" "$env_file.part"
    mv "$env_file.part" "$env_file"
}

prepare_state() { # old new: of a gateway that has stopped; what the next one may change is kept, or given back
    local old=$1 new=$2 database=$state/clawgate/state.db part
    if [ -f "$home/$new/is-rollback" ]; then
        [ ! -f "$home/$new/config" ] || install -o "$owner" -g "$owner" -m 600 "$home/$new/config" "$state/openclaw.json" || return
        [ -f "$home/$new/state.db" ] || [ -f "$database" ] || return 0
        [ ! -f "$database" ] || ! as_owner "$(program "$(release_of "$new")")" state status >/dev/null 2>&1 || return 0
        [ ! -f "$database" ] || say "the earlier release cannot use the newer schema: the newer database is kept as $database.of-$old"
        for part in '' -wal -shm; do
            [ ! -e "$database$part" ] || mv "$database$part" "$database.of-$old$part" || return
        done
        [ ! -f "$home/$new/state.db" ] || {
            install -o "$owner" -g "$owner" -m 600 "$home/$new/state.db" "$database.part" && mv "$database.part" "$database"
        }
        return
    fi
    [ ! -f "$state/openclaw.json" ] || cp "$state/openclaw.json" "$home/$old/config" || return
    [ -f "$database" ] || return 0
    rm -f "$state/backup.db"
    as_owner "$(program "$(release_of "$old")")" state backup "$state/backup.db" >/dev/null && mv "$state/backup.db" "$home/$old/state.db"
}

clean_up() { # services of the past that have drained, generations and releases that no rollback can reach
    local one number now
    now=$(generation)
    for one in "$units/clawgate-$role-"*.service; do
        number=${one##*-} number=${number%.service}
        case $number:$(systemctl show --property ActiveState --value "$(service "$number")") in
            "$now:"* | *:deactivating) ;; *:inactive | *:failed) rm -f "$one" ;;
            *) systemctl stop --no-block "$(service "$number")" ;; # of a run that was killed
        esac
    done
    for one in "$home"/[0-9]*; do
        [ ! -d "$one" ] || [ "$(basename "$one")" -gt $((now - 5)) ] || rm -rf "$one"
    done
    for one in "$base"/releases/*; do
        grep -qxF -- "$(basename "$one")" "$base"/*/[0-9]*/release 2>/dev/null || rm -rf "$one"
    done
}

finish() { # generation
    ln -sfn "$1" "$home/current"
    healthy || {
        rm -f "$home/$1/unfinished"
        die "the service $(service "$1") runs and is not healthy; see its log: journalctl -u $(service "$1")"
    }
    clean_up
    rm -f "$home/$1/unfinished"
}

deploy_on_host() {
    local now served next was wanted rendered token end
    new_env=$(mktemp /run/clawgate.XXXXXX) # in memory, and not local: the trap needs it
    trap 'rm -rf "$payload" "$new_env"' EXIT
    settle </dev/null
    now=$(generation)
    served=$(served_env "$now")
    [ ! -f "$served" ] || cat "$served" >"$new_env"
    set_variables "$new_env"
    { IFS= read -r token && IFS= read -r index_url && IFS= read -r end && [ "$end" = end ]; } ||
        die "the host: ssh was cut before all was read; nothing was changed, run it again"
    if [ "$role" = server ]; then
        grep -q '^OPENAI_PROXY_TOKENS_FILE=' "$new_env" || listen=${listen:-127.0.0.1} port=${port:-$default_port}
        {
            [ -z "$listen" ] || echo "OPENAI_PROXY_HOST=$listen"
            [ -z "$port" ] || echo "OPENAI_PROXY_PORT=$port"
            echo "OPENAI_PROXY_TOKENS_FILE=$state/tokens"
        } | set_variables "$new_env"
    fi
    case $extras in
        none) extras='' ;; '') [ -z "$now" ] || extras=$(cat "$base/releases/$(release_of "$now")/complete") ;;
    esac
    id=$id${extras:++$extras}
    if [ -z "$now" ]; then
        [ "$action" = deploy ] || die "the host: no $role is deployed; run it without --$action"
        if [ "$role" = server ]; then
            grep -q '^OPENAI_API_KEY=' "$new_env" || die "OPENAI_API_KEY is not set; export the upstream's key and run it again"
            [ -n "$token" ] || [ -s "$state/tokens" ] || die "OPENAI_PROXY_TOKEN is not set and the host has no token; set it, or add --make-token"
        fi
    elif [ "$(release_of "$now")" != "$id" ] && [ "$action" != upgrade ]; then
        die "the host: release $(release_of "$now") is deployed, not $id; replace it with --upgrade"
    fi
    getent passwd "$owner" >/dev/null || useradd --system --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin "$owner"
    mkdir -p "$home"
    chmod 755 "$base"
    mkdir -p /etc/clawgate
    chmod 755 /etc/clawgate
    [ -d "$state" ] || install -d -o "$owner" -g "$owner" -m 700 "$state"
    install_release "$id"
    if [ "$role" = gateway ] && [ -n "$port" ]; then
        as_owner "$(program "$id")" config set gateway.port "$port" >/dev/null || die "the port cannot be set (the reason is above)"
    fi
    if [ "$role" = server ]; then
        [ -e "$state/tokens" ] || install -o "$owner" -g "$owner" -m 600 /dev/null "$state/tokens"
        if [ -n "$token" ]; then
            printf '%s\n' "$token" | as_owner "$(program "$id")" server token add default --stdin-secret --replace \
                --proxy-tokens-file "$state/tokens" || die "the token cannot be used (the reason is above)"
        fi
    fi
    next=$((${now:-0} + 1))
    while [ -e "$home/$next" ]; do next=$((next + 1)); done
    if [ -n "$now" ] && [ "$(release_of "$now")" = "$id" ] && cmp -s "$new_env" "$served"; then
        rendered=$(mktemp -d)
        render_units "$id" "$now" "$rendered" "$env_file" || die "the settings cannot be used (the reason is above)"
        if diff -r "$rendered" "$home/$now/units" >/dev/null; then
            rm -rf "$rendered"
            serve "$now" || show_why "$now"
            healthy || die "$(service "$now") is not healthy; see its log: journalctl -u $(service "$now")"
            say "nothing to change: release $id serves as $(service "$now")"
            return
        fi
        rm -rf "$rendered"
    fi
    mkdir -p "$home/$next"
    echo "$id" >"$home/$next/release"
    [ -z "$now" ] || echo "$now" >"$home/$next/previous"
    render_units "$id" "$next" "$home/$next/units" "$new_env" || {
        rm -rf "${home:?}/$next"
        die "the settings cannot be used (the reason is above); nothing of the running service was changed"
    }
    sed -i "s|^EnvironmentFile=.*|EnvironmentFile=$env_file|" "$home/$next/units/$(service "$next")"
    was='' wanted=$(address "$home/$next/units")
    ! systemctl --quiet is-active "$socket" || was=$(address "$units")
    if [ "${was##*:}" != "${wanted##*:}" ] && ! port_is_free "$home/$next/units"; then
        rm -rf "${home:?}/$next"
        die "the host: $wanted cannot be used (the reason is above); stop what has it, or name another port"
    fi
    take_env "$new_env" "$now"
    if [ -z "$now" ]; then
        start_first "$next"
    else
        switch "$now" "$next"
    fi
    finish "$next"
    say "release $id serves as $(service "$next")"
}

rollback_on_host() {
    local now old next began=$SECONDS
    settle
    now=$(generation)
    [ -n "$now" ] || die "the host: no $role is deployed; there is nothing to roll back"
    if [ -n "$settled" ] && [ -f "$home/$now/is-rollback" ]; then
        finish "$now"
        say "rolled back by a run that was interrupted: release $(release_of "$now") serves as $(service "$now")"
        return
    fi
    old=$(cat "$home/$now/previous" 2>/dev/null || true)
    if [ -z "$old" ] || [ ! -d "$home/$old" ]; then die "the host: there is no deployment before $(service "$now")"; fi
    next=$((now + 1))
    while [ -e "$home/$next" ]; do next=$((next + 1)); done
    mkdir -p "$home/$next/units"
    cp -p "$home/$old/release" "$home/$next/"
    touch "$home/$next/is-rollback" "$home/$next/unfinished"
    for kept in previous config state.db; do [ ! -f "$home/$old/$kept" ] || cp -p "$home/$old/$kept" "$home/$next/"; done
    cp "$home/$old/units/$(service "$old")" "$home/$next/units/$(service "$next")"
    sed "s|^Service=.*|Service=$(service "$next")|" "$home/$old/units/$socket" >"$home/$next/units/$socket"
    take_env "$home/$old/env" "$now"
    switch "$now" "$next"
    finish "$next"
    say "rolled back: release $(release_of "$next") serves as $(service "$next"), after $((SECONDS - began)) s; tokens stay as they are"
}

uninstall_on_host() {
    local one
    discard "$units/clawgate-$role-"*.service
    rm -f "$env_file" "$env_file.part"
    rm -rf "$home"
    now='' && for one in "$base"/releases/*; do
        grep -qxF -- "$(basename "$one")" "$base"/*/[0-9]*/release 2>/dev/null || rm -rf "$one"
    done
    rmdir "$base/releases" "$base" /etc/clawgate 2>/dev/null || true
    say "removed; $state and the user $owner stay, to remove them: rm -r $state && userdel $owner"
}

plan_on_host() {
    local now
    now=$(generation)
    case $action in
        deploy | upgrade)
            if [ -z "$now" ]; then
                say "would make the user $owner, $base, $env_file and $state"
                say "would install clawgate into a venv and start $socket and $(service 1)"
            else say "release $(release_of "$now") serves as $(service "$now"); would compare it with this one, and $([ "$action" = upgrade ] && echo replace it || echo change nothing)"; fi
            ;;
        rollback) say "would return from $(service "${now:-0}") to $(service "$(cat "$home/${now:-0}/previous" 2>/dev/null || echo nothing)")" ;;
        uninstall) say "would stop and remove $socket, its services, $home and $env_file" ;;
    esac
}

if [ -n "$on_host" ]; then
    check_host
    if [ -n "$dry_run" ]; then plan_on_host && exit 0; fi
    trap '' HUP PIPE # whose ssh is cut finishes its work
    exec 9>/run/clawgate-deploy.lock
    flock -n 9 || die "the host: another deployment runs; wait for its end"
    rm -f /run/clawgate.* # of a run that was killed
    case $action in
        deploy | upgrade) deploy_on_host ;; rollback) rollback_on_host ;; uninstall) uninstall_on_host ;;
    esac
    exit 0
fi

# ------------------------------------------------------------------------------------------------------- this side

[ -n "$target" ] || {
    usage >&2
    exit 2
}
case $target in -* | *[[:space:]]*) die "$target is no host; write user@host" ;; esac
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
key=${OPENAI_API_KEY-} token=${OPENAI_PROXY_TOKEN-}
index_url=${PIP_INDEX_URL-} unshown=''
unset OPENAI_API_KEY OPENAI_PROXY_TOKEN PIP_INDEX_URL # what is started from here does not get them
work=$(mktemp -d "${TMPDIR:-/tmp}/cg.XXXXXX")
ssh_options=(-o ServerAliveInterval=30 -o ControlMaster=auto -o "ControlPath=$work/s" -o ControlPersist=60)
[ -z "$ssh_config" ] || ssh_options=(-F "$ssh_config" "${ssh_options[@]}")
on() { ssh "${ssh_options[@]}" -- "$target" "$@"; }
trap 'ssh "${ssh_options[@]}" -O exit "$target" 2>/dev/null; rm -rf "$work"
    [ -z "$unshown" ] || echo "deploy: the token that was made, if the host has it by now: $unshown"' EXIT
for name in ${extras//,/ }; do
    sed -n '/^\[project.optional-dependencies\]/,/^$/p' "$root/pyproject.toml" | grep -q "^$name = " || [ "$name" = none ] ||
        die "--extras $name: clawgate has no such extra; pyproject.toml lists them"
done
extras=$(tr , '\n' <<<"$extras" | LC_ALL=C sort -u | paste -sd , -)

# shellcheck disable=SC2016 # expanded on the host
sudo=$(on 'if [ "$(id -u)" = 0 ]; then echo; elif sudo -n true 2>/dev/null; then echo sudo -n; else echo no; fi') ||
    die "$target: ssh cannot log in (its reason is above); try: ssh $target true"
[ "$sudo" != no ] || die "$target: neither root nor sudo without a password; log in as root, or allow it in /etc/sudoers.d"
arguments="--on-host --role $role ${listen:+--listen $listen} ${port:+--port $port} ${extras:+--extras $extras}"
[ "$action" = deploy ] || arguments="$arguments --$action"

if [ -n "$dry_run" ]; then
    on "$sudo bash -s -- $arguments --dry-run" <"${BASH_SOURCE[0]}"
    exit 0
fi
if [ "$action" = rollback ] || [ "$action" = uninstall ]; then
    on "$sudo bash -s -- $arguments" <"${BASH_SOURCE[0]}"
    exit 0
fi

if [ "$role" = server ]; then
    has_token=$(on "$sudo test -s $state/tokens && echo yes || true")
    has_key=$(on "$sudo test -s $env_file && echo yes || true")
    if [ -z "$key$has_key" ]; then
        [ -t 0 ] || die "OPENAI_API_KEY is not set; export the upstream's key and run it again"
        read -r -s -p 'deploy: the upstream key (OPENAI_API_KEY), not shown: ' key || true
        echo
        [ -n "$key" ] || die "no key was entered; run it again, or export OPENAI_API_KEY"
    fi
    if [ -z "$token$has_token" ]; then
        if [ -z "$make_token" ] && [ -t 0 ]; then
            read -r -p 'deploy: OPENAI_PROXY_TOKEN is not set; make a good token? [Y/n] ' reply || reply=no
            case $reply in [nN]*) ;; *) make_token=yes ;; esac
        fi
        [ -n "$make_token" ] || die "OPENAI_PROXY_TOKEN is not set and the host has no token; set it, or add --make-token"
        token=$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')
        made=yes
    fi
fi
for value in "$key" "$token" "${OPENAI_BASE_URL-}" "$index_url"; do
    case $value in *[[:space:]\'\"\\\$]*) die "a value of OPENAI_API_KEY, OPENAI_PROXY_TOKEN, OPENAI_BASE_URL or PIP_INDEX_URL has a blank, a quote, \$ or \\; correct it" ;; esac
done

files=$work/files
mkdir "$files"
cp "${BASH_SOURCE[0]}" "$files/deploy.sh"
cp "$root/requirements/run.lock" "$root/requirements/all.lock" "$files/"
if [ -n "$wheelhouse" ]; then
    for kind in clawgate pip; do
        [ -n "$(find "$wheelhouse" -name "$kind-*.whl" 2>/dev/null)" ] || die "--offline $wheelhouse: it has no $kind-*.whl; deploy/README.md says how to make a wheelhouse"
    done
    cp "$wheelhouse"/*.whl "$files/"
else
    say "building the wheel"
    (
        [ -z "$index_url" ] || export PIP_INDEX_URL="$index_url"
        python3 -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir "$files" "$root" || exit 1
        python3 -m pip --disable-pip-version-check download --quiet --no-deps --dest "$files" pip
    ) || die "this machine: the wheel cannot be built (pip's reason is above); go online, set PIP_INDEX_URL, or use --offline with a wheelhouse"
fi
id=$(basename "$(echo "$files"/clawgate-*.whl)" | cut -d- -f2)-$(cat "$files"/clawgate-*.whl "$files"/*.lock | cksum | cut -d' ' -f1)

say "copying $(du -sh "$files" | cut -f1) to $target"
# shellcheck disable=SC2016 # expanded on the host
payload=$(tar -C "$files" -cf - . | on 'umask 077 && d=$(mktemp -d) && tar -C "$d" -xf - && echo "$d"')
arguments="$arguments --id $id --payload $payload ${wheelhouse:+--offline yes}"
[ -z "${made-}" ] || unshown=$token
{
    [ -z "$key" ] || printf 'OPENAI_API_KEY=%s\n' "$key"
    [ -z "${OPENAI_BASE_URL-}" ] || printf 'OPENAI_BASE_URL=%s\n' "$OPENAI_BASE_URL"
    printf '\n%s\n%s\nend\n' "$token" "$index_url"
} | on "$sudo bash $payload/deploy.sh $arguments"

if [ "$role" = server ]; then
    served=$(on "$sudo sed -n 's/^ListenStream=//p' $units/$socket")
    port=${served##*:}
    url=http://${target##*@}:$port
    case $served in
        127.* | '[::1]'*)
            url=http://127.0.0.1:$port
            echo
            echo "The server listens on ${served%:*}: put TLS in front of it (docs/reverse-proxies.md) and use that address, or a tunnel:"
            echo "  ssh -N -L $port:127.0.0.1:$port $target"
            ;;
    esac
    echo
    echo "Settings of the bridge, to paste where it runs:"
    echo "  export PROXY_BRIDGE_URL=$url"
    if [ -n "${made-}" ]; then
        printf '  export PROXY_BRIDGE_TOKEN=%s   # shown this once\n' "$token"
        unshown=''
    elif [ -n "$token" ]; then
        echo "  export PROXY_BRIDGE_TOKEN=...   # the value of OPENAI_PROXY_TOKEN"
    else
        echo "  export PROXY_BRIDGE_TOKEN=...   # the token of this client"
    fi
    echo "  clawgate bridge run"
fi
