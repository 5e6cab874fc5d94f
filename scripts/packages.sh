# Sourced by the other scripts: installs Debian packages that are missing, or names them.
#
# install_missing 'package:file' … — `file` is there when the package is.
install_missing() {
    local missing=() entry
    for entry in "$@"; do
        [ -e "${entry#*:}" ] || missing+=("${entry%%:*}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    if ! command -v apt-get >/dev/null || ! { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
        echo "$0: please install: ${missing[*]} (Debian's package names)" >&2
        exit 1
    fi
    echo "$0: installing ${missing[*]}"
    "${sudo[@]}" apt-get update -q
    # The tests start servers of their own; RUNLEVEL=1 keeps the packages' services off.
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -q -y --no-install-recommends "${missing[@]}"
}
