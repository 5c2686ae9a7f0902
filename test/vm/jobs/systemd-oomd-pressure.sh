# systemd-oomd ends a cgroup whose tasks do little but wait for memory
grep -q /dev/vdc /proc/swaps || { mkswap /dev/vdc > /dev/null; swapon /dev/vdc; }
mkdir -p /etc/systemd/oomd.conf.d; printf '[OOM]\nDefaultMemoryPressureDurationSec=2s\nSwapUsedLimit=90%%\n' > /etc/systemd/oomd.conf.d/test.conf
systemctl restart systemd-oomd
watched="--slice=work.slice -p ManagedOOMMemoryPressure=kill -p ManagedOOMMemoryPressureLimit=5% -p MemoryHigh=40M"
# The whole cgroup is ended: the recorder must sit outside, the command goes into a scope of its own.
systemd-run --quiet --unit=pressure-recorded --working-directory="$PWD" --setenv=NO_COLOR=1 \
  coroner run --output store --json report.json systemd-run --quiet --scope $watched --unit=pressure-scope python3 $programs/touch.py 160 80
ended pressure-recorded 120
mark
unit pressure-bare $watched python3 $programs/touch.py 160 80
left
systemctl stop systemd-oomd
