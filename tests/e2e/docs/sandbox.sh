# The first process of a sandbox, in mount, PID, network and UTS namespaces of its own. Makes a host on which nothing has
# been installed yet but fail2ban: whatever is written goes to memory, and the system's own files are only read.
#
# Arguments: the repository, the programs under test, the broker of a fleet. Prints "ready", and ends when its input does.
set -eu
repository=$1 banhook=$2 notify=$3 nats_server=$4

mount -t tmpfs -o mode=755 sandbox /mnt
mkdir /mnt/repository
mount --bind "$repository" /mnt/repository
: > /mnt/banhook
mount --bind "$banhook" /mnt/banhook
: > /mnt/banhook-notify
mount --bind "$notify" /mnt/banhook-notify
: > /mnt/nats-server
mount --bind "$nats_server" /mnt/nats-server

# layer LOWER PLACE: PLACE has the files of LOWER, and its changes in memory.
layer() {
    mkdir -p "/mnt/upper$2" "/mnt/work$2"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/upper$2,workdir=/mnt/work$2" "$2"
}
for folder in /etc /home /opt /root /srv /usr /var; do
    layer "$folder" "$folder"
done
for folder in /run /tmp /var/lib/fail2ban /var/log /var/tmp; do
    mount -t tmpfs -o mode=755 tmpfs "$folder"
done
chmod 1777 /tmp /var/tmp

# The clone that the documents work in, and the programs as `cargo xtask build` leaves them and as they are installed.
mkdir -p /usr/src/banhook
layer /mnt/repository /usr/src/banhook
mkdir -p /usr/src/banhook/target/release
for program in banhook banhook-notify; do
    : > "/usr/src/banhook/target/release/$program"
    mount --bind "/mnt/$program" "/usr/src/banhook/target/release/$program"
    ln -sf "/usr/src/banhook/target/release/$program" "/usr/bin/$program"
done

ln -sf /mnt/nats-server /usr/sbin/nats-server

# A banhook that this machine has is not the sandbox's.
rm -rf /etc/banhook /var/lib/banhook /etc/fail2ban/jail.local /etc/fail2ban/action.d/banhook.conf
rm -f /etc/systemd/system/banhook.service
userdel banhook 2>/dev/null || true

# fail2ban as Debian ships it, with the one jail that it enables; there is no journal.
mkdir /run/fail2ban /run/docs
# Commands begin in the clone.
echo /usr/src/banhook >/run/docs/directory
: > /var/log/auth.log
: > /var/log/fail2ban.log
printf '[sshd]\nenabled = true\nbackend = polling\nlogpath = /var/log/auth.log\n' > /etc/fail2ban/jail.d/zz-sandbox.conf

hostname web-1
python3 -c 'import fcntl, socket, struct
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))'
mount -o remount,bind,ro /

echo ready
# Ignored, and so inherited: the kernel then reaps orphans by itself.
trap '' CHLD
exec cat
