# OOMPolicy=continue: a child is killed, the unit goes on and ends well
limit="-p MemoryMax=200M -p MemorySwapMax=0 -p OOMPolicy=continue"
unit continue-recorded $limit coroner run --output store --json report.json python3 $programs/workers_process.py
mark
unit continue-bare $limit python3 $programs/workers_process.py
left
