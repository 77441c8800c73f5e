set -eu
# Values of helm releases pass through files; nobody else reads them, and they go when this ends.
umask 077

YES=${MESH_UPGRADE_YES:-no}
case "${1:-}" in
-y | --yes) YES=yes ;;
'') ;;
*)
  echo 'usage: sh RUNBOOK [--yes]' >&2
  exit 64
  ;;
esac

CURRENT='the beginning'
WORK=$(mktemp -d)
ended() {
  code=$?
  rm -rf "$WORK"
  if [ "$code" -ne 0 ]; then
    printf '\nStopped in %s. When it is mended, run this again and answer skip to what is done.\n' "$CURRENT" >&2
  fi
  exit "$code"
}
trap ended EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '%s\n' "$1"; }
stop() {
  printf 'STOP: %s\n' "$1" >&2
  exit 1
}
# Asks before a step. Ends with 0 to do it, and with 1 to skip it.
step() {
  CURRENT=$1
  printf '\n== %s\n' "$1"
  shift
  for note in "$@"; do printf '   %s\n' "$note"; done
  if [ "$YES" = yes ]; then return 0; fi
  printf '   Do it? [yes, skip, or anything else to stop] '
  read -r answer || answer=
  case "$answer" in
  y | yes) return 0 ;;
  skip) return 1 ;;
  *) stop 'you did not say yes' ;;
  esac
}
# Something that no command does.
hand() {
  printf '   BY HAND: %s\n' "$1"
  if [ "$YES" = yes ]; then return 0; fi
  printf '   Enter when it is done: '
  read -r answer || stop 'nobody said that it is done'
}
# Ends with 0 until something has been tried too often.
again() {
  tries=$((tries + 1))
  if [ "$tries" -ge "${MESH_UPGRADE_TRIES:-60}" ]; then stop "this does not hold: $1"; fi
  sleep 2
}
