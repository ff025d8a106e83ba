# Runs a command in a container: the root of an image that is only read, and two directories of the host. In mount and PID
# namespaces of its own, in which it is process 1, as with docker.
#
# Arguments: the root, what is mounted on /etc/banhook (read-only) and on /var/lib/banhook, the user, the command.
set -eu
root=$1 config=$2 state=$3 user=$4
shift 4
mount --bind "$root" /mnt
mount -o remount,bind,ro /mnt
mount -t proc proc /mnt/proc
mount -t tmpfs -o mode=755 tmpfs /mnt/dev
for device in null zero urandom; do
    : >"/mnt/dev/$device"
    mount --bind "/dev/$device" "/mnt/dev/$device"
done
if [ -n "$config" ]; then
    mount --bind "$config" /mnt/etc/banhook
    mount -o remount,bind,ro /mnt/etc/banhook
fi
mount --bind "$state" /mnt/var/lib/banhook
exec chroot --userspec="$user" /mnt "$@"
