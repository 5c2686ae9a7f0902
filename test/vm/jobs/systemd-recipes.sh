# docs/recipes/systemd.md, as it stands there: only the limits are smaller, and the patience greater (an emulated CPU), by drop-ins
cp $programs/hog.py /srv/app/app.py
units=/etc/systemd/system
python3 - <<'PY'
import re
blocks = re.findall(r"```ini\n(.*?)```", open("/coroner/docs/recipes/systemd.md").read(), re.S)
assert len(blocks) == 4, len(blocks)
units = "/etc/systemd/system/"
import os
os.makedirs(units + "service.d")
open(units + "recorded.service", "w").write(blocks[0])
open(units + "app.service", "w").write(blocks[1])
open(units + "coroner@.service", "w").write(blocks[2])
open(units + "service.d/coroner.conf", "w").write(blocks[3])
open(units + "failing.service", "w").write("[Service]\nExecStart=/usr/bin/python3 /srv/app/app.py\nMemoryMax=1G\n")
PY
for name in recorded app failing; do
  mkdir $units/$name.service.d; printf '[Service]\nMemoryMax=200M\nMemorySwapMax=0\nTimeoutStopSec=900\n' > $units/$name.service.d/small.conf
done
systemctl daemon-reload
for name in recorded app failing; do
  systemctl start $name; ended $name 600
  systemctl show $name -p Result -p ExecMainStatus
  # OnFailure: %n is the whole name, so the instance is called NAME.service and its unit coroner@NAME.service.service
  sleep 1; ended coroner@$name.service.service 300
  systemctl show coroner@$name.service.service -p Result -p ExecMainStatus
  echo "uptime=$(cut -d' ' -f1 /proc/uptime)"
done
systemctl list-units --all --no-legend 'coroner@coroner*'
journalctl --sync
for name in recorded app coroner@failing.service.service; do journalctl --no-pager -o cat -u ${name%.service}.service > $name.txt; done
journalctl --no-pager -o short > journal.short
ls -la /var/lib/coroner; cp /var/lib/coroner/*.html .
coroner show --store /var/lib/coroner last > shown.txt
rm -r $units/service.d $units/coroner@.service; systemctl daemon-reload
