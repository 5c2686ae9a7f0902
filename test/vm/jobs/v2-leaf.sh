# memory.max of the command's own cgroup
mkdir /sys/fs/cgroup/web; echo 64M > /sys/fs/cgroup/web/memory.max
coroner run --output store --json report.json within web python3 /coroner/test/programs/hog.py; echo "exit=$?"
