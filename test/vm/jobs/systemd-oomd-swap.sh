# systemd-oomd ends the cgroup that uses most swap when it is nearly full
grep -q /dev/vdc /proc/swaps || { mkswap /dev/vdc > /dev/null; swapon /dev/vdc; }
mkdir -p /etc/systemd/oomd.conf.d; printf '[OOM]\nDefaultMemoryPressureDurationSec=5s\nSwapUsedLimit=50%%\n' > /etc/systemd/oomd.conf.d/test.conf
systemctl restart systemd-oomd
watched="--slice=work.slice -p ManagedOOMSwap=kill"
systemd-run --quiet --unit=swap-recorded --working-directory="$PWD" --setenv=NO_COLOR=1 \
  coroner run --output store --json report.json systemd-run --quiet --scope $watched --unit=swap-scope python3 $programs/hog.py 4 100000 0.02
ended swap-recorded 120
mark
unit swap-bare $watched python3 $programs/hog.py 4 100000 0.02
left
systemctl stop systemd-oomd
