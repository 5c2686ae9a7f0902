/** What is embedded in the page: the verdict as it is, and the recording with its series packed. */
import type { Recording } from './recording.ts';
import type { Report } from './report.ts';

export interface PageData {
  readonly report: Report;
  /** The five answers of each incident. */
  readonly answers: readonly (readonly Answer[])[];
  readonly recording: PackedRecording | null;
  /** The run itself, where nobody died in it. */
  readonly run: RunTold | null;
  /** What was run, as people know it; empty where nothing was. */
  readonly commandLine: string;
  /** `docs/causes/<id>.md` and `docs/smells/<id>.md` of what the report names, as Markdown. */
  readonly documents: Readonly<Record<string, string>>;
  /** Source text around the frames that are shown, where the files were readable: file to first line and lines. */
  readonly sources: Readonly<Record<string, readonly SourceExcerpt[]>>;
  readonly version: string;
  /** The report for chats and issues. */
  readonly markdown: string;
}

export interface RunTold {
  /** The badge: `Ended well`, `Still running`, … */
  readonly word: string;
  readonly headline: string;
  readonly answers: readonly Answer[];
  /** When the variables were looked at, `1.3 s before the peak`; null: at the peak, or nobody knows. */
  readonly lookMoment: string | null;
  /** To run it again within the limit that is enough; null: it is not known. */
  readonly again: string | null;
}

export interface Answer {
  readonly question: string;
  /** One sentence, without a full stop. */
  readonly answer: string;
  /** More on it, the most important first. */
  readonly details: readonly string[];
  readonly known: boolean;
}

export interface SourceExcerpt {
  readonly firstLine: number;
  readonly lines: readonly string[];
}

type WithoutSamples<T> = Omit<T, 'samples'> & { readonly series: PackedSeries };
export interface PackedRecording extends Omit<Recording, 'processes' | 'cgroups' | 'host'> {
  readonly processes: readonly WithoutSamples<Recording['processes'][number]>[];
  readonly cgroups: readonly WithoutSamples<Recording['cgroups'][number]>[];
  readonly host: PackedSeries;
  /** The columns of all series one after the other, zlib, base64: see src/render/page/pack.ts. */
  readonly packed: string;
}

/** Where a series lies in `packed`, which holds unsigned LEB128 numbers. */
export interface PackedSeries {
  readonly rows: number;
  /** Which series, counted from 0 in the order of packing, has the very same times: then they are not packed again. */
  readonly sameTimesAs?: number;
  readonly columns: readonly {
    readonly name: string;
    /** What the numbers were divided by. */
    readonly unit: number;
    /** Every value of the column, where there is only one: then nothing is packed. */
    readonly all?: number | null;
  }[];
}
