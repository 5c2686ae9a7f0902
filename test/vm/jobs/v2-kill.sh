# look-alike: kill -9 in a limited cgroup whose limit never fired
mkdir /sys/fs/cgroup/calm; echo 100M > /sys/fs/cgroup/calm/memory.max
coroner run --output store --json report.json within calm python3 -c 'import os; x = bytearray(b"x" * (30 << 20)); os.kill(os.getpid(), 9)'; echo "exit=$?"
