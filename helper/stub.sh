#!/bin/sh
# bin/coroner where the helper could not be put in its place. Its variables have names of their own: one that was exported would change.
_coroner_self=$0
while [ -h "$_coroner_self" ]; do
  _coroner_link=$(readlink "$_coroner_self") || exit 126
  case $_coroner_link in
  /*) _coroner_self=$_coroner_link ;;
  *) _coroner_self=${_coroner_self%/*}/$_coroner_link ;;
  esac
done
case $_coroner_self in
*/*) _coroner_here=${_coroner_self%/*} ;;
*) _coroner_here=. ;;
esac
_coroner_helpers=$_coroner_here/../dist/helper
if [ "${1-}" = run ] && [ -d "$_coroner_helpers" ]; then
  case $(uname -sm) in
  'Linux x86_64') _coroner_helper=$_coroner_helpers/coroner-helper-linux-x64 ;;
  'Linux aarch64') _coroner_helper=$_coroner_helpers/coroner-helper-linux-arm64 ;;
  *) _coroner_helper= ;;
  esac
  _coroner_node=$(command -v node)
  if [ -n "$_coroner_node" ] && [ -x "$_coroner_helper" ] && "$_coroner_helper" --check; then
    exec "$_coroner_helper" run-node "$_coroner_node" "$_coroner_here/coroner.js" "$@"
  fi
fi
exec node "$_coroner_here/coroner.js" "$@"
