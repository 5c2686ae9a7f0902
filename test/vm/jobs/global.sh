# the whole machine is out of memory
coroner run --output store --json report.json python3 /coroner/test/programs/hog.py 4; echo "exit=$?"
