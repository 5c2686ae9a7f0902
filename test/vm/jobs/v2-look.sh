# cgroup v2: a Python grows in memory.max; the last look must know who holds it
mkdir /sys/fs/cgroup/grow; echo 140M > /sys/fs/cgroup/grow/memory.max
coroner run --last-look --output store --json report.json within grow python3 /coroner/test/programs/heap/grow.py small 6 50; echo "exit=$?"
