#!/usr/bin/env bash
# `cargo test` with the arguments of this script. Runs all suites even when one fails, says what was
# skipped for which reason, and ends with a line that sums up what ran: N passed, N failed, N skipped.
#
# With --workspace alone, the truth table runs beside the other suites: it mostly waits.
set -uo pipefail

log=$(mktemp) beside=$(mktemp)
trap 'rm -f "$log" "$beside"' EXIT
truth=
if [[ $* = --workspace ]]; then
  cargo test --workspace --no-run && cargo test --workspace --no-run --test node_truth || exit
  cargo test --workspace --test node_truth -- --nocapture >"$beside" 2>&1 &
  truth=$!
fi
cargo test --no-fail-fast "$@" 2>&1 | tee "$log"
status=$?
if [[ -n $truth ]]; then
  wait "$truth" || status=1
  tee -a "$log" <"$beside"
fi
sed "s/$(printf '\033')\[[0-9;]*m//g" "$log" | awk '
  /^test result: / {
    for (i = 2; i <= NF; i++) {
      if ($i ~ /^passed/) passed += $(i - 1)
      if ($i ~ /^failed/) failed += $(i - 1)
      if ($i ~ /^ignored/) skipped += $(i - 1)
    }
  }
  / \.\.\. ignored, / { sub(/.* \.\.\. ignored, /, ""); reasons[$0]++ }
  END { for (reason in reasons) printf "skipped %d: %s\n", reasons[reason], reason }
  END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }'
exit "$status"
