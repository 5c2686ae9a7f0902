# a big idle process is killed because a small one asks
# It sleeps until it is killed: on a busy machine a minute was over before the others had filled the memory
python3 /coroner/test/programs/hog.py 1 100 0.05 & trigger=$!
coroner run --output store --json report.json sh -c 'echo 600 > /proc/self/oom_score_adj; exec python3 -c "
import time
kept = bytearray(b\"x\" * (60 << 20))
time.sleep(900)"' & run=$!
sleep 6
python3 /coroner/test/programs/hog.py 4 & hog=$!
wait $run; echo "exit=$?"; kill -9 $hog $trigger; wait $hog; echo "hog exit=$?"
