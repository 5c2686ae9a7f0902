import { exitCodes } from './exit-codes.ts';

/** Something the user can mend: printed as one message with a hint, never with a stack. */
export class Problem extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, hint?: string, exitCode: number = exitCodes.usage) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}
