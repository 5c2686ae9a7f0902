# malloc gives NULL, nobody looks; systemd-coredump takes the core
cat /proc/sys/kernel/core_pattern
unit crash-recorded coroner run --output store --json report.json python3 $programs/malloc_null.py
mark
unit crash-bare python3 $programs/malloc_null.py
# the core is stored after the process is gone
for i in $(seq 30); do sleep 1; [ -z "$(systemctl list-units --no-legend 'systemd-coredump@*')" ] && break; done
left
coredumpctl --no-pager info > coredumpctl.info
coredumpctl --no-pager list > coredumpctl.list
cp $(ls -t /var/lib/systemd/coredump/core.* | head -1) .
