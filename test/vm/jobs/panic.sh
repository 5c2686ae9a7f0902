# vm.panic_on_oom: the machine ends here (the last job of its boot); only the console is left
echo 1 > /proc/sys/vm/panic_on_oom
python3 /coroner/test/programs/hog.py 4
