# Runs inside the guest that systemd has booted: the jobs named in the kernel's command line (job=a,b,c) between markers, then powers off.
# Disks: vda node and its libraries, vdb this checkout, vdc swap (empty), vdd takes a tar of /out at the end, vde the root.
# A job dies twice: `recorded NAME ...` under coroner run, `bare NAME ...` without; after `mark` all that is left behind is the bare one's.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root NO_COLOR=1 SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0 PYTHONDONTWRITEBYTECODE=1
mount -o ro /dev/vda /tools; mount -t tmpfs out /out
for f in /tools/lib/*; do [ -e /lib/x86_64-linux-gnu/${f##*/} ] || ln -s $f /lib/x86_64-linux-gnu/; done
ln -sf /tools/bin/node /usr/bin/node
printf '#!/bin/sh\nexec /usr/bin/node /coroner/bin/coroner.js "$@"\n' > /usr/local/bin/coroner
chmod +x /usr/local/bin/coroner
programs=/coroner/test/programs

# ended UNIT [SECONDS]: waits until it is neither starting nor running nor stopping
ended() {
  for i in $(seq "${2:-90}"); do
    case $(systemctl is-active "$1") in active|activating|deactivating) sleep 1 ;; *) return ;; esac
  done
  echo "$1 has not ended"
}
# unit NAME [systemd-run's options] COMMAND...: a service, waited for
unit() {
  name=$1; shift
  systemd-run --quiet --unit="$name" --working-directory="$PWD" --setenv=NO_COLOR=1 "$@"
  ended "$name"
  systemctl show "$name" -p Result -p ExecMainCode -p ExecMainStatus
}
# The kernel's own clock and the journal's know only what is younger. Six seconds: the kernel writes ten such lines in five, then none.
mark() { sleep 6; since=$(date +%s); echo "VM-MARK bare $since" > /dev/kmsg; }
# left [diagnose's options]: what a person could still find, and what coroner finds by itself
left() {
  journalctl --sync; sync
  journalctl --no-pager --since "@$since" -o export > journal.export
  journalctl --no-pager --since "@$since" -o json > journal.json
  journalctl --no-pager --since "@$since" -o short > journal.short
  journalctl --no-pager --since "@$since" -o short-monotonic > journal.monotonic
  coroner diagnose --since "@$since" --json here.json "$@"
}

. /coroner/test/vm/jobs.sh
sync; echo o > /proc/sysrq-trigger; sleep 20; poweroff -f -f
