#!/bin/bash
# build.sh DIR [KERNEL-PACKAGE]: makes DIR/vmlinuz, DIR/guest.cpio.gz and DIR/tools.ext4, a virtual machine that boots into jobs in seconds.
#
# Kernel: a Debian cloud kernel (linux-image-cloud-amd64, or the package named), downloaded with apt and unpacked, never installed.
# Guest: static busybox and this machine's Debian Python (/usr/bin/python3) in one initramfs; node with its libraries on a small disk.
# Needs no root and mounts nothing. Debian packages: qemu-system-x86 busybox-static cpio e2fsprogs python3.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: build.sh DIR [KERNEL-PACKAGE]}; meta=${2:-linux-image-cloud-amd64}
mkdir -p "$dir"; dir=$(cd "$dir" && pwd)
export PATH=$PATH:/usr/sbin:/sbin

if ! ls -d "$dir"/kernel/lib/modules/* >/dev/null 2>&1; then
  package=$(apt-cache depends "$meta" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
  [ -n "$package" ] || { echo "build.sh: apt knows no $meta; run apt-get update" >&2; exit 1; }
  (cd "$dir" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" "$package")
  dpkg -x "$dir"/"$package"_*.deb "$dir/kernel"
  rm -f "$dir"/"$package"_*.deb
fi
release=$(basename "$(ls -d "$dir"/kernel/lib/modules/* | head -1)")
modules=$dir/kernel/lib/modules/$release/kernel
cp -f "$dir/kernel/boot/vmlinuz-$release" "$dir/vmlinuz"

# copies the shared libraries of the given files into a tree
libraries() {
  local tree=$1 shared; shift
  for shared in $(ldd "$@" 2>/dev/null | grep -E '^\s' | grep -oE '/[^ :]+\.so[^ :]*' | sort -u); do
    mkdir -p "$tree$(dirname "$shared")"; cp -L "$shared" "$tree$shared"
  done
}

root=$dir/guest
rm -rf "$root"
mkdir -p "$root"/{bin,sbin,dev,proc,sys,tmp,run,etc,mod,work,tools,coroner,usr/bin,usr/lib,lib64,lib/x86_64-linux-gnu}
cp /bin/busybox "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"; done
for module in drivers/virtio/{virtio,virtio_ring,virtio_pci_modern_dev,virtio_pci_legacy_dev,virtio_pci} drivers/block/virtio_blk; do
  for file in "$modules/$module".ko*; do
    [ -e "$file" ] || continue
    case $file in
      *.xz) xz -dc "$file" > "$root/mod/$(basename "$module").ko" ;;
      *.zst) zstd -qdc "$file" > "$root/mod/$(basename "$module").ko" ;;
      *) cp "$file" "$root/mod/" ;;
    esac
  done
done

# Python: the minimal packages, and the modules of the full library that the jobs import
version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
library=/usr/lib/python$version
for path in $(dpkg -L "python$version-minimal" "libpython$version-minimal" | grep -E "^/usr/(bin/python$version\$|lib/python$version)"); do
  [ -d "$path" ] || { mkdir -p "$root$(dirname "$path")"; cp -a "$path" "$root$path"; }
done
for module in random bisect hashlib statistics fractions numbers decimal _pydecimal signal threading subprocess selectors json \
  multiprocessing concurrent ctypes tempfile shutil fnmatch socket queue pickle _compat_pickle copyreg struct logging traceback \
  linecache string textwrap heapq resource weakref _weakrefset contextlib tokenize token __future__ secrets hmac base64 lib-dynload; do
  if [ -d "$library/$module" ]; then cp -a "$library/$module" "$root$library/"
  elif [ -f "$library/$module.py" ]; then cp -a "$library/$module.py" "$root$library/"; fi
done
find "$root" -name __pycache__ -prune -exec rm -rf {} +
rm -rf "$root$library"/lib-dynload/{_test,_ctypes_test,_tkinter,_sqlite3,_ssl,_curses,_codecs_}*
ln -s "python$version" "$root/usr/bin/python3"
libraries "$root" "$root/usr/bin/python$version" "$root$library"/lib-dynload/*.so
cp "$here/init.sh" "$root/init"; chmod +x "$root/init"
echo 'root:x:0:0:root:/tmp:/bin/sh' > "$root/etc/passwd"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) > "$dir/guest.cpio.gz"

# node lies on a disk of its own: 100 MB that need not be unpacked into the guest's memory
tools=$dir/tools
rm -rf "$tools" "$dir/tools.ext4"; mkdir -p "$tools/bin"
cp -L "$(node -p process.execPath)" "$tools/bin/node"
libraries "$tools" "$tools/bin/node"
mkdir -p "$tools/lib"; find "$tools" -name '*.so*' -exec mv -n {} "$tools/lib/" \;
mkfs.ext4 -q -F -O ^has_journal -d "$tools" "$dir/tools.ext4" 192M
rm -rf "$tools" "$root"
echo "$release" > "$dir/release"
