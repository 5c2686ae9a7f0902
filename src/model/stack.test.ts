import { expect, test } from 'vitest';
import type { StackFrame } from './report.ts';
import { formatFrame, frameName, informativeFrame, isUserFrame, userFrame } from './stack.ts';

const theirs: Readonly<Record<string, readonly string[]>> = {
  Linux: ['/srv/app/etl_job.py', 'etl_job.py', './jobs/load.py', '/usr/local/bin/nightly'],
  macOS: ['/Users/me/work/app.py', '/Users/me/Frameworks/app.py'],
  Windows: ['C:\\Users\\me\\app.py', 'D:\\jobs\\Lib\\load.py', '..\\jobs\\load.py', 'C:/jobs/a.py'],
  'folders that are only called like a library': [
    '/srv/app/Lib/load.py',
    '/srv/app/lib/load.py',
    '/srv/lib/pythonista/load.py',
    '/home/me/python/lib/load.py',
    '/home/me/my-site-packages-fork/load.py',
    '/home/me/pyenv/load.py',
    '/home/me/miniconda3/load.py',
    '/srv/envs/ml/load.py',
  ],
  'notebooks and prompts': [
    '<stdin>',
    '<stdin-3>',
    '<console>',
    '<input>',
    '<ipython-input-3-0a1b2c3d4e5f>',
    '<python-input-7>',
    '<timed exec>',
    '<command-3121>',
    '/tmp/ipykernel_4711/1234567890.py',
    'C:\\Users\\me\\AppData\\Local\\Temp\\ipykernel_4711\\1234567890.py',
  ],
  'python -c and exec': ['<string>'],
  doctest: ['<doctest load.rows[0]>'],
  'zip imports': ['/srv/app.pyz/load.py', '/tmp/spark-1/userFiles-2/job.zip/load.py'],
  'pytest, whose rewritten tests keep their path': ['/srv/app/tests/test_load.py'],
};

const notTheirs: Readonly<Record<string, readonly string[]>> = {
  Linux: [
    '/usr/lib/python3.12/json/decoder.py',
    '/usr/lib64/python3.9/codecs.py',
    '/usr/local/lib/python3.13t/threading.py',
    '/usr/lib/pypy3.9/json/decoder.py',
    '/opt/pypy3/lib-python/3/json/decoder.py',
    '/opt/pypy3/lib_pypy/_functools.py',
    '/usr/src/Python-3.11.7/Lib/json/decoder.py',
    '/var/runtime/bootstrap.py',
  ],
  macOS: [
    '/Library/Frameworks/Python.framework/Versions/3.12/lib/python3.12/json/decoder.py',
    '/opt/homebrew/Cellar/python@3.12/3.12.1/Frameworks/Python.framework/Versions/3.12/Resources/x.py',
    '/Applications/Xcode.app/Contents/Developer/Library/Frameworks/Python3.framework/Versions/3.9/x.py',
  ],
  Windows: [
    'C:\\Python312\\Lib\\json\\decoder.py',
    'c:\\python27\\lib\\json\\decoder.py',
    'C:/Python312/Lib/json/decoder.py',
    'C:\\Program Files\\Python\\Lib\\json\\decoder.py',
    'C:\\Users\\me\\AppData\\Local\\Programs\\Python\\Python312-32\\Lib\\json\\decoder.py',
    'C:\\Program Files\\WindowsApps\\PythonSoftwareFoundation.Python.3.12_3.12.496.0_x64\\Lib\\json\\decoder.py',
    'C:\\hostedtoolcache\\windows\\Python\\3.12.1\\x64\\Lib\\json\\decoder.py',
    'C:\\jobs\\.venv\\Lib\\site-packages\\numpy\\core.py',
  ],
  conda: [
    '/opt/conda/lib/python3.11/json/decoder.py',
    '/home/me/miniconda3/envs/ml/lib/python3.11/site-packages/numpy/core.py',
    'C:\\Users\\me\\miniconda3\\Lib\\json\\decoder.py',
    'C:\\Users\\me\\Anaconda3\\envs\\ml\\lib\\json\\decoder.py',
    'C:\\Users\\me\\mambaforge\\Lib\\json\\decoder.py',
  ],
  pyenv: [
    '/home/me/.pyenv/versions/3.12.1/lib/python3.12/json/decoder.py',
    '/opt/pyenv/versions/3.12.1/bin/pip',
    'C:\\Users\\me\\.pyenv\\pyenv-win\\versions\\3.12.1\\Lib\\json\\decoder.py',
  ],
  uv: [
    '/home/me/.local/share/uv/python/cpython-3.12.1-linux-x86_64-gnu/lib/python3.12/json/decoder.py',
    '/home/me/.cache/uv/builds-v0/x/lib/python3.12/site-packages/numpy/core.py',
    'C:\\Users\\me\\AppData\\Roaming\\uv\\python\\cpython-3.12.1-windows-x86_64-none\\Lib\\json\\decoder.py',
  ],
  'site-packages and dist-packages': [
    '/srv/app/.venv/lib/python3.12/site-packages/pandas/io/parsers.py',
    'site-packages/pandas/io/parsers.py',
    '/usr/lib/python3/dist-packages/numpy/core.py',
    '/srv/app/__pypackages__/3.12/lib/pandas/io/parsers.py',
  ],
  'frozen modules': ['<frozen importlib._bootstrap>', '<frozen site>', '<frozen zipimport>'],
  'generated code': [
    '<__array_function__ internals>',
    '<decorator-gen-12>',
    '<attrs generated init app.Row>',
    '<lambdifygenerated-1>',
    '<eval_with_key>.0',
    '<shim>',
    '<unknown>',
  ],
  'Cython and C': [
    'pandas/_libs/parsers.pyx',
    '/srv/build/fast.pxi',
    'numpy/core/src/multiarray/alloc.c',
    'Python/ceval.c',
    './malloc/malloc.c',
    '/usr/include/c++/13/bits/new_allocator.h',
    '/rustc/a28077b28a02b92985b3a3faecf92813155f1ea1/library/alloc/src/alloc.rs',
  ],
  'zip imports': [
    '/usr/lib/python312.zip/json/decoder.py',
    'C:\\app\\python312.zip\\json\\decoder.py',
    '/srv/eggs/pandas-2.0-py3.11.egg/pandas/io/parsers.py',
    '/home/me/.pex/installed_wheels/0a1b/numpy-2.0.whl/numpy/core.py',
    '/opt/spark/python/lib/pyspark.zip/pyspark/worker.py',
    '/opt/spark/python/lib/py4j-0.10.9-src.zip/py4j/java_gateway.py',
  ],
  'pytest itself': ['/srv/.venv/lib/python3.12/site-packages/_pytest/assertion/rewrite.py'],
};

for (const [where, files] of Object.entries(theirs))
  test.each(files)(`${where}: %s is the user's own`, (file) => {
    expect(isUserFrame({ file })).toBe(true);
  });
for (const [where, files] of Object.entries(notTheirs))
  test.each(files)(`${where}: %s is not the user's own`, (file) => {
    expect(isUserFrame({ file })).toBe(false);
  });
test('a frame without a file is nobody’s', () => {
  expect(isUserFrame({ file: null })).toBe(false);
  expect(isUserFrame({ file: '' })).toBe(false);
});

const frame = (file: string | null, line: number | null = 7): StackFrame => ({
  function: 'load',
  file,
  line,
});

test('the frame to name is the innermost of the user’s own, else the innermost', () => {
  const stack = [frame('<frozen os>'), frame('/srv/load.py'), frame('/srv/main.py')];
  expect(userFrame(stack)).toBe(stack[1]);
  expect(informativeFrame(stack)).toBe(stack[1]);
  const foreign = [frame('main.c'), frame('<frozen os>')];
  expect(userFrame(foreign)).toBeUndefined();
  expect(informativeFrame(foreign)).toBe(foreign[0]);
  expect(informativeFrame([])).toBeUndefined();
});

test('a method that the standard library compiled is its caller’s', () => {
  const named = (name: string, file: string) => ({ ...frame(file), function: name });
  const tuple = [named('__new__', '<string>'), frame('/srv/ticks.py')];
  expect(userFrame(tuple)).toBe(tuple[1]);
  const dataclass = [named('__init__', '<string>'), frame('<frozen os>'), frame('/srv/people.py')];
  expect(userFrame(dataclass)).toBe(dataclass[2]);
  // A class of `python -c`, and code that a program executes.
  const passed = [named('__init__', '<string>'), named('<module>', '<string>')];
  expect(userFrame(passed)).toBe(passed[0]);
  const executed = [named('build', '<string>'), frame('/srv/main.py')];
  expect(userFrame(executed)).toBe(executed[0]);
  const alone = [named('__init__', '<string>')];
  expect(userFrame(alone)).toBe(alone[0]);
});

test('frames in sentences have no folders, in lists they have', () => {
  expect(formatFrame(frame('C:\\jobs\\load.py'))).toBe('load (load.py:7)');
  expect(formatFrame({ ...frame('/srv/load.py'), function: '<module>' })).toBe('load.py:7');
  expect(formatFrame(frame(null))).toBe('load');
  expect(frameName(frame('/srv/load.py'))).toBe('load (/srv/load.py:7)');
  expect(frameName(frame('/srv/load.py', null))).toBe('load (/srv/load.py)');
  expect(frameName(frame(null))).toBe('load');
});
