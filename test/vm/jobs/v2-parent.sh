# the limit is the parent's; local oom counts there, local oom_kill in the child
mkdir -p /sys/fs/cgroup/job/worker; echo +memory > /sys/fs/cgroup/job/cgroup.subtree_control; echo 64M > /sys/fs/cgroup/job/memory.max
coroner run --output store --json report.json within job/worker python3 /coroner/test/programs/hog.py; echo "exit=$?"
