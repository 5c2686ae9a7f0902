# nohang ends the largest with SIGTERM before the kernel must
swapoff -a
# Well before the kernel: an emulated CPU gives nohang little time.
sed -i "s/^soft_threshold_min_mem .*/soft_threshold_min_mem = 25 %/; s/^hard_threshold_min_mem .*/hard_threshold_min_mem = 15 %/" /etc/nohang/nohang.conf
systemctl start nohang; sleep 8
unit nohang-recorded coroner run --output store --json report.json python3 $programs/hog.py 2 100000 0.15
mark
unit nohang-bare python3 $programs/hog.py 2 100000 0.15
sleep 3
left
systemctl stop nohang
