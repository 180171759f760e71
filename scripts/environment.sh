# Sourced by the scripts beside it: finds a Python and keeps a virtual environment with airbundle in it.
#
# Uses: say TEXT, give_up TEXT, apt_install PACKAGE…, $can_apt, step TITLE COMMAND…, fetch TITLE COMMAND…; sets $venv.
# Variables: AIRBUNDLE_VENV, the environment to make or use (default: .venv in the checkout); PYTHON, to make it with.

venv=${AIRBUNDLE_VENV:-$PWD/.venv}

find_python() {
    python=${PYTHON:-python3}
    if ! command -v "$python" >/dev/null; then
        $can_apt && apt_install python3 python3-venv
        command -v "$python" >/dev/null || give_up "no Python was found; set PYTHON to one"
    fi
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || give_up "$python is older than Python 3.10"
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        $can_apt && apt_install python3-venv
        "$python" -c 'import venv, ensurepip' 2>/dev/null || give_up "this Python has no venv; install python3-venv"
    fi
}

# The environment is made when there is none, and brought up to date when pyproject.toml or its Python changed.
# prepare_python [EXTRA]: `dev` adds what the tests need; an environment that has it serves without it too.
prepare_python() {
    local extra=${1:+[$1]} stamp
    if ! "$venv/bin/python" -c '' 2>/dev/null; then
        find_python
        step "virtual environment" "$python" -m venv --clear "$venv" || exit 1
    fi
    stamp=$({ "$venv/bin/python" -V && echo "$PWD" && cat pyproject.toml; } | cksum)
    case $(cat "$venv/airbundle-stamp" 2>/dev/null) in
        "$stamp [dev]" | "$stamp $extra") return ;;
    esac
    fetch "packages" "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".$extra" || exit 1
    echo "$stamp $extra" >"$venv/airbundle-stamp"
}
