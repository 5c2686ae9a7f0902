# disguised, in this kernel's words: 6.1's line about the refusal has no size
coroner run --output store --json report.json python3 /coroner/test/programs/malloc_null.py; echo "exit=$?"
