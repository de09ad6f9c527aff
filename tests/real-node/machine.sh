# The guardian of a machine for one node: namespaces of its own for processes, mounts and network,
# cgroups of its own, and a link to ours.
#
# Arguments: the machine's folder and name; our address and its own, both on the link; the networks
# that lie behind it. Reports `started PID`: whose namespaces they are; `exited 1` when they are gone.
# When the pipe on stdin closes, the machine's first process ends, and the kernel kills all others with it and drops their mounts,
# interfaces and rules; what is left to remove is here below. The host's own settings, interfaces and
# rules are never touched.
folder=$1 name=$2 ours=$3 its=$4
shift 4
trap '' HUP INT TERM PIPE
exec 2>>"$folder/machine.log" 5<&0
scripts=$(dirname "$0")

cgroups() { awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/self/mounts; }

# On cgroup v2 a group has the controllers that its parent hands down, on v1 there is one tree each.
make_cgroups() {
  for tree in $(cgroups); do
    mkdir "$tree/$name" || return
    [ -e "$tree/cgroup.controllers" ] || continue
    for controller in $(cat "$tree/cgroup.controllers"); do
      echo "+$controller" >"$tree/cgroup.subtree_control"
      echo "+$controller" >"$tree/$name/cgroup.subtree_control"
    done
  done
}

link() {
  ip link add "$name" type veth peer name uplink netns "$machine" &&
    ip address add "$ours/30" dev "$name" &&
    ip link set "$name" up &&
    nsenter --net="/proc/$machine/ns/net" ip address add "$its/30" dev uplink &&
    nsenter --net="/proc/$machine/ns/net" ip link set uplink up || return
  for network in "$@"; do
    ip route add "$network" via "$its" || return
  done
}

tear_down() {
  ip link delete "$name"
  for tree in $(cgroups); do
    # A group may hold a dead process for a moment.
    tries=0
    while [ -d "$tree/$name" ] && [ "$tries" -lt 100 ]; do
      find "$tree/$name" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
      tries=$((tries + 1))
    done
  done
  # The control plane in it has a guardian of its own, which may be at work.
  find "$folder" -mindepth 1 -maxdepth 1 ! -name cluster -exec rm -rf {} +
  tries=0
  until rmdir "$folder" || [ "$tries" -ge 300 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
}

if make_cgroups && mkfifo "$folder/ready"; then
  unshare --net --mount --pid --fork --mount-proc \
    /bin/sh "$scripts/init.sh" "$folder" <&5 3>"$folder/ready" >/dev/null &
  machine=$!
  read -r ready <"$folder/ready"
  if [ "$ready" = ready ] && link "$@"; then echo "started $machine"; fi
  wait "$machine"
fi
echo "exited 1"
# Until the pipe is closed, the log can be read.
cat <&5 >/dev/null
tear_down
