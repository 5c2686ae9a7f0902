# limit.py RLIMIT_NAME VALUE PROGRAM ARG...: lowers one limit (soft and hard) and becomes the program
import os
import resource
import sys

which = getattr(resource, sys.argv[1])
value = int(sys.argv[2])
resource.setrlimit(which, (value, value))
os.execvp(sys.argv[3], sys.argv[3:])
