# The wall clock is set an hour ahead during the run, and back again before the kernel kills: what happened and how long it took stays true
mkdir /sys/fs/cgroup/leap; echo 64M > /sys/fs/cgroup/leap/memory.max
echo "before=$(date +%s) uptime=$(cut -d. -f1 /proc/uptime)"
( sleep 4; date -s "@$(( $(date +%s) + 3600 ))"; echo "ahead=$(date +%s)"; sleep 4; date -s "@$(( $(date +%s) - 3600 ))"; echo "back=$(date +%s)" ) &
coroner run --output store --json report.json within leap python3 /coroner/test/programs/hog.py 1 1000 0.25; echo "exit=$?"
echo "after=$(date +%s) uptime=$(cut -d. -f1 /proc/uptime)"
wait
