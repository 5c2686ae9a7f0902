# coroner sits in the limited cgroup itself, as in a container
mkdir /sys/fs/cgroup/box; echo 200M > /sys/fs/cgroup/box/memory.max
within box coroner run --output store --json report.json python3 /coroner/test/programs/hog.py; echo "exit=$?"
