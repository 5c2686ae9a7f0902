# swap thrash with coroner itself inside the cgroup that thrashes
mkswap /dev/vdc > /dev/null; swapon /dev/vdc
mkdir /sys/fs/cgroup/mire; echo 150M > /sys/fs/cgroup/mire/memory.max
within mire /bin/coroner run --output store --json report.json python3 /coroner/test/programs/touch.py 150 20; echo "exit=$?"
swapoff /dev/vdc
