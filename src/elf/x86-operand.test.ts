import { expect, test } from 'vitest';
import { formatOperand, memoryOperands } from './x86-operand.ts';

const operandsOf = (hex: string) =>
  memoryOperands(Uint8Array.from(hex.split(' '), (byte) => Number.parseInt(byte, 16))).map(
    (operand) => `${operand.access} ${formatOperand(operand)}`,
  );

test.each([
  ['c6 00 4f', ['write (%rax)']],
  ['c6 47 02 00', ['write 0x2(%rdi)']],
  ['42 c6 44 38 20 5b', ['write 0x20(%rax,%r15,1)']],
  ['f3 aa', ['write (%rdi)']],
  ['f3 48 a5', ['write (%rdi)', 'read (%rsi)']],
  ['c5 fe 7f 07', ['write (%rdi)']],
  ['c5 fe 7f 44 17 e0', ['write -0x20(%rdi,%rdx,1)']],
  ['f2 0f 11 02', ['write (%rdx)']],
  ['62 e1 fe 28 7f 47 01', ['write 0x20(%rdi)']],
  ['64 48 8b 04 25 28 00 00 00', ['read %fs:0x28()']],
  ['48 8b 05 79 b7 1a 00', ['read 0x1ab779(%rip)']],
  ['41 ff d4', ['write -0x8(%rsp)']],
  ['ff 10', ['read (%rax)', 'write -0x8(%rsp)']],
  ['e8 00 00 00 00', ['write -0x8(%rsp)']],
  ['48 8d 04 07', []],
  ['90', []],
  ['48', []],
  ['0f 05', []],
])('%s touches %j', (hex, expected) => {
  expect(operandsOf(hex)).toEqual(expected);
});
