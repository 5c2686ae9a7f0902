#!/bin/bash
# serve.sh PORT PATH SECONDS SERVER...: starts a web server that listens on 127.0.0.1:PORT, asks it for PATH, stops it after SECONDS
port=$1 path=$2 seconds=$3; shift 3
"$@" & server=$!
trap 'kill -TERM $server' TERM INT
for _ in $(seq 100); do sleep 0.1; (exec 3<> /dev/tcp/127.0.0.1/"$port") 2> /dev/null && break; done
(exec 3<> /dev/tcp/127.0.0.1/"$port" && printf 'GET %s HTTP/1.0\r\n\r\n' "$path" >&3 && timeout 15 cat <&3 > /dev/null) 2> /dev/null &
sleep "$seconds"
kill -TERM $server; wait $server
