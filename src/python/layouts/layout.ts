/**
 * Where the fields lie in the structs of one minor version of CPython: offsets and sizes in bytes.
 * A field that a version lacks is absent. Same in 3.6 to 3.15 and so not in here: `ob_refcnt` 0, `ob_type` 8,
 * `ob_size` 16 and the insides of list, tuple, dict, set, bytes, bytearray, deque and array.
 */
export interface Layout {
  readonly runtime?: {
    readonly interpretersHead: number;
    readonly size: number;
    readonly gcGenerations?: number;
    readonly gcPermanent?: number;
    readonly gcCollecting?: number;
    readonly threadCurrent?: number;
  };
  readonly interpreter: {
    readonly next: number;
    readonly threadsHead: number;
    readonly modules: number;
    readonly sysdict: number;
    readonly builtins: number;
    readonly gcGenerations?: number;
    readonly gcPermanent?: number;
    readonly gcCollecting?: number;
    readonly gil?: number;
    /** 3.14 and later: `struct _gc_runtime_state`, in which the collector's fields lie. */
    readonly gc?: number;
    readonly gcEnabled?: number;
    readonly size: number;
  };
  readonly gc: { readonly generationSize: number; readonly headSize: number };
  readonly gil?: { readonly locked: number; readonly lastHolder: number };
  readonly thread: {
    readonly next: number;
    readonly interpreter: number;
    readonly pthread: number;
    readonly frame?: number;
    readonly cframe?: number;
    readonly cframeCurrentFrame?: number;
    readonly currentFrame?: number;
    readonly nativeId?: number;
    readonly dict: number;
    readonly currentException: number;
    readonly excInfo?: number;
  };
  /** `_PyInterpreterFrame`, 3.11 and later. */
  readonly frame?: {
    readonly code: number;
    readonly instruction: number;
    readonly previous: number;
    readonly globals: number;
    readonly locals: number;
    readonly frameObject: number;
    /** Index of the first free slot, as the frame was left; 3.14 and later have a pointer to it. */
    readonly stacktop?: number;
    readonly stackpointer?: number;
    readonly owner: number;
    readonly function: number;
    readonly localsplus: number;
  };
  readonly frameObject: {
    readonly back: number;
    readonly trace: number;
    readonly frame?: number;
    readonly frameData?: number;
    readonly code?: number;
    readonly globals?: number;
    readonly locals?: number;
    readonly valuestack?: number;
    readonly lasti?: number;
    readonly localsplus?: number;
    readonly stackdepth?: number;
    readonly stacktop?: number;
  };
  readonly code: {
    readonly filename: number;
    readonly name: number;
    readonly firstLine: number;
    readonly stackSize: number;
    readonly flags: number;
    readonly consts: number;
    readonly weakrefs: number;
    readonly lineTable: number;
    readonly qualname?: number;
    readonly localsplusNames?: number;
    readonly localsplusKinds?: number;
    readonly bytecode?: number;
    readonly varnames?: number;
    readonly cellvars?: number;
    readonly freevars?: number;
    readonly zombieFrame?: number;
    readonly size: number;
  };
  readonly type: {
    readonly name: number;
    readonly basicSize: number;
    readonly itemSize: number;
    readonly flags: number;
    readonly dictOffset: number;
    readonly weaklistOffset: number;
    readonly dict: number;
    readonly base: number;
    readonly bases: number;
    readonly mro: number;
    readonly cache: number;
    readonly subclasses: number;
    readonly members: number;
    readonly size: number;
  };
  readonly heapType: {
    readonly name: number;
    readonly qualname?: number;
    readonly cachedKeys?: number;
    readonly slots: number;
    readonly module?: number;
    readonly size: number;
  };
  readonly string?: {
    readonly length: number;
    readonly state: number;
    readonly asciiSize: number;
    readonly compactSize: number;
    readonly utf8Length: number;
    readonly utf8: number;
    readonly wstr?: number;
    readonly wstrLength?: number;
    readonly data: number;
    readonly size: number;
  };
  readonly generator?: {
    readonly interpreterFrame?: number;
    readonly frameState?: number;
    /** 3.14 and later: the state of one that runs. Lower: not begun or suspended; higher: its frame is gone. */
    readonly executing?: number;
    readonly frame?: number;
    readonly size: number;
  };
  readonly function: {
    readonly code: number;
    readonly globals: number;
    readonly qualname?: number;
    readonly closure: number;
  };
  /** 3.14 and later: before it, a tuple's items begin at 24. */
  readonly tuple?: { readonly items: number };
  /** 3.14 and later. `definition`: a PyModuleDef, which tells the size of the state; 3.15 has the size itself. */
  readonly module?: {
    readonly state: number;
    readonly definition?: number;
    readonly stateSize?: number;
  };
}
