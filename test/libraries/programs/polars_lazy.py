# polars, lazy: results of collect() in a dict. truth: results | needs: polars | venv: data
import polars as pl


def main():
    query = pl.LazyFrame({"n": range(200_000)})
    results = {}
    step = 0
    while True:
        results[step] = query.with_columns((pl.col("n") * 3 + step).alias("m")).filter(pl.col("n") % 7 != 0).collect()  # <- line
        step += 1


main()
