# Boots a Debian host with systemd: the root that debootstrap made, which is only read, with changes in memory. In mount, PID,
# network and UTS namespaces of its own. The program that boots it is that root's, too.
#
# Arguments: that root, the folder of the packages. Ends when the host does.
set -eu
mount -t tmpfs -o mode=755 host /mnt
mkdir /mnt/upper /mnt/work /mnt/root /mnt/tools
mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
# As on a host where somebody has logged in; without this file, Debian's fail2ban does not start.
: > /mnt/root/var/log/auth.log

mount --bind "$1" /mnt/tools
mount -t proc proc /mnt/tools/proc
mount --rbind /sys /mnt/tools/sys
mount --rbind /dev /mnt/tools/dev
mount -t tmpfs -o mode=755 tmpfs /mnt/tools/run
mkdir /mnt/tools/run/packages
mount --bind "$2" /mnt/tools/run/packages
mount --bind /mnt/root /mnt/tools/mnt
python3 -c 'import fcntl, socket, struct
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))'
exec chroot /mnt/tools systemd-nspawn --quiet --boot --register=no --keep-unit --link-journal=no --directory=/mnt \
    --bind-ro=/run/packages:/packages --capability=CAP_NET_ADMIN --hostname=web-1 --console=pipe
