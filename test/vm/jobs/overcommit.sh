# vm.overcommit_memory=2: the commit limit refuses, nobody is killed
echo 2 > /proc/sys/vm/overcommit_memory; echo 100 > /proc/sys/vm/overcommit_ratio
coroner run --output store --json report.json python3 /coroner/test/programs/hog.py 2; echo "exit=$?"
echo 0 > /proc/sys/vm/overcommit_memory
