# The first process of a Debian host, in mount, PID, network and UTS namespaces of its own: the root that debootstrap made,
# which is only read, with changes in memory.
#
# Arguments: that root, the folder of the packages. Prints "ready", and ends when its input does.
set -eu
mount -t tmpfs -o mode=755 host /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
cd /mnt/root
mount --rbind /dev dev
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p packages run/fail2ban
mount --bind "$2" packages

# As on a host where somebody has logged in; without this file, Debian's fail2ban does not start.
: > var/log/auth.log
hostname web-1
python3 -c 'import fcntl, socket, struct
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))'

echo ready
# Ignored, and so inherited: the kernel then reaps orphans by itself.
trap '' CHLD
exec cat
