# an OOM kill by SysRq: memory is not short at all
coroner run --output store --json report.json python3 /coroner/test/programs/hog.py 8 120 0 60 & run=$!
sleep 12; echo f > /proc/sysrq-trigger; wait $run; echo "exit=$?"
