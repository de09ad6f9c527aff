#!/usr/bin/env bash
# `cargo test` with the arguments of this script. Runs all suites even when one fails, says what was
# skipped for which reason, and ends with a line that sums up what ran: N passed, N failed, N skipped.
set -uo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --no-fail-fast "$@" 2>&1 | tee "$log"
status=$?
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
