#!/bin/busybox sh
# /init of the guest: mounts what there is, runs the jobs named in the kernel's command line (job=a,b,c) between markers, powers off.
# Disks: vda node and its libraries, vdb this checkout, vdc swap (empty), vdd takes a tar of /out at the end.
export PATH=/bin:/usr/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp
mkdir -p /dev/shm /out; mount -t tmpfs shm /dev/shm; mount -t tmpfs out /out
for m in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do insmod /mod/$m.ko 2>/dev/null; done
# virtio_pci needs both halves: once more for those whose turn came too early
for m in virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do insmod /mod/$m.ko 2>/dev/null; done
mount -o ro /dev/vda /tools; mount -o ro /dev/vdb /coroner
mount -t cgroup2 none /sys/fs/cgroup
echo "+memory +cpu +io +pids" > /sys/fs/cgroup/cgroup.subtree_control
ip link set lo up 2>/dev/null
export NO_COLOR=1
for f in /tools/lib/*; do [ -e /lib/x86_64-linux-gnu/${f##*/} ] || ln -s $f /lib/x86_64-linux-gnu/; done
ln -s /tools/bin/node /usr/bin/node
printf '#!/bin/sh\nexec /tools/bin/node /coroner/bin/coroner.js "$@"\n' > /bin/coroner
chmod +x /bin/coroner
# within CGROUP COMMAND...: enters a cgroup below the root and becomes the command
# (in Python and not in the static busybox, before which nothing can be preloaded)
cat > /bin/within <<'END'
#!/usr/bin/python3
import os, sys
open("/sys/fs/cgroup/%s/cgroup.procs" % sys.argv[1], "w").write(str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
END
chmod +x /bin/within
. /coroner/test/vm/jobs.sh
sync; poweroff -f
