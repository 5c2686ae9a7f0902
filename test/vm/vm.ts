/**
 * A virtual machine for the deaths that a test must not bring to its host: cgroup v2 limits, the whole machine out of memory,
 * panics, swapping. QEMU without KVM, a Debian cloud kernel, this checkout of coroner inside. What it needs: `missing()`.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const path = `${process.env['PATH']}:/usr/sbin:/sbin`;

/** Why no virtual machine can run here, or null. */
export const missing = (): string | null => {
  if (process.arch !== 'x64' || process.platform !== 'linux') return 'the guest is x86-64 Linux';
  for (const [command, from] of [
    ['qemu-system-x86_64', 'qemu-system-x86'],
    ['busybox', 'busybox-static'],
    ['cpio', 'cpio'],
    ['mkfs.ext4', 'e2fsprogs'],
    ['apt-get', 'a Debian'],
    ['dpkg', 'a Debian'],
  ] as const)
    if (
      spawnSync('sh', ['-c', `command -v ${command}`], { env: { ...process.env, PATH: path } })
        .status !== 0
    )
      return `needs ${command}: ${from}`;
  if (!existsSync('/usr/bin/python3')) return "needs Debian's python3";
  if (!existsSync(join(root, 'dist/cli/main.js'))) return 'needs npm run build';
  return null;
};

const cache = (): string =>
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'coroner-test-vm');

/** `6.1` and newer as Debian has them; the second one comes from where apt knows it (backports), or not at all. */
export type KernelPackage = 'linux-image-cloud-amd64' | 'linux-image-6.12-cloud-amd64';

const leanFolder = (kernel: KernelPackage): string =>
  join(cache(), `${kernel}-node-${process.version}`);

export interface Vm {
  readonly dir: string;
  readonly kernel: string;
  /** What boots instead of the small guest: an initramfs, and the disk /dev/vde that it hands over to. */
  readonly system?: { readonly initrd: string; readonly disk: string };
}

/**
 * Builds the guest once per kernel, node and Python, under the user's cache folder.
 * Throws with apt's or dpkg's own words when the kernel cannot be had.
 */
export const buildVm = (kernel: KernelPackage = 'linux-image-cloud-amd64'): Vm => {
  const script = statSync(join(root, 'test/vm/build.sh')).mtimeMs;
  const init = statSync(join(root, 'test/vm/init.sh')).mtimeMs;
  const dir = leanFolder(kernel);
  const done = join(dir, 'release');
  if (!existsSync(done) || statSync(done).mtimeMs < Math.max(script, init)) {
    mkdirSync(dir, { recursive: true });
    // The kernel stays where an earlier build left it; all else is built anew.
    execFileSync('bash', [join(root, 'test/vm/build.sh'), dir, kernel], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH: path },
      timeout: 300_000,
    });
  }
  return { dir, kernel: readFileSync(done, 'utf8').trim() };
};

/** By what it is made of: the script, and the kernel whose modules it starts with. */
const systemdFolder = (): string => {
  const release = join(leanFolder('linux-image-cloud-amd64'), 'release');
  const content = createHash('sha256')
    .update(readFileSync(join(root, 'test/vm/build-systemd.sh')))
    .update(existsSync(release) ? readFileSync(release) : '')
    .digest('hex');
  return join(cache(), `systemd-${content.slice(0, 12)}`);
};
/** The image is there: no package would be fetched for it. */
export const systemdIsCached = (): boolean => existsSync(join(systemdFolder(), 'boot.cpio.gz'));

/** Why the guest with systemd cannot be had here, or null. `asked`: it may be built, which takes minutes. */
export const missingForSystemd = (asked: boolean): string | null =>
  missing() ??
  (systemdIsCached()
    ? null
    : !asked
      ? 'needs a guest with systemd: CORONER_SYSTEMD_GUEST=1 builds it once'
      : process.getuid?.() !== 0
        ? 'needs root, for mmdebstrap'
        : spawnSync('sh', ['-c', 'command -v mmdebstrap']).status === 0
          ? null
          : 'needs mmdebstrap: mmdebstrap');

export interface SystemdVm extends Vm {
  /** Names of the packages in it: what Debian has not got is not there. */
  readonly packages: ReadonlySet<string>;
}

/** A Debian with systemd and the guards, built once: minutes, 150 MB of packages. Throws with mmdebstrap's own words. */
export const buildSystemdVm = (): SystemdVm => {
  const vm = buildVm();
  const dir = systemdFolder();
  if (!systemdIsCached())
    execFileSync('bash', [join(root, 'test/vm/build-systemd.sh'), dir, vm.dir], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH: path },
      timeout: 900_000,
    });
  const packages = readFileSync(join(dir, 'packages'), 'utf8')
    .split('\n')
    .map((line) => line.split(' ', 1)[0] ?? '');
  return {
    ...vm,
    system: { initrd: join(dir, 'boot.cpio.gz'), disk: join(dir, 'root.ext4') },
    packages: new Set(packages),
  };
};

export interface VmOptions {
  readonly jobs: readonly string[];
  readonly memoryMiB?: number;
  /** Size of an empty disk /dev/vdc, for swap. */
  readonly swapMiB?: number;
  readonly kernelArguments?: string;
  readonly timeoutMs?: number;
}
export interface VmRun {
  /** All that the guest printed: kernel lines, the jobs' output, between the markers `VM begin JOB` and `VM end JOB rc=N`. */
  readonly console: string;
  /** One job's part of the console, up to the next job's where its end was lost in a panic. */
  job(name: string): string;
  /** What the guest left in /out: one folder a job. Empty after a panic. */
  readonly out: string;
  readonly status: number | null;
  readonly ms: number;
  dispose(): void;
}

export const runVm = async (vm: Vm, options: VmOptions): Promise<VmRun> => {
  const { jobs, memoryMiB = 384, swapMiB = 0, kernelArguments = '', timeoutMs = 300_000 } = options;
  const work = mkdtempSync(join(tmpdir(), 'coroner-vm-'));
  const checkout = join(work, 'checkout');
  mkdirSync(checkout);
  const copied = [
    'bin',
    'python-hook',
    'rehearsal',
    // As the package has it: all in one, with nothing of node_modules.
    'dist/agent',
    'dist/bundle',
    'dist/report',
    'package.json',
    'agent',
    'docs/causes',
    'docs/example',
    'docs/recipes',
    'test/vm',
    'test/programs',
  ];
  for (const name of copied)
    if (existsSync(join(root, name)))
      cpSync(join(root, name), join(checkout, name), { recursive: true, dereference: true });
  const disk = (name: string, mib: number): string => {
    const file = join(work, name);
    writeFileSync(file, '');
    truncateSync(file, mib * 2 ** 20);
    return file;
  };
  execFileSync(
    'mkfs.ext4',
    ['-q', '-F', '-O', '^has_journal', '-d', checkout, join(work, 'checkout.ext4'), '64M'],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: path } },
  );
  rmSync(checkout, { recursive: true });
  const drives = [
    [join(vm.dir, 'tools.ext4'), 'snapshot=on'],
    [join(work, 'checkout.ext4'), 'snapshot=on'],
    [disk('swap', Math.max(swapMiB, 1)), 'cache=unsafe'],
    [disk('out.tar', 64), 'cache=unsafe'],
    ...(vm.system === undefined ? [] : [[vm.system.disk, 'snapshot=on'] as const]),
  ].flatMap(([file, flags]) => ['-drive', `file=${file},if=virtio,format=raw,${flags}`]);
  const started = Date.now();
  /** To be looked at while it runs, too. */
  const consoleFile = join(work, 'console');
  // Never kvm: where the host is itself virtual it was seen to hang for ever after `Probing EDD ... ok`.
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      '-accel',
      'tcg,thread=multi',
      '-cpu',
      'max',
      '-smp',
      '2',
      '-m',
      String(memoryMiB),
      '-nodefaults',
      '-no-reboot',
      '-display',
      'none',
      '-serial',
      // Not stdio: where a busy machine reads the pipe too late, QEMU drops what the guest writes, letters of the kernel's lines first.
      `file:${consoleFile}`,
      '-kernel',
      join(vm.dir, 'vmlinuz'),
      '-initrd',
      vm.system?.initrd ?? join(vm.dir, 'guest.cpio.gz'),
      ...drives,
      '-append',
      `console=ttyS0 panic=-1 quiet loglevel=7 ignore_loglevel swapMiB=${swapMiB} job=${jobs.join(',')} ${kernelArguments}${vm.system === undefined ? '' : ' systemd.show_status=0 systemd.log_target=journal'}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const words: Buffer[] = [];
  for (const stream of [qemu.stdout, qemu.stderr])
    stream.on('data', (chunk: Buffer) => words.push(chunk));
  const timer = setTimeout(() => qemu.kill('SIGKILL'), timeoutMs);
  const status = await new Promise<number | null>((resolve, reject) => {
    qemu.on('error', reject);
    qemu.on('close', resolve);
  });
  clearTimeout(timer);
  const text = [existsSync(consoleFile) ? readFileSync(consoleFile) : Buffer.alloc(0), ...words]
    .join('')
    .replaceAll('\r\n', '\n');
  const out = join(work, 'out');
  mkdirSync(out);
  // After a panic the disk is still empty.
  spawnSync('tar', ['xf', join(work, 'out.tar'), '-C', out, '--no-same-owner']);
  rmSync(join(work, 'swap'));
  rmSync(join(work, 'checkout.ext4'));
  renameSync(join(work, 'out.tar'), join(work, 'left.tar'));
  return {
    console: text,
    out,
    status,
    ms: Date.now() - started,
    job: (name) => {
      const from = text.indexOf(`VM begin ${name} `);
      if (from < 0) return '';
      const ends = [
        text.indexOf(`VM end ${name} `, from),
        text.indexOf('VM begin ', from + 1),
      ].filter((at) => at > from);
      return text.slice(from, ends.length > 0 ? Math.min(...ends) : text.length);
    },
    dispose: () => rmSync(work, { recursive: true, force: true }),
  };
};
