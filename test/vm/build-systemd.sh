#!/bin/bash
# build-systemd.sh DIR KERNEL-DIR: makes DIR/root.ext4 and DIR/boot.cpio.gz, a Debian that systemd boots, with the guards that end processes
# for their memory (systemd-oomd, earlyoom, nohang), systemd-coredump and Python. KERNEL-DIR is a folder that build.sh made.
#
# Packages come from where this machine's apt has its own (mmdebstrap). A guard that cannot be had is left out: DIR/packages
# names those that are there. Needs root, and mounts nothing that is not unmounted again. Debian packages: mmdebstrap busybox-static cpio
# e2fsprogs.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

dir=${1:?usage: build-systemd.sh DIR KERNEL-DIR}; kernel=${2:?usage: build-systemd.sh DIR KERNEL-DIR}
mkdir -p "$dir"; dir=$(cd "$dir" && pwd)

wanted=systemd-sysv,dbus,python3,libstdc++6,libatomic1,mount
for package in systemd-oomd earlyoom nohang systemd-coredump; do
  if apt-cache show "$package" > /dev/null 2>&1; then wanted=$wanted,$package; fi
done
# This machine's own sources of Debian, whatever else it has.
keyring=/usr/share/keyrings/debian-archive-keyring.gpg; signed=''
[ ! -e "$keyring" ] || signed="[signed-by=$keyring] "
sources=$(apt-get indextargets --format "deb $signed"'$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' | sort -u)
[ -n "$sources" ] || { echo "build-systemd.sh: apt has no sources of Debian; run apt-get update" >&2; exit 1; }
suite=$(. /etc/os-release; echo "$VERSION_CODENAME")
root=$dir/root units=$dir/root/etc/systemd/system
rm -rf "$root" "$dir/root.ext4"
mmdebstrap --mode=root --variant=essential --include="$wanted" --format=directory --quiet \
  --aptopt='Apt::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  "$suite" "$root" - <<< "$sources"

# Guards are started by the jobs that want them; nothing else shall happen by itself.
for service in earlyoom nohang nohang-desktop systemd-oomd e2scrub_reap; do rm -f "$units"/*.wants/"$service.service"; done
rm -f "$units"/timers.target.wants/*.timer
for service in serial-getty@ttyS0 getty@tty1 systemd-timesyncd systemd-networkd systemd-resolved; do ln -sf /dev/null "$units/$service.service"; done
echo guest > "$root/etc/hostname"
mkdir -p "$root"/{tools,coroner,out,srv/app} "$root/etc/systemd/journald.conf.d" "$units/multi-user.target.wants"
# What the jobs leave is read minutes later: nothing of it may be dropped.
printf '[Journal]\nStorage=volatile\nRateLimitBurst=0\n' > "$root/etc/systemd/journald.conf.d/jobs.conf"
cat > "$units/jobs.service" <<'UNIT'
[Unit]
Description=jobs of the test
After=multi-user.target dbus.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mount -o ro /dev/vdb /coroner && exec /bin/sh /coroner/test/vm/systemd-jobs.sh'
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
OOMScoreAdjust=-900
TimeoutStartSec=infinity
[Install]
WantedBy=multi-user.target
UNIT
ln -sf /etc/systemd/system/jobs.service "$units/multi-user.target.wants/jobs.service"
chroot "$root" dpkg-query -W -f '${Package} ${Version}\n' > "$dir/packages"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}
rm -f "$dir/root.ext4"
mkfs.ext4 -q -F -O ^has_journal -L guest -d "$root" "$dir/root.ext4" 700M
rm -rf "$root"

# The initramfs: the modules for the disks, then systemd.
release=$(cat "$kernel/release"); modules=$kernel/kernel/lib/modules/$release/kernel
boot=$dir/boot
rm -rf "$boot"; mkdir -p "$boot"/{bin,dev,proc,sys,mod,root}
cp /bin/busybox "$boot/bin/"
for applet in sh mount insmod switch_root; do ln -s busybox "$boot/bin/$applet"; done
for module in drivers/virtio/{virtio,virtio_ring,virtio_pci_modern_dev,virtio_pci_legacy_dev,virtio_pci} drivers/block/virtio_blk; do
  for file in "$modules/$module".ko*; do
    [ -e "$file" ] || continue
    case $file in
      *.xz) xz -dc "$file" > "$boot/mod/$(basename "$module").ko" ;;
      *.zst) zstd -qdc "$file" > "$boot/mod/$(basename "$module").ko" ;;
      *) cp "$file" "$boot/mod/" ;;
    esac
  done
done
cat > "$boot/init" <<'INIT'
#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
# virtio and virtio_ring need each other in different orders in different kernels
for m in virtio virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do insmod /mod/$m.ko 2>/dev/null; done
mount -t ext4 /dev/vde /root && exec switch_root /root /lib/systemd/systemd
INIT
chmod +x "$boot/init"
(cd "$boot" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) > "$dir/boot.cpio.gz"
rm -rf "$boot"
