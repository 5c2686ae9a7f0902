# read_csv of a large file. truth: table, text, source | needs: pandas | line: any
import io

import pandas as pd


def main():
    source = io.StringIO("id,name,amount\n" + "1,somebody with a name,2.5\n" * 2_500_000)  # <- line
    table = pd.read_csv(source)  # <- line
    print(len(table))


main()
