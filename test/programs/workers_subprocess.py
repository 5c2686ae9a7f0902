# subprocess.run(check=True): CalledProcessError, died with SIGKILL
import os
import subprocess
import sys

subprocess.run([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "hog.py")], check=True)
