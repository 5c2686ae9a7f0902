# A deepcopy of the state at each step. truth: history
import copy


def simulate():
    state = {"cells": [[x, y, 0.0] for x in range(30) for y in range(30)]}
    history = []
    while True:
        state["cells"][0][2] += 1
        history.append(copy.deepcopy(state))  # <- line


simulate()
