# memory.oom.group: a parent and its children die together
mkdir /sys/fs/cgroup/pool; echo 96M > /sys/fs/cgroup/pool/memory.max; echo 1 > /sys/fs/cgroup/pool/memory.oom.group
coroner run --output store --json report.json within pool python3 /coroner/test/programs/workers_process.py; echo "exit=$?"
