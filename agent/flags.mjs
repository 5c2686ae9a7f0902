// How the agent is compiled: by build.mjs here, and by `coroner run` on first use where no ready-made file fits.
// -fno-builtin: gcc turns malloc + memset into calloc, which is one of the functions defined here.
export const agentFlags = [
  '-std=c11',
  '-O2',
  '-g',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-fno-builtin-malloc',
  '-fno-builtin-calloc',
  '-fno-builtin-realloc',
  '-fno-plt',
  '-Wall',
  '-Wextra',
];
export const agentFileName = (arch, libc) => `coroner-agent-linux-${arch}-${libc}.so`;
