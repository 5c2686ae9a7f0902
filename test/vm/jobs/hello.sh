# boots, runs Python and coroner, shows what the guest has
python3 -c 'import sys, json, random, multiprocessing; print("python", sys.version)'
time coroner --version
time coroner --version
free; cat /sys/fs/cgroup/cgroup.controllers
