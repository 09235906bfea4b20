#!/bin/sh
# Boots systemd as init of namespaces of its own (mounts, pids, network, cgroups), on the Debian root $1 with a layer of
# memory above it, so that the root stays as it is. $2 is the public key that may log in as root.
set -e
root=$1 key=$2
case ${3-} in
    '') exec unshare --mount -- "$0" "$root" "$key" mounts ;;
    mounts)
        mount --make-rprivate /
        mount -t tmpfs tmpfs /mnt
        mkdir /mnt/cgroup /mnt/upper /mnt/work /mnt/root
        mount -t cgroup2 none /mnt/cgroup
        mkdir "/mnt/cgroup/clawgate-test-$$"
        echo $$ >"/mnt/cgroup/clawgate-test-$$/cgroup.procs"
        mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
        exec unshare --cgroup --pid --net --uts --ipc --mount --fork --kill-child -- "$0" "$root" "$key" inside
        ;;
esac
ip link set lo up
mkdir -p /mnt/root/root/.ssh
chmod 700 /mnt/root/root/.ssh
install -m 600 "$key" /mnt/root/root/.ssh/authorized_keys
cd /mnt/root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup
mount -t cgroup2 none sys/fs/cgroup
for folder in run tmp dev; do mount -t tmpfs tmpfs "$folder"; done
for name in null zero full random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
ln -s /proc/self/fd dev/fd
mkdir dev/shm dev/pts old
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
hostname bare
pivot_root . old # a process in a chroot may not make the user namespaces of PrivateUsers=
umount -l /old
exec env -i container=clawgate PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal </dev/null
