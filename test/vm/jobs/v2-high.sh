# S: memory.high without memory.max: throttled, never killed
mkdir /sys/fs/cgroup/slow; echo 40M > /sys/fs/cgroup/slow/memory.high
coroner run --output store --json report.json within slow timeout 25 python3 /coroner/test/programs/hog.py 1 400; echo "exit=$?"
