# swap thrash under a limit
mkswap /dev/vdc > /dev/null; swapon /dev/vdc
mkdir /sys/fs/cgroup/thrash; echo 64M > /sys/fs/cgroup/thrash/memory.max
coroner run --output store --json report.json within thrash python3 /coroner/test/programs/touch.py 120 20; echo "exit=$?"
swapoff /dev/vdc
