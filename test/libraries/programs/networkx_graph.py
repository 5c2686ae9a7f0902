# networkx: a graph of all that was seen. truth: graph | needs: networkx | venv: web
import networkx as nx


def main():
    graph = nx.DiGraph()
    number = 0
    while True:
        graph.add_edge(f"user {number}", f"item {number % 5000}", weight=float(number))  # <- line
        number += 1


main()
