# Jupyter: a cell that keeps its rows. truth: history | needs: ipykernel | venv: run | cell: 4
import sys

from jupyter_client.manager import start_new_kernel

cell = """
history = []
number = 0
while True:
    history.append([f"row {number} {i}" for i in range(1_000)])
    number += 1
"""
manager, client = start_new_kernel(kernel_name="python3")
client.execute(cell)
while manager.is_alive():
    try:
        client.get_iopub_msg(timeout=0.5)
    except Exception:
        pass
sys.exit(1)
