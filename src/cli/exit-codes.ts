/** Exit statuses of every command but `run`, which ends with its command's own. After sysexits.h. */
export const exitCodes = {
  /** Done, whatever was found. */
  done: 0,
  /** `diagnose --check`: a memory death was found. */
  memoryDeathFound: 1,
  /** The command line is wrong. */
  usage: 64,
  /** An input cannot be read. */
  noInput: 66,
  /** A fault of ours. */
  internal: 70,
} as const;
