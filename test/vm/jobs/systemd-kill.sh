# OOMPolicy=kill sets memory.oom.group: all are killed, live the recorder too, whose folder speaks for it
limit="-p MemoryMax=200M -p MemorySwapMax=0 -p OOMPolicy=kill"
unit kill-recorded $limit coroner run --output store python3 $programs/workers_process.py
coroner diagnose --json report.json store/*
mark
unit kill-bare $limit python3 $programs/workers_process.py
left
