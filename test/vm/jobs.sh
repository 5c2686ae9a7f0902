# Sourced by both guests once /tools and /coroner are there: runs the jobs named in the kernel's command line (job=a,b,c) between markers and
# leaves /out as a tar on vdd; how the guest is switched off is its own.
J=$(sed -n 's/.*job=\([^ ]*\).*/\1/p' /proc/cmdline)
echo "VM boot-done uptime=$(cut -d' ' -f1 /proc/uptime) job=$J kernel=$(uname -r)"
for j in $(echo $J | tr , ' '); do
  echo "VM begin $j uptime=$(cut -d' ' -f1 /proc/uptime)"
  echo "VM-MARK $j" > /dev/kmsg
  mkdir -p /out/$j
  ( cd /out/$j; . /coroner/test/vm/jobs/$j.sh ) 2>&1
  echo "VM end $j rc=$? uptime=$(cut -d' ' -f1 /proc/uptime)"
done
tar cf /dev/vdd -C /out . 2>/dev/null
echo "VM poweroff"
