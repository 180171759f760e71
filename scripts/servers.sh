# Sourced by the scripts beside it: stops what a run of Python left behind, also after it was killed.
#
# Uses: $work, a directory of this run. Sets AIRBUNDLE_TEST_SERVERS: there tests and benchmark note each server that
# they start, as a file `*.server` with its process id and its directory.

export AIRBUNDLE_TEST_SERVERS=$work/servers
mkdir "$AIRBUNDLE_TEST_SERVERS"

# Prints the ids of all processes whose command line names a directory.
processes_of() {
    local entry
    for entry in /proc/[0-9]*; do
        if tr '\0' ' ' 2>/dev/null <"$entry/cmdline" | grep -qF -- "$1/"; then echo "${entry#/proc/}"; fi
    done
}

# Waits up to so many seconds for a process to end.
gone_after() {
    local tries
    for ((tries = 0; tries < $1 * 10; tries++)); do
        kill -0 "$2" 2>/dev/null || return 0
        sleep 0.1
    done
    return 1
}

# Ends Python processes, which stop their servers themselves when they are asked as by Ctrl-C, then what they left.
# stop_all SECONDS PID…
stop_all() {
    local patience=$1 file pid directory
    shift
    for pid in "$@"; do kill -INT "$pid" 2>/dev/null; done
    for pid in "$@"; do gone_after "$patience" "$pid" || kill -9 "$pid" 2>/dev/null; done
    for file in "$AIRBUNDLE_TEST_SERVERS"/*.server; do
        [ -e "$file" ] || continue
        { read -r pid && read -r directory; } <"$file" && stop_server "$pid" "$directory"
    done
}

# Stops a server. An id alone proves nothing: it may be another process by now.
stop_server() {
    local pid=$1 directory=$2
    if processes_of "$directory" | grep -qx "$pid"; then
        kill "$pid" 2>/dev/null
        gone_after 15 "$pid"
    fi
    processes_of "$directory" | xargs -r kill -9 2>/dev/null
    awk '{print $5}' /proc/self/mountinfo | grep -F -- "$directory/" | sort -r | xargs -r umount -l 2>/dev/null
    case $directory in /tmp/abe* | */airbundle-registry-*) rm -rf -- "$directory" ;; esac
}
