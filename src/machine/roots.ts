/** Where this machine keeps what is asked for; a test has its own tree. */
export interface MachineRoots {
  readonly proc: string;
  readonly sys: string;
  /** The kernel's ring. */
  readonly kmsg: string;
  readonly varLog: string;
  readonly varCrash: string;
  readonly systemdCoredumps: string;
  readonly systemdPstore: string;
  /** Where a relative core_pattern would have put cores of programs started here. */
  readonly workingFolder: string;
}

export const machineRoots: MachineRoots = {
  proc: '/proc',
  sys: '/sys',
  kmsg: '/dev/kmsg',
  varLog: '/var/log',
  varCrash: '/var/crash',
  systemdCoredumps: '/var/lib/systemd/coredump',
  systemdPstore: '/var/lib/systemd/pstore',
  // When it is asked for: it may have been removed, which a command that is run does not care about.
  get workingFolder() {
    return process.cwd();
  },
};

/** The parts of the machine that a recording reads; tests replace them. */
export interface RecorderRoots {
  readonly proc: string;
  /** Replaces /sys/fs/cgroup in the mount table. */
  readonly cgroup?: string;
  readonly kernelLog: string;
}

export const recorderRoots: RecorderRoots = { proc: '/proc', kernelLog: '/dev/kmsg' };
