# records the run of which README.md shows the verdict: docs/example
cp /coroner/docs/example/orders.py .
mkdir /sys/fs/cgroup/shop; echo 128M > /sys/fs/cgroup/shop/memory.max
coroner run --output store --json report.json within shop python3 orders.py; echo "exit=$?"
