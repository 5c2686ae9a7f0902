# earlyoom ends the largest with SIGTERM before the kernel must
swapoff -a; systemctl start earlyoom; sleep 2
unit early-recorded coroner run --output store --json report.json python3 $programs/hog.py 4 100000 0.02
mark
unit early-bare python3 $programs/hog.py 4 100000 0.02
left
systemctl stop earlyoom
