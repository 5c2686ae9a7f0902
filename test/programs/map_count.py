# vm.max_map_count mappings, then one allocation too many while nothing is short
import mmap

maps = []
try:
    while True:
        # alternating protections, or the kernel would merge the neighbours into one mapping
        maps.append(mmap.mmap(-1, 4096, prot=mmap.PROT_READ | (mmap.PROT_WRITE if len(maps) % 2 else 0)))
except OSError as error:
    print("mmap failed after", len(maps), repr(error), flush=True)
bytearray(1 << 20)
