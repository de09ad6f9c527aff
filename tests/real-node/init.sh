# The first process of a machine. Argument: the machine's folder. Says `ready` on file descriptor 3.
#
# What the node writes lies in memory, in mounts that only the machine has, so that its programs may
# use the folders that they use everywhere.
set -e
exec 5<&0
store=$1/store
mkdir "$store"
mount -t tmpfs -o mode=755 store "$store"
for folder in /var/lib /var/log; do
  mkdir -p "$store/upper$folder" "$store/work$folder"
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=$store/upper$folder,workdir=$store/work$folder" "$folder"
done
for folder in /run /var/lib/containerd /var/lib/kubelet; do
  mkdir -p "$folder"
  mount -t tmpfs -o mode=755 store "$folder"
done
# Else the kubelet mounts it anew to that end, while it makes its sockets there: now and then one of
# them was on the wrong side.
mount --make-rshared /var/lib/kubelet

# The kubelet sets these for the whole host. Here it finds them as it wants them.
while read -r setting value; do
  mkdir -p "$store/sysctl/${setting%/*}"
  echo "$value" >"$store/sysctl/$setting"
  mount --bind "$store/sysctl/$setting" "/proc/sys/$setting"
done <<END
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
END

# These are the machine's own.
echo 1 >/proc/sys/net/ipv4/ip_forward
ip link set lo up

# Ends with the pipe; waits for orphans meanwhile, as a first process has to.
cat <&5 >/dev/null 3>&- &
echo ready >&3
exec 3>&-
wait "$!"
