# polars, eager: frames that are kept. truth: frames | needs: polars | venv: data
import polars as pl


def main():
    base = pl.DataFrame({"n": range(100_000)})
    frames = []
    step = 0
    while True:
        frames.append(base.with_columns((pl.col("n") * step).alias("scaled"), (pl.col("n") + step).alias("moved")))  # <- line
        step += 1


main()
