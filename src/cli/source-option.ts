/** `--source DIR`: the only way in which a reader of logs and incident folders comes to open a source file. */
import type { Recording } from '../model/recording.ts';
import type { Report } from '../model/report.ts';
import {
  mergeSourceText,
  wantedLines,
  withSourceText,
  type SourceText,
} from '../model/source-text.ts';
import { copyLines, sourcesBelow } from '../store/source-lines.ts';
import { checkSourceFolder } from './source-folder.ts';

/** A report with the lines that lay beside its evidence, and those that are found below DIR. */
export function withSourceBelow(
  report: Report,
  beside: SourceText | undefined,
  folder: string | undefined,
  recording: Recording | undefined,
): { readonly report: Report; readonly sourceText: SourceText | undefined } {
  if (folder === undefined) return { report, sourceText: beside };
  checkSourceFolder(folder);
  const files = copyLines(wantedLines(report), sourcesBelow(folder, recording?.cwd));
  const sourceText = mergeSourceText(beside, { files, symbols: new Map() });
  return { report: withSourceText(report, { files, symbols: new Map() }), sourceText };
}

export const sourceHelp =
  'show lines of source files below DIR (else only those that run copied: no file is read because a log or folder names it)';
