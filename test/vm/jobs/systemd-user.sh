# What an ordinary user is told: the journal holds the kill, and he may read his own entries alone
mkdir -p /var/log/journal /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\n' > /etc/systemd/journald.conf.d/zz-persistent.conf
systemctl restart systemd-journald; journalctl --flush
as_user="setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/tmp"
# A journal of his own, so that there is something that he may read.
systemd-run --quiet --wait -p User=1000 echo hello
since=$(date +%s)
unit user-bare -p MemoryMax=100M -p MemorySwapMax=0 python3 $programs/hog.py
journalctl --sync
$as_user journalctl --no-pager --since "@$since" | head -5
chmod 777 .
$as_user coroner diagnose --since "@$since" --json report.json
coroner diagnose --since "@$since" --json here.json
