# OOMPolicy=stop: a child is killed, systemd then stops the innocent parent (and, live, the recorder) with SIGTERM
limit="-p MemoryMax=200M -p MemorySwapMax=0 -p OOMPolicy=stop"
unit stop-recorded $limit coroner run --output store --json report.json python3 $programs/workers_process.py
mark
unit stop-bare $limit python3 $programs/workers_process.py
left
