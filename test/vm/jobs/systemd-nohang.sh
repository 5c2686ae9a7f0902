# U2: nohang ends the largest with SIGTERM before the kernel must
swapoff -a; systemctl start nohang; sleep 8
unit nohang-recorded coroner run --output store --json report.json python3 $programs/hog.py 2 100000 0.05
mark
unit nohang-bare python3 $programs/hog.py 2 100000 0.05
sleep 3
left
systemctl stop nohang
